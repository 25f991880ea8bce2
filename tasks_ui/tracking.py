"""Running a tracked task in a worker: claim, heartbeat, progress, and an end that is written exactly once.

An app's task is a plain function of one argument, a ``Work``::

    @tracked(SCAN)
    def run_scan(work: Work) -> dict[str, Any]:
        ...
        work.report(done, total, "Reading main.tf")
        return {"checks": 12}
"""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from celery import current_task, shared_task
from celery.exceptions import Ignore, SoftTimeLimitExceeded
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F
from django.db.models.functions import Now

from tasks_ui import groups, wakeup
from tasks_ui.kinds import TaskKind
from tasks_ui.models import RUNNING, State, TaskRun
from tasks_ui.publisher import publisher
from tasks_ui.transitions import (
    Cancelled,
    Fenced,
    Outcome,
    claim,
    confirm_cancelled,
    create_children,
    emit,
    finish_stage,
    transition,
    wait_for_children,
    write_parent_progress,
    write_progress,
)

if TYPE_CHECKING:
    from uuid import UUID

logger = logging.getLogger(__name__)

DATABASE_ERRORS = (OperationalError, InterfaceError)
DATABASE_PATIENCE_S = 120
WATCH_EVERY_S = 1.0
DETAIL_LENGTH = 2000


class WaitForChildren(Exception):
    """The run goes on once all its children are final; the worker is free until then."""


class TaskFailed(Exception):
    """The run can't succeed however often it is tried. The message is shown to its owner; ``code`` names the cause."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class Work:
    """One attempt at one run, as its task sees it."""

    def __init__(self, run: TaskRun) -> None:
        self.run = run
        self.attempt = run.attempt
        self._stop: type[Exception] | None = None
        self._stopped_at = 0.0
        self._on_stop: list[Callable[[], None]] = []
        self._progress = (0, run.total, "")
        self._written = self._progress
        self._push_parent = str(run.parent_id) if run.parent_id else ""
        self._parent_current = 0
        self.effects: Callable[[], object] | None = None

    @property
    def subject_id(self) -> UUID:
        """The id of the object that the run is about. Raises TaskFailed for a run that is about none."""
        if self.run.subject_id is None:
            raise TaskFailed("This task names nothing to work on.", code="no_subject")
        return self.run.subject_id

    def report(self, current: int, total: int, message: str = "") -> None:
        """Say how many of the known units of work are finished. Returns in microseconds.

        Raises Cancelled or Fenced when the work has lost its purpose.
        """
        self.check()
        self._progress = (min(current, total), total, message)
        publisher().progress(groups.task(self.run.pk), str(self.run.pk), self._frame())
        if self._push_parent:
            publisher().progress(groups.task(self._push_parent), str(self.run.pk), self._frame())

    def check(self) -> None:
        """Raise Cancelled or Fenced when the work has lost its purpose."""
        if self._stop is not None:
            raise self._stop

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call ``stop`` from another thread, at once, should the run be cancelled within the block."""
        self._on_stop.append(stop)
        try:
            self.check()
            yield
        finally:
            self._on_stop.remove(stop)

    def create_children(self, *, stage: str, make: Callable[[], list[TaskRun]]) -> list[TaskRun]:
        """Start a stage; see ``transitions.create_children``."""
        return patiently(lambda: create_children(self.run, attempt=self.attempt, stage=stage, make=make))

    def finish_stage(self, stage: str, *, percent: int, **data: Any) -> None:
        """Note that a stage is done; see ``transitions.finish_stage``."""
        patiently(lambda: finish_stage(self.run, attempt=self.attempt, stage=stage, percent=percent, data=data))

    def emit(self, type: str, data: dict[str, Any]) -> None:
        """Append a durable event to the log of this run or, for a child, to that of its parent."""
        target = self.run.parent or self.run
        patiently(lambda: emit(target, type, data))

    def save_with_result(self, effects: Callable[[], object]) -> None:
        """Write ``effects`` in the transaction that makes this run a success, or not at all."""
        self.effects = effects

    def stop(self, reason: type[Exception]) -> None:
        """Called by the watcher: the run is cancelled or taken over."""
        if self._stop is None:
            self._stop, self._stopped_at = reason, time.monotonic()
            for call in list(self._on_stop):
                call()

    @property
    def is_stopped(self) -> bool:
        return self._stop is not None

    @property
    def is_past_grace(self) -> bool:
        return self._stop is not None and time.monotonic() - self._stopped_at > settings.TASKS_CANCEL_GRACE_S

    def store_progress(self) -> None:
        """Called by the watcher: write the latest progress into the row, and the parent's share."""
        latest = self._progress
        if latest == self._written or self._stop is not None:
            return
        if write_progress(self.run, attempt=self.attempt, current=latest[0], total=latest[1], message=latest[2]):
            self.run.state = State.PROGRESS
            self._written = latest
            self._push_to_owner()

    def _push_to_owner(self) -> None:
        if not self.run.parent_id:
            for group in (groups.user(self.run.owner_id), groups.STAFF):
                publisher().progress(group, str(self.run.pk), self._frame())
            return
        parent = write_parent_progress(self.run.parent_id)
        if parent is None:
            return
        frame = {
            "type": "task.progress",
            "task_id": self._push_parent,
            "parent_id": None,
            "owner_id": self.run.owner_id,
            "attempt": parent.attempt,
            "current": parent.current,
            "total": 100,
            "message": "",
            "children": {str(self.run.pk): self._progress[0]},
        }
        for group in (groups.task(self._push_parent), groups.user(self.run.owner_id), groups.STAFF):
            publisher().progress(group, self._push_parent, frame)

    def _frame(self) -> dict[str, Any]:
        current, total, message = self._progress
        return {
            "type": "task.progress",
            "task_id": str(self.run.pk),
            "parent_id": self._push_parent or None,
            "owner_id": self.run.owner_id,
            "attempt": self.attempt,
            "current": current,
            "total": total,
            "message": message,
            "children": {},
        }


