"""The Celery application. Tasks live in each app's ``tasks.py``."""

from __future__ import annotations

import inspect
import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "infra_mind.settings")
os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")  # SIGTERM drains: the soft shutdown

app = Celery("infra_mind")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
def prepare_worker(sender: str, instance: Any, conf: Any, **kwargs: Any) -> None:
    """A worker waits for its broker patiently, where a publisher must not; and it takes no
    coroutine for a task."""
    from infra_mind import privacy

    privacy.forget_secrets()
    conf.broker_transport_options = settings.WORKER_BROKER_TRANSPORT_OPTIONS
    conf.broker_connection_timeout = settings.WORKER_BROKER_CONNECTION_TIMEOUT
    try:
        refuse_coroutine_tasks(app)
    except ImproperlyConfigured as error:
        raise SystemExit(
            str(error)
        ) from None  # a signal's receivers may raise what they like but this: Celery goes on


@beat_init.connect
def prepare_beat(**kwargs: Any) -> None:
    from infra_mind import privacy

    privacy.keep_to_itself()
    privacy.forget_secrets()


def refuse_coroutine_tasks(celery_app: Celery) -> None:
    """Celery never awaits a coroutine: such a task would read SUCCESS and have done nothing.

    Raises ImproperlyConfigured, naming the task.
    """
    celery_app.loader.import_default_modules()
    for name, task in celery_app.tasks.items():
        if inspect.iscoroutinefunction(task.run):
            raise ImproperlyConfigured(
                f"Task {name} is a coroutine, which Celery never awaits. Make it a plain function."
            )
