"""What people and programs can do with a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django_celery_results.models import TaskResult

from tasks_ui import kinds
from tasks_ui.kinds import CannotRunAgainError
from tasks_ui.models import ACTIVE, FINAL, RUNNING, State, TaskRun, TaskRunQuerySet
from tasks_ui.runs import dispatch, wakeup
from tasks_ui.runs.transitions import cancel_children, emit, fan_in, lock, lock_pk, transition

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

    from tasks_ui.runs.fields import CancelRequest


def request_cancel(run: TaskRun, *, by: AbstractBaseUser | None) -> TaskRun:
    """Ask a run and its children to end; returns the row as it is then. A finished run stays as it
    is.

    Waiting runs are REVOKED immediately and never start. Active ones are CANCELLING until their
    worker, or the reconciler if the worker is gone, confirms that the work has stopped.
    """
    asked: CancelRequest = {"cancel_requested_at": Now(), "cancel_requested_by": by}
    with dispatch.admitting():
        if run.parent_id:
            lock_pk(run.parent_id)
        locked = lock(run)
        has_children = TaskRun.objects.filter(parent=run, state__in=ACTIVE).exists()
        if locked.state in RUNNING or (locked.state == State.RETRY and has_children):
            transition(locked, State.CANCELLING, **asked)
        elif locked.state in {State.PENDING, State.RETRY}:
            transition(locked, State.REVOKED, **asked)
        cancel_children(run, **asked)
        fan_in(run.pk)
        transaction.on_commit(lambda: wakeup.ring([run.pk]), robust=True)
    return TaskRun.objects.get(pk=run.pk)


def cancel_all(runs: TaskRunQuerySet, *, by: AbstractBaseUser | None) -> None:
    """Cancel every run that matches and isn't final, including those that another queues while it
    ends."""
    unasked = runs.active().filter(cancel_requested_at=None).order_by("pk")
    while found := list(unasked.all()):  # all(): a queryset that was read once never reads again
        for run in found:
            request_cancel(run, by=by)


def run_again(run: TaskRun, *, by: AbstractBaseUser, only_failed: bool = False) -> TaskRun:
    """Repeat the work of a finished run, as a new run that belongs to ``by`` and is linked to the
    old one.

    ``only_failed`` repeats only the parts that failed. Raises CannotRunAgainError.
    """
    kind = kinds.find(run.kind)
    if kind is None or kind.run_again is None:
        raise CannotRunAgainError(
            "This kind of task can't be run again on its own. Run its parent task again."
        )
    if not run.is_final:
        raise CannotRunAgainError("It has not finished. Cancel it first, or wait until it ends.")
    return kind.run_again(run, by, only_failed=only_failed)


def expedite(run: TaskRun, *, by: AbstractBaseUser) -> bool:
    """Move a waiting run to the queue that has its own worker. False if it isn't waiting, or is
    already there.

    An earlier message may still start it from its old queue. Children that it creates later follow
    it.
    """
    with dispatch.admitting():
        waiting = TaskRun.objects.filter(pk=run.pk, state=State.PENDING).exclude(
            queue=dispatch.PRIORITY
        )
        if not waiting.update(queue=dispatch.PRIORITY, rung_at=None, rings=0):
            return False
        emit(
            run,
            "task.expedited",
            {"by": by.get_username(), "from_queue": run.queue, "queue": dispatch.PRIORITY},
            attempt=None,
        )
        for queue in (dispatch.PRIORITY, run.queue):
            dispatch.admit(run.owner_id, queue)
    return True


def forget(run: TaskRun) -> bool:
    """Delete a finished task with its parts, events and results; its findings stay. False if not
    finished."""
    with transaction.atomic():
        lock_pk(run.pk)  # the parent before its children, as in transitions
        family = TaskRun.objects.filter(Q(pk=run.pk) | Q(parent_id=run.pk))
        ids = [str(pk) for pk in family.values_list("pk", flat=True)]
        if not TaskRun.objects.filter(pk=run.pk, parent=None, state__in=FINAL).delete()[0]:
            return False
        TaskResult.objects.filter(task_id__in=ids).delete()
    return True