def tracked(kind: TaskKind) -> Callable[[Callable[[Work], Any]], Any]:
    """Make a Celery task of a function of ``Work``. Its message carries the run's id and attempt, nothing else."""

    def decorate(body: Callable[[Work], Any]) -> Any:
        @shared_task(name=kind.task_name, queue=kind.queue)
        def task(run_id: str, attempt: int) -> Any:
            return execute(body, run_id, attempt)

        task.__doc__ = body.__doc__
        return task

    return decorate


def execute(body: Callable[[Work], Any], run_id: str | UUID, attempt: int) -> Any:
    """Claim the run and work on it. Raises Ignore where there is nothing for Celery to record."""
    run = patiently(lambda: claim(run_id, attempt=attempt, worker=current_task.request.hostname or ""))
    if run is None:
        raise Ignore
    work = Work(run)
    try:
        with _watched(work):
            value = body(work)
            work.check()
        return _succeed(work, value)
    except WaitForChildren as wait:
        message = str(wait)
        patiently(lambda: wait_for_children(run, attempt=work.attempt, message=message))
        raise Ignore from None
    except Cancelled:
        _cancel_if_asked(work)
        raise Ignore from None
    except Fenced:
        raise Ignore from None
    except TaskFailed as error:
        _fail(work, error, code=error.code)
        raise
    except SoftTimeLimitExceeded as error:
        _fail(work, error, code="time_limit", words=f"Stopped after {settings.CELERY_TASK_SOFT_TIME_LIMIT // 60} min.")
        raise
    except SystemExit:
        patiently(lambda: release(run, attempt=work.attempt))
        raise
    except Ignore:
        raise
    except Exception as error:
        if _cancel_if_asked(work) or _retry(work, error):
            raise Ignore from error
        _fail(work, error, code="error")
        raise


def release(run: TaskRun, *, attempt: int) -> TaskRun | None:
    """Give a run back at once because its worker is shutting down. That is not the run's fault: it costs no attempt."""
    return retry_at(
        run, attempt=attempt, delay_s=0, error="The worker was shut down.", max_attempts=F("max_attempts") + 1
    )


def retry_at(run: TaskRun, *, attempt: int, delay_s: float, error: str, **changes: Any) -> TaskRun | None:
    """Let the run wait for its next attempt; the reconciler rings when it is due."""
    return transition(
        run,
        State.RETRY,
        attempt=attempt,
        next_retry_at=Now() + timedelta(seconds=delay_s),
        lease_until=None,
        rings=0,
        rung_at=None,
        error=error,
        **changes,
    )


