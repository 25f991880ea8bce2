"""The thread that watches over one attempt: it renews the lease, writes progress, and hears of a
cancel."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from tasks_ui.models import RUNNING, State, TaskRun
from tasks_ui.runs import wakeup
from tasks_ui.runs.patience import DATABASE_ERRORS
from tasks_ui.runs.transitions import (
    Cancelled,
    Fenced,
)
from tasks_ui.worker.work import Work

logger = logging.getLogger(__name__)


WATCH_EVERY_S = 1.0


@contextmanager
def watched(work: Work) -> Iterator[None]:
    """Renew the lease, read the cancel flag and store progress from another thread while the block
    runs."""
    is_over = threading.Event()
    wake = wakeup.listen(work.run.pk)
    watcher = threading.Thread(
        target=_watch, args=(work, is_over, wake), name="watcher", daemon=True
    )
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        wake.set()
        watcher.join(timeout=5)
        wakeup.forget(work.run.pk)


def _watch(work: Work, is_over: threading.Event, wake: threading.Event) -> None:
    renew_at = time.monotonic() + settings.TASKS_HEARTBEAT_S
    try:
        while not is_over.is_set():
            wake.wait(WATCH_EVERY_S)
            if is_over.is_set():
                return
            wake.clear()
            try:
                if time.monotonic() >= renew_at:
                    renew_at = time.monotonic() + settings.TASKS_HEARTBEAT_S
                    _renew(work)
                _look(work)
                work.store_progress()
            except DATABASE_ERRORS:
                connection.close()
            if work.is_past_grace:
                _force(work)
    finally:
        connection.close()


def _renew(work: Work) -> None:
    held = TaskRun.objects.filter(
        pk=work.run.pk,
        attempt=work.attempt,
        lease_until__isnull=False,
        state__in=[*RUNNING, State.CANCELLING],
    )
    held.update(lease_until=Now() + timedelta(seconds=settings.TASKS_LEASE_S))


def _look(work: Work) -> None:
    row = TaskRun.objects.filter(pk=work.run.pk).values_list("state", "attempt").first()
    if row is None or row[1] != work.attempt or row[0] not in {*RUNNING, State.CANCELLING}:
        work.stop(Fenced)
    elif row[0] == State.CANCELLING:
        work.stop(Cancelled)


def _force(work: Work) -> None:
    """The grace is over: end this worker process. Its lease is cut so that the reconciler may soon
    say REVOKED."""
    logger.warning("Run %s did not stop within its grace; ending its worker process.", work.run.pk)
    with suppress(*DATABASE_ERRORS):
        held = TaskRun.objects.filter(pk=work.run.pk, attempt=work.attempt, state=State.CANCELLING)
        held.update(lease_until=Now() + timedelta(seconds=1))
    os.kill(os.getpid(), signal.SIGKILL)
