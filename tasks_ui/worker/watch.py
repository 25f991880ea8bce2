"""The thread that watches over the current attempt: it renews the lease, writes progress, and
notices cancellations."""

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
LAST_LOOK_S = 5.0
"""How long the end of an attempt waits for a look that is under way; the database may be slow."""


@contextmanager
def watched(work: Work) -> Iterator[None]:
    """Renew the lease, check for cancellation and store progress from another thread while the
    block runs."""
    watcher = _of_this_process()
    watcher.begin(work)
    try:
        yield
    finally:
        watcher.end(work)


class Watcher:
    """A process's watching thread, which lives as long as the process: a thread and a connection
    per task would cost more than a short task itself. A pool process has one attempt at a time."""

    def __init__(self) -> None:
        self._works: set[Work] = set()
        self._wake = threading.Event()
        self._is_idle = threading.Event()
        self._is_idle.set()
        threading.Thread(target=self._run, name="watcher", daemon=True).start()

    def begin(self, work: Work) -> None:
        self._works.add(work)
        wakeup.listen(work.run.pk, self._wake)

    def end(self, work: Work) -> None:
        """Return once the thread is done with ``work``: no progress is pushed after the end."""
        self._works.discard(work)
        wakeup.forget(work.run.pk)
        self._is_idle.wait(LAST_LOOK_S)

    def _run(self) -> None:
        renew_at: dict[Work, float] = {}
        while True:
            self._wake.wait(WATCH_EVERY_S)
            self._wake.clear()
            self._is_idle.clear()  # before the look at who is there: ``end`` waits from here on
            now = time.monotonic()
            first_at = now + settings.TASKS_HEARTBEAT_S
            renew_at = {work: renew_at.get(work, first_at) for work in list(self._works)}
            for work in renew_at:
                is_due = now >= renew_at[work]
                if self._tend(work, renews=is_due) and is_due:
                    renew_at[work] = now + settings.TASKS_HEARTBEAT_S
            if not renew_at:
                connection.close()
            self._is_idle.set()

    def _tend(self, work: Work, *, renews: bool) -> bool:
        """Look after one attempt. False if the database is unreachable: the next try is in a
        second."""
        try:
            if renews:
                _renew(work)
            _look(work)
            work.store_progress()
            is_done = True
        except DATABASE_ERRORS:
            connection.close()
            is_done = False
        except Exception:  # this thread has to outlive whatever one attempt does
            logger.exception("Run %s could not be watched.", work.run.pk)
            connection.close()
            is_done = False
        if work.is_past_grace and work in self._works:  # else it ended while this took its time
            _force(work)
        return is_done


_watcher: Watcher | None = None
_watcher_pid = 0


def _of_this_process() -> Watcher:
    """A forked child starts its own."""
    global _watcher, _watcher_pid
    if _watcher is None or _watcher_pid != os.getpid():
        _watcher, _watcher_pid = Watcher(), os.getpid()
    return _watcher


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
    """The grace period is over: end this worker process. Its lease is shortened so that the
    reconciler can soon write REVOKED."""
    logger.warning(
        "Run %s did not stop within the grace period; ending its worker process.", work.run.pk
    )
    with suppress(*DATABASE_ERRORS):
        held = TaskRun.objects.filter(pk=work.run.pk, attempt=work.attempt, state=State.CANCELLING)
        held.update(lease_until=Now() + timedelta(seconds=1))
    os.kill(os.getpid(), signal.SIGKILL)