def backoff_s(attempt: int) -> float:
    """Seconds until the attempt after ``attempt``: base x 2^(attempt-1), at most 600, times a jitter in 0.5..1."""
    full: float = min(settings.TASKS_RETRY_MAX_S, settings.TASKS_RETRY_BASE_S * 2 ** (attempt - 1))
    return full * random.uniform(0.5, 1.0)  # noqa: S311  (spreads load; not a secret)


def patiently[T](call: Callable[[], T]) -> T:
    """Call, and call again while the database is away, for two minutes. Then the last error is raised."""
    give_up_at = time.monotonic() + DATABASE_PATIENCE_S
    pause_s = 0.1
    while True:
        try:
            return call()
        except DATABASE_ERRORS:
            connection.close()
            if time.monotonic() > give_up_at:
                raise
        time.sleep(pause_s)
        pause_s = min(2.0, pause_s * 2)


def _succeed(work: Work, value: Any) -> Any:
    _, total, message = work._progress
    partial = bool(isinstance(value, dict) and value.get("partial"))
    won = patiently(
        lambda: transition(
            work.run,
            State.SUCCESS,
            attempt=work.attempt,
            outcome=Outcome(value=value),
            save=work.effects,
            current=total,
            total=total,
            message=message,
            partial=partial,
            error="",
            error_code="",
        )
    )
    if won is None:
        _cancel_if_asked(work)
        raise Ignore
    return value


def _fail(work: Work, error: BaseException, *, code: str, words: str = "") -> None:
    trace = "".join(traceback.format_exception(error))
    outcome = Outcome(error_type=type(error).__name__, traceback=trace)
    changes: dict[str, Any] = {
        "error_code": code,
        "error": (words or str(error) or type(error).__name__)[:DETAIL_LENGTH],
    }
    won = patiently(lambda: transition(work.run, State.FAILURE, attempt=work.attempt, outcome=outcome, **changes))
    if won is None and _cancel_if_asked(work):
        raise Ignore from error


def _retry(work: Work, error: Exception) -> bool:
    if work.attempt >= work.run.max_attempts:
        return False
    logger.warning("Attempt %s of run %s failed.", work.attempt, work.run.pk, exc_info=error)
    words = (str(error) or type(error).__name__)[:DETAIL_LENGTH]
    patiently(lambda: retry_at(work.run, attempt=work.attempt, delay_s=backoff_s(work.attempt), error=words))
    return True


def _cancel_if_asked(work: Work) -> bool:
    """End as cancelled when the row says CANCELLING: whatever else happened, the cancel was accepted first."""
    return patiently(lambda: confirm_cancelled(work.run, attempt=work.attempt))


@contextmanager
def _watched(work: Work) -> Iterator[None]:
    """Renew the lease, read the cancel flag and store progress from another thread while the block runs."""
    is_over = threading.Event()
    wake = wakeup.listen(work.run.pk)
    watcher = threading.Thread(target=_watch, args=(work, is_over, wake), name="watcher", daemon=True)
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
        pk=work.run.pk, attempt=work.attempt, lease_until__isnull=False, state__in=[*RUNNING, State.CANCELLING]
    )
    held.update(lease_until=Now() + timedelta(seconds=settings.TASKS_LEASE_S))


def _look(work: Work) -> None:
    row = TaskRun.objects.filter(pk=work.run.pk).values_list("state", "attempt").first()
    if row is None or row[1] != work.attempt or row[0] not in {*RUNNING, State.CANCELLING}:
        work.stop(Fenced)
    elif row[0] == State.CANCELLING:
        work.stop(Cancelled)


def _force(work: Work) -> None:
    """The grace is over: end this worker process. Its lease is cut so that the reconciler may soon say REVOKED."""
    logger.warning("Run %s did not stop within its grace; ending its worker process.", work.run.pk)
    with suppress(*DATABASE_ERRORS):
        held = TaskRun.objects.filter(pk=work.run.pk, attempt=work.attempt, state=State.CANCELLING)
        held.update(lease_until=Now() + timedelta(seconds=1))
    os.kill(os.getpid(), signal.SIGKILL)
