"""Stock Celery with django-celery-results and the settings considered safest, for the storm to
test.

acks_late, reject_on_worker_lost, one message prefetched, lost messages redelivered after 10 s, and
Valkey's append-only file. Its task leaves the same countable effect as the probes.
"""

from __future__ import annotations

import os
import time

import django
from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "infra_mind.settings")
django.setup()

from django.conf import settings  # noqa: E402  (Django first)

from tests.probe.models import Effect, Start  # noqa: E402  (Django first)

app = Celery("plain", set_as_current=False)
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    result_backend="django-db",
    result_backend_always_retry=True,
    task_default_queue="plain",
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_track_started=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "visibility_timeout": 10,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        "socket_timeout": 30,
        "health_check_interval": 10,
    },
)


@app.task(name="plain.work", bind=True)
def work(self: object, duration_s: float) -> str:
    """Take ``duration_s``, at most 3 s: far below the visibility timeout. Then leave an effect."""
    request = self.request  # type: ignore[attr-defined]
    Start.objects.create(run_id=request.id, attempt=0, worker=request.hostname)
    time.sleep(duration_s)
    Effect.objects.create(run_id=request.id, attempt=0, worker=request.hostname)
    return "done"
