"""Workers report themselves: each writes its own row, so that pages need to ask only the database.

Remote control would need the broker, and a response from the very worker that may be stuck. The row
is written by a thread of the worker's main process, with the time at which the message loop last
turned (Celery sends heartbeats from that loop every two seconds while it has its broker): if a
worker hangs or has lost its broker, its row goes stale even though the process is alive.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from datetime import timedelta
from typing import Any

from celery.signals import heartbeat_sent, worker_ready, worker_shutdown, worker_shutting_down
from celery.worker import state
from django.db import connection
from django.utils import timezone

from tasks_ui.models import Worker
from tasks_ui.runs import workers
from tasks_ui.runs.patience import DATABASE_ERRORS
from tasks_ui.worker.draining import Taking

logger = logging.getLogger(__name__)

EVERY_S = 5.0
NOT_OURS = {"hostname", "drain_requested_at", "drain_requested_by"}
"""What a worker does not write over in its row."""
LAST_WORD_S = 2.0
"""How long a worker that stops waits for its last write; the database may be away."""

_turned_at = time.monotonic()
_is_over = threading.Event()
_thread: threading.Thread | None = None


def watch() -> None:
    """Connect to Celery's signals, which are sent only in workers."""
    heartbeat_sent.connect(_note_turn, dispatch_uid="tasks_ui.worker.seen")
    worker_ready.connect(_begin, dispatch_uid="tasks_ui.worker.seen")
    worker_shutting_down.connect(
        _end, dispatch_uid="tasks_ui.worker.seen"
    )  # of a drain, when its time is over
    worker_shutdown.connect(_end, dispatch_uid="tasks_ui.worker.seen")


def _note_turn(**kwargs: Any) -> None:
    global _turned_at
    _turned_at = time.monotonic()


def _begin(sender: Any, **kwargs: Any) -> None:
    """``sender`` is Celery's consumer, whose loop is about to take messages."""
    global _thread
    _note_turn()
    worker = Worker(
        hostname=sender.hostname[:120],
        pid=os.getpid(),
        concurrency=sender.controller.concurrency,
    )
    taking = Taking(sender)
    if _is_to_drain(worker):
        taking.leave()
    _is_over.clear()
    arguments = (worker, taking)
    _thread = threading.Thread(target=_write_until_over, args=arguments, name="seen", daemon=True)
    _thread.start()


def _end(**kwargs: Any) -> None:
    _is_over.set()
    if _thread is not None:
        _thread.join(LAST_WORD_S)


def _write_until_over(worker: Worker, taking: Taking) -> None:
    _write(worker, taking)
    worker.facts = workers.facts()
    while not _is_over.is_set():
        is_to_drain = _is_to_drain(worker)
        if is_to_drain is not None:
            taking.obey(is_to_drain=is_to_drain)
        _write(worker, taking)
        _is_over.wait(EVERY_S)
    worker.stopped_at = timezone.now()
    _write(worker, taking)


def _is_to_drain(worker: Worker) -> bool | None:
    """None while the database is away: the worker goes on as it was."""
    try:
        return workers.is_to_drain(worker.hostname)
    except DATABASE_ERRORS as error:
        logger.debug("The database is unreachable, so it is not known whether to drain: %s", error)
        return None
    finally:
        connection.close()


def _write(worker: Worker, taking: Taking) -> None:
    """Write the row; with the database away nothing is written, and the next try follows."""
    worker.last_seen_at = timezone.now() - timedelta(seconds=time.monotonic() - _turned_at)
    worker.queues, worker.unfinished = taking.queues, len(state.reserved_requests)
    fields = [field.name for field in Worker._meta.concrete_fields if field.name not in NOT_OURS]
    try:
        Worker.objects.bulk_create(
            [worker], update_conflicts=True, unique_fields=["hostname"], update_fields=fields
        )
    except DATABASE_ERRORS as error:
        logger.debug("The database is unreachable; this worker can't report itself: %s", error)
    finally:
        connection.close()  # none is left open for the pool's next child to inherit
