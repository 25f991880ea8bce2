"""What a project's Celery application needs for tracked tasks."""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any

from celery.signals import celeryd_init
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from tasks_ui.setup import defaults

if TYPE_CHECKING:
    from celery import Celery


def prepare_celery(app: Celery) -> None:
    """Call this where the application is created.

    Publishers give up on the broker immediately; workers wait for it. SIGTERM drains a worker, and
    a worker with a coroutine among its tasks refuses to start.
    """
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")

    def complete_settings(**kwargs: Any) -> None:
        defaults.fill_in()

    def prepare_worker(sender: str, instance: Any, conf: Any, **kwargs: Any) -> None:
        patient = "WORKER_BROKER_TRANSPORT_OPTIONS", "WORKER_BROKER_CONNECTION_TIMEOUT"
        options, timeout_s = (getattr(settings, name, None) for name in patient)
        conf.broker_transport_options = options or conf.broker_transport_options
        conf.broker_connection_timeout = timeout_s or conf.broker_connection_timeout
        try:
            refuse_coroutine_tasks(app)
        except ImproperlyConfigured as error:
            raise SystemExit(str(error)) from None  # Celery logs any other exception and goes on

    app.on_configure.connect(complete_settings, weak=False, dispatch_uid="tasks_ui.setup.celery")
    celeryd_init.connect(prepare_worker, weak=False, dispatch_uid="tasks_ui.setup.celery")


def refuse_coroutine_tasks(app: Celery) -> None:
    """Celery never awaits a coroutine: such a task would read SUCCESS without having done anything.

    Raises ImproperlyConfigured, naming the task.
    """
    app.loader.import_default_modules()
    for name, task in app.tasks.items():
        if inspect.iscoroutinefunction(task.run):
            raise ImproperlyConfigured(
                f"Task {name} is a coroutine, which Celery never awaits. Make it a plain function."
            )
