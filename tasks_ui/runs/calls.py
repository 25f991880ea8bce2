"""Runs of ``django.tasks``: from a task and its arguments to a run, and from a run to Django's
result."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.tasks.base import Task, TaskError, TaskResult, TaskResultStatus
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
from django.tasks.signals import task_enqueued, task_finished
from django.utils.json import normalize_json
from django.utils.module_loading import import_string
from django_celery_results.models import TaskResult as Archived

from tasks_ui.kinds import CannotRunAgainError, RunFacts, TaskKind, register
from tasks_ui.models import State, TaskCall, TaskEvent, TaskRun
from tasks_ui.runs.services import request_cancel
from tasks_ui.runs.transitions import create_run, lock

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

logger = logging.getLogger(__name__)

TRACE_LENGTH = 20_000
STATUS = {
    State.PENDING: TaskResultStatus.READY,
    State.RETRY: TaskResultStatus.READY,
    State.STARTED: TaskResultStatus.RUNNING,
    State.PROGRESS: TaskResultStatus.RUNNING,
    State.CANCELLING: TaskResultStatus.RUNNING,
    State.SUCCESS: TaskResultStatus.SUCCESSFUL,
    State.FAILURE: TaskResultStatus.FAILED,
    State.REVOKED: TaskResultStatus.FAILED,
}
"""A retry that waits is "ready to be executed again". Who is cancelled still runs until that is
confirmed, and has failed then: the interface knows no third end."""
_EXPIRED = object()


class ResultExpired(ValueError):
    """The task succeeded, but its return value is past the retention of results."""


class TrackedResult(TaskResult):  # type: ignore[type-arg]
    """Django's result, plus the run, which has everything that Django's interface lacks."""

    __slots__ = ()

    @property
    def run(self) -> TaskRun:
        """The run as it is now: its state, progress, message and owner."""
        return TaskRun.objects.get(pk=self.id)

    @property
    def return_value(self) -> Any:
        value = super().return_value
        if value is _EXPIRED:
            raise ResultExpired("The return value is past the retention of results.")
        return value

    def cancel(self, *, by: AbstractBaseUser | None = None) -> TaskRun:
        """Ask the task to stop; see ``request_cancel``."""
        return request_cancel(self.run, by=by)


def enqueue(
    task: Task[..., Any],
    *,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    backend: str,
    owner: Any,
) -> TrackedResult:
    """Write a run and its call in one transaction. Raises TypeError if an argument is not JSON."""
    title = getattr(task, "title", "") or task.name.replace("_", " ").capitalize()
    call = TaskCall(
        path=task.module_path,
        args=normalize_json(args),
        kwargs=normalize_json(kwargs),
        backend=backend,
        run_after=task.run_after,
    )
    attempts = getattr(task, "max_attempts", None) or settings.TASKS_MAX_ATTEMPTS
    run = _create(call, owner=owner, title=title[:200], queue=task.queue_name, attempts=attempts)
    result = result_of(run)
    task_enqueued.send(type(task.get_backend()), task_result=result)
    return result


def find(result_id: str, *, backend: str) -> TrackedResult:
    """Raises TaskResultDoesNotExist."""
    try:
        return result_of(TaskRun.objects.get(pk=UUID(str(result_id)), call__backend=backend))
    except (ValueError, TaskRun.DoesNotExist):
        raise TaskResultDoesNotExist(result_id) from None


def result_of(run: TaskRun) -> TrackedResult:
    """Django's view of a run, in at most three queries. Raises InvalidTask if its function is
    gone."""
    call = run.call
    started = TaskEvent.objects.filter(task=run, type="task.started").order_by("seq")
    starts = list(started.values_list("data__worker", "created_at")) if run.started_at else []
    result = TrackedResult(
        task=_task_as_enqueued(run, call),
        id=str(run.pk),
        status=STATUS[State(run.state)],
        enqueued_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        last_attempted_at=starts[-1][1] if starts else None,
        args=call.args,
        kwargs=call.kwargs,
        backend=call.backend,
        errors=_errors(run, call),
        worker_ids=[worker for worker, _ in starts],
    )
    if run.state == State.SUCCESS:
        object.__setattr__(result, "_return_value", _return_value(run))
    return result


def function_of(path: str) -> Task[..., Any]:
    """The task at ``path``. Raises InvalidTask for anything but a function under ``@task``."""
    try:
        found = import_string(path)
    except ImportError as error:
        raise InvalidTask(f"There is no task {path}: {error}") from error
    if not isinstance(found, Task) or found.module_path != path:
        raise InvalidTask(f"{path} is not a task.")
    return found


def note_error(run: TaskRun, error: BaseException, *, attempt: int, trace: str) -> None:
    """Store an attempt's exception and traceback, unless a later attempt owns the run."""
    kind = type(error)
    entry = {
        "attempt": attempt,
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "traceback": trace[-TRACE_LENGTH:],
    }
    with transaction.atomic():
        if lock(run).attempt != attempt:
            return
        call = TaskCall.objects.get(run=run)
        call.errors.append(entry)
        call.save(update_fields=["errors"])


