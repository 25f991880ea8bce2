"""Database connections that outlive their task, as long as they are healthy.

Celery's own integration closes every connection before and after each task, and a new one costs
more than all the statements of a short task. ``CELERY_DB_REUSE_MAX`` turns that off; here the state
of the connection itself decides, without asking the server.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from celery.signals import task_postrun, task_prerun
from django.db import connections
from psycopg import Error
from psycopg.pq import TransactionStatus

from tasks_ui.runs.patience import DATABASE_ERRORS

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

CANCEL_TIMEOUT_S = 2.0


def watch() -> None:
    """Connect to Celery's signals, which are sent only in workers."""
    for signal in (task_prerun, task_postrun):
        signal.connect(close_unsound, dispatch_uid="tasks_ui.worker.connections")


def close_unsound(*, sender: Any = None, **kwargs: Any) -> None:
    """Close connections that the next task must not inherit: those that had an error, are in the
    middle of something, or are older than ``CONN_MAX_AGE``."""
    if sender is not None and sender.request.is_eager:
        return  # within somebody else's transaction
    for connection in connections.all(initialized_only=True):
        if is_poisoned(connection):
            discard(connection)
        else:
            connection.close_if_unusable_or_obsolete()


def discard_all() -> None:
    """Drop every connection of this thread: a signal may have arrived in the middle of a query."""
    for connection in connections.all(initialized_only=True):
        discard(connection)


def is_poisoned(connection: BaseDatabaseWrapper) -> bool:
    """Whether it has had a database error, or a query or transaction is still open."""
    if connection.connection is None:
        return False
    status = connection.connection.info.transaction_status
    return (
        connection.errors_occurred or connection.in_atomic_block or status != TransactionStatus.IDLE
    )


def discard(connection: BaseDatabaseWrapper) -> None:
    """Close the connection, and forget Django's wrapper, which may think it is in a transaction.

    A query that is still running is cancelled: its locks would outlive the task.
    """
    raw = connection.connection
    if raw is not None and raw.info.transaction_status == TransactionStatus.ACTIVE:
        with suppress(Error):
            raw.cancel_safe(timeout=CANCEL_TIMEOUT_S)
    try:
        connection.close()
    except DATABASE_ERRORS:
        connection.connection = None
    del connections[connection.alias]
