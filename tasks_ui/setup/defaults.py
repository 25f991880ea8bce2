"""Default values that ``tasks_ui`` fills in for settings that a project leaves out.

A project's own settings always win. Celery's settings are filled in only if they concern publishing
and the queues of tracked tasks; nothing else changes for the project's own tasks.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from kombu import Queue

PRIORITY = "priority"
"""The queue that has a worker of its own."""
AT_ONCE = {"max_retries": 0, "interval_start": 0, "interval_step": 0, "interval_max": 0}
VISIBILITY = {
    # above every time limit: recovery is by lease, not by visibility
    "visibility_timeout": 12 * 3600,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
}

TASKS: dict[str, Any] = {
    "TASKS_SITE_NAME": "Tasks",
    "TASKS_SITE_VERSION": "",
    "TASKS_LEASE_S": 15,
    "TASKS_CANCEL_GRACE_S": 10,
    "TASKS_MAX_ATTEMPTS": 4,
    "TASKS_OWNER_WINDOW": 8,
    "TASKS_RETRY_BASE_S": 5,
    "TASKS_RETRY_MAX_S": 600,
    "TASKS_RETENTION_DAYS": 30,
    "TASKS_DISK_FOLDERS": (),
    "TASKS_DISK_FREE_MB": 200,
    "RATE_LIMIT_PER_MINUTE": 3000,
    "SOCKETS_PER_USER": 50,
    "TRUSTED_PROXIES": 0,
    "AUDIT_LOGGER": "tasks_ui.audit",
    "AUDIT_RETENTION_DAYS": 365,
    "IS_LOCAL": False,
    "CELERY_TASK_SOFT_TIME_LIMIT": 3300,
    "CELERY_TASK_TIME_LIMIT": 3600,
    # A worker that lost its broker goes on: its runs are held by leases, not by connections.
    "CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS": False,
    "CELERY_DB_REUSE_MAX": 10_000,
    # Publishing must never hold up a request: the reconciler rings again.
    "CELERY_TASK_PUBLISH_RETRY": False,
    "CELERY_TASK_PUBLISH_RETRY_POLICY": AT_ONCE,
    "CELERY_BROKER_CONNECTION_TIMEOUT": 0.15,
    "WORKER_BROKER_CONNECTION_TIMEOUT": 5,
}


def fill_in() -> None:
    """Fill in missing settings. Safe to call more than once, before or after setup."""
    for name, value in TASKS.items():
        _fill(name, value)
    _fill("TASKS_HEARTBEAT_S", settings.TASKS_LEASE_S / 3)
    broker = getattr(settings, "CELERY_BROKER_URL", "") or ""
    is_rabbitmq = broker.startswith(("amqp", "pyamqp"))
    publishing, working = _transport_options(is_rabbitmq=is_rabbitmq)
    if not hasattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS"):
        _fill("WORKER_BROKER_TRANSPORT_OPTIONS", working)
    _fill("CELERY_BROKER_TRANSPORT_OPTIONS", publishing)
    if not is_rabbitmq:
        _fill("CHANNEL_REDIS_URL", broker)
    _fill("CELERY_TASK_QUEUES", _queues(is_rabbitmq=is_rabbitmq))


def _transport_options(*, is_rabbitmq: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The publisher's, which gives up immediately, and the worker's, which waits patiently."""
    if is_rabbitmq:
        timeouts = {"read_timeout": 0.15, "write_timeout": 0.15}
        return {"confirm_publish": True, **timeouts, **AT_ONCE}, {"confirm_publish": True}
    publishing = {
        **VISIBILITY,
        **AT_ONCE,
        "socket_timeout": 0.15,
        "socket_connect_timeout": 0.15,
        "connect_retries_timeout": 0.1,
    }
    working = {
        **VISIBILITY,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "health_check_interval": 10,
    }
    return publishing, working


def _queues(*, is_rabbitmq: bool) -> list[Queue]:
    """The project's default queue, those of its ``TASKS`` backends, and the priority queue."""
    names = [getattr(settings, "CELERY_TASK_DEFAULT_QUEUE", "celery")]
    for backend in getattr(settings, "TASKS", {}).values():
        if backend["BACKEND"].startswith("tasks_ui."):
            names += backend.get("QUEUES", ["default"])
    arguments = {"x-queue-type": "quorum"} if is_rabbitmq else None
    return [
        Queue(name, routing_key=name, queue_arguments=arguments)
        for name in dict.fromkeys([*names, PRIORITY])
    ]


def _fill(name: str, value: Any) -> None:
    if not hasattr(settings, name):
        setattr(settings, name, value)