def run_again(task: TaskRun, by: AbstractBaseUser, *, only_failed: bool = False) -> TaskRun:
    """Run the same function with the same arguments, immediately."""
    if only_failed:
        raise CannotRunAgainError("It has no parts.")
    old = task.call
    try:
        attempts = getattr(function_of(old.path), "max_attempts", None)
    except InvalidTask as error:
        raise CannotRunAgainError(str(error)) from error
    call = TaskCall(path=old.path, args=old.args, kwargs=old.kwargs, backend=old.backend)
    attempts = attempts or settings.TASKS_MAX_ATTEMPTS
    return _create(
        call, owner=by, title=task.title, queue=task.queue, attempts=attempts, again_of=task
    )


def _create(call: TaskCall, *, owner: Any, attempts: int, **fields: Any) -> TaskRun:
    with transaction.atomic():
        run = create_run(
            owner_id=owner.pk,
            kind=CALL.name,
            max_attempts=attempts,
            next_retry_at=call.run_after,
            **fields,
        )
        call.run = run
        call.save(force_insert=True)
    return run


def _task_as_enqueued(run: TaskRun, call: TaskCall) -> Task[..., Any]:
    """``run.queue`` differs from the task's if an operator moved the run."""
    task = function_of(call.path).using(backend=call.backend)
    known = task.get_backend().queues
    queue = run.queue if not known or run.queue in known else None
    return task.using(queue_name=queue, run_after=call.run_after)


def _errors(run: TaskRun, call: TaskCall) -> list[TaskError]:
    """One per failed attempt, and one if the run ended without an exception."""
    errors = [
        TaskError(exception_class_path=entry["class"], traceback=entry["traceback"])
        for entry in call.errors
    ]
    if run.state == State.REVOKED:
        errors.append(
            TaskError(
                exception_class_path="celery.exceptions.TaskRevokedError", traceback=run.message
            )
        )
    elif run.state == State.FAILURE and not _is_noted(run, call):
        lost = run.error_code == "worker_lost"
        path = "billiard.exceptions.WorkerLostError" if lost else "builtins.RuntimeError"
        errors.append(TaskError(exception_class_path=path, traceback=run.error))
    return errors


def _is_noted(run: TaskRun, call: TaskCall) -> bool:
    return any(entry["attempt"] == run.attempt for entry in call.errors)


def _return_value(run: TaskRun) -> Any:
    row = Archived.objects.filter(task_id=str(run.pk)).values_list("result", flat=True).first()
    return _EXPIRED if row is None else json.loads(row)


def _describe(runs: Sequence[TaskRun]) -> dict[UUID, RunFacts]:
    paths = dict(TaskCall.objects.filter(run__in=runs).values_list("run_id", "path"))
    return {run.pk: RunFacts(title=run.title, note=paths.get(run.pk, "")) for run in runs}


def _finished(run: TaskRun) -> None:
    transaction.on_commit(lambda: _send_finished(run), robust=True)


def _send_finished(run: TaskRun) -> None:
    result = result_of(run)
    task_finished.send(type(result.task.get_backend()), task_result=result)


CALL = register(
    TaskKind(
        name="task",
        label="Task",
        task_name="tasks_ui.run_task",
        queue="default",
        on_final=_finished,
        describe=_describe,
        run_again=run_again,
    )
)
