"""Runs a tracked task in a worker: claim, heartbeat, progress, and a final state that is written
exactly once.

An app's task is a plain function of one argument, a ``Work``::

    @tracked(SCAN)
    def run_scan(work: Work) -> dict[str, Any]:
        ...
        work.report(done, total, "Reading main.tf")
        return {"checks": 12}
"""

from __future__ import annotations

import logging
import random
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from celery import current_task, shared_task
from celery.exceptions import Ignore, SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, DataError

from tasks_ui.kinds import TaskKind
from tasks_ui.models import State, TaskRun
from tasks_ui.runs import log_context, tallies
from tasks_ui.runs.fields import Changes
from tasks_ui.runs.results import Outcome
from tasks_ui.runs.transitions import (
    Cancelled,
    Fenced,
    claim,
    confirm_cancelled,
    transition,
    wait_for_children,
)

if TYPE_CHECKING:
    from uuid import UUID
from tasks_ui.runs.patience import DATABASE_ERRORS, patiently
from tasks_ui.runs.transitions import retry_at
from tasks_ui.worker import connections
from tasks_ui.worker.watch import watched
from tasks_ui.worker.work import DETAIL_LENGTH, TaskFailed, WaitForChildren, Work

logger = logging.getLogger(__name__)


def tracked(kind: TaskKind) -> Callable[[Callable[[Work], Any]], Any]:
    """Turn a function of ``Work`` into a Celery task. Its message carries only the run's id and
    attempt."""

    def decorate(body: Callable[[Work], Any]) -> Any:
        # The claim refuses what is redelivered, so a poison message cannot circle.
        @shared_task(
            name=kind.task_name,
            queue=kind.queue,
            is_tracked=True,
            acks_late=True,
            reject_on_worker_lost=True,
        )
        def task(run_id: str, attempt: int) -> Any:
            return execute(body, run_id, attempt)

        task.__doc__ = body.__doc__
        return task

    return decorate


def execute(body: Callable[[Work], Any], run_id: str | UUID, attempt: int) -> Any:
    """Claim the run and work on it. Raises Ignore if there is nothing for Celery to record."""
    run = patiently(
        lambda: claim(run_id, attempt=attempt, worker=current_task.request.hostname or "")
    )
    if run is None:
        raise Ignore
    began, began_ns, outcome = time.monotonic(), time.time_ns(), "succeeded"
    with log_context.bound(**log_context.of_run(run)):
        try:
            return _attempt(body, run)
        except Ignore:
            outcome = "ended without a result"
            raise
        except BaseException:
            outcome = "failed"
            raise
        finally:
            took_s = time.monotonic() - began
            logger.info("Attempt %s of %s %s in %.2f s", run.attempt, run.kind, outcome, took_s)
            log_context.span_ended(f"{run.kind} {outcome}", began_ns=began_ns)


def _attempt(body: Callable[[Work], Any], run: TaskRun) -> Any:
    work = Work(run)
    try:
        with watched(work):
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
        _note_fenced(work)
        raise Ignore from None
    except TaskFailed as error:
        _fail(work, error, code=error.code)
        raise
    except SoftTimeLimitExceeded as error:
        connections.discard_all()
        _fail(
            work,
            error,
            code="time_limit",
            words=f"Stopped after {settings.CELERY_TASK_SOFT_TIME_LIMIT // 60} min.",
        )
        raise
    except SystemExit:
        if patiently(lambda: release(run, attempt=work.attempt)) is None:
            _cancel_if_asked(work)
        raise
    except Ignore:
        raise
    except Exception as error:
        if _cancel_if_asked(work) or _retry(work, error):
            raise Ignore from error
        _fail(work, error, code="error", words=words_of(error))
        raise


def words_of(error: Exception) -> str:
    """The message for the run's owner. Python's and the database's own errors are about the
    program, so they go to the log and the archived traceback instead."""
    name = type(error).__name__
    if isinstance(error, _FINAL):
        return f"It holds a value that can't be stored ({name}). The worker's log has the details."
    if isinstance(error, _INTERNAL):
        return f"A program error stopped it ({name}). The worker's log has the details."
    return str(error) or name


_FINAL = (DataError, UnicodeError)
"""The same values fail in the same way, however often they are tried."""
_INTERNAL = (
    DatabaseError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NameError,
    FileNotFoundError,
    PermissionError,
    RecursionError,
    TypeError,
    ValueError,
)


def release(run: TaskRun, *, attempt: int) -> TaskRun | None:
    """Release a run immediately because its worker is shutting down. That is not the run's fault:
    it costs no attempt."""
    return retry_at(
        run,
        attempt=attempt,
        delay_s=0,
        error="The worker was shut down.",
        more_attempts=1,
    )


def backoff_s(attempt: int) -> float:
    """Seconds until the attempt after ``attempt``: base x 2^(attempt-1), at most 600, times a
    jitter in 0.5..1."""
    full: float = min(settings.TASKS_RETRY_MAX_S, settings.TASKS_RETRY_BASE_S * 2 ** (attempt - 1))
    return full * random.uniform(0.5, 1.0)  # noqa: S311  (spreads load; not a secret)


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
        _end_late(work)
        raise Ignore
    return value


def _fail(work: Work, error: BaseException, *, code: str, words: str = "") -> None:
    trace = "".join(traceback.format_exception(error))
    outcome = Outcome(error_type=type(error).__name__, traceback=trace)
    changes: Changes = {
        "error_code": code,
        "error": (words or str(error) or type(error).__name__)[:DETAIL_LENGTH],
    }
    won = patiently(
        lambda: transition(
            work.run, State.FAILURE, attempt=work.attempt, outcome=outcome, **changes
        )
    )
    if won is None:
        if _cancel_if_asked(work):
            raise Ignore from error
        _note_fenced(work)


def _retry(work: Work, error: Exception) -> bool:
    if work.attempt >= work.run.max_attempts or isinstance(error, _FINAL):
        return False
    logger.warning("Attempt %s of run %s failed.", work.attempt, work.run.pk, exc_info=error)
    words = words_of(error)[:DETAIL_LENGTH]
    waits = patiently(
        lambda: retry_at(
            work.run, attempt=work.attempt, delay_s=backoff_s(work.attempt), error=words
        )
    )
    if waits is None:
        _end_late(work)
    return True


def _cancel_if_asked(work: Work) -> bool:
    """End as cancelled if the row says CANCELLING: whatever else happened, the cancellation was
    accepted first."""
    return patiently(lambda: confirm_cancelled(work.run, attempt=work.attempt))


def _end_late(work: Work) -> None:
    """This attempt's write was refused: the run was cancelled in the meantime, or belongs to
    another attempt."""
    if not _cancel_if_asked(work):
        _note_fenced(work)


def _note_fenced(work: Work) -> None:
    """Count, for the metrics, an attempt that no longer owned its run."""
    logger.info("Attempt %s of run %s no longer owns it.", work.attempt, work.run.pk)
    with suppress(*DATABASE_ERRORS):
        tallies.add(tallies.FENCED, work.run.kind)
