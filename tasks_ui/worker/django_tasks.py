"""The body of every ``django.tasks`` run: find the function, call it, store what it raises."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from celery.exceptions import SoftTimeLimitExceeded
from django.tasks.base import TaskContext
from django.tasks.exceptions import InvalidTask
from django.tasks.signals import task_started
from django.utils.json import normalize_json

from tasks_ui.backend import owned_by
from tasks_ui.models import TaskRun
from tasks_ui.runs import calls
from tasks_ui.runs.patience import patiently
from tasks_ui.runs.transitions import Cancelled, Fenced
from tasks_ui.worker import connections
from tasks_ui.worker.work import TaskFailed, Work

if TYPE_CHECKING:
    from tasks_ui.runs.calls import TrackedResult


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedContext(TaskContext):  # type: ignore[type-arg,misc]
    """The context that a task with ``takes_context`` receives."""

    work: Work

    def report(self, current: int, total: int, message: str = "") -> None:
        """Report how many of the known units of work are finished. Returns in microseconds.

        Ends the task if it was cancelled: let the exception pass through.
        """
        self.work.report(current, total, message)

    def check(self) -> None:
        """End the task if it was cancelled, without reporting progress."""
        self.work.check()


def run_call(work: Work) -> Any:
    """Call the run's function. If its return value is not JSON, the run fails without a retry,
    which would only repeat the work with the same outcome."""
    run = patiently(lambda: TaskRun.objects.select_related("call", "owner").get(pk=work.run.pk))
    try:
        result = patiently(lambda: calls.result_of(run))
    except InvalidTask as error:
        raise TaskFailed(str(error), code="no_such_task") from error
    task_started.send(type(result.task.get_backend()), task_result=result)
    try:
        with owned_by(run.owner):
            value = _call(result, work)
        try:
            return normalize_json(value)
        except (TypeError, ValueError) as error:
            raise TaskFailed(f"The return value is not JSON: {error}", code="bad_result") from error
    except (Cancelled, Fenced):
        raise
    except Exception as error:
        _note(run, error, attempt=work.attempt)
        raise


def _call(result: TrackedResult, work: Work) -> Any:
    context = [TrackedContext(task_result=result, work=work)] if result.task.takes_context else []
    return result.task.call(*context, *result.args, **result.kwargs)


def _note(run: TaskRun, error: Exception, *, attempt: int) -> None:
    if isinstance(error, SoftTimeLimitExceeded):
        connections.discard_all()  # the signal may have struck in the middle of a query
    trace = "".join(traceback.format_exception(error))
    patiently(lambda: calls.note_error(run, error, attempt=attempt, trace=trace))
