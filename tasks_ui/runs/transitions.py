"""The one place where a run's state changes.

Each change is a single guarded UPDATE whose row count decides who won, with its event and, at the
end, its result in the same transaction. Locks are taken parent first, then child, then the
admission locks of owners (``dispatch.admitting``), so that fan-in, cancel and admission can't
deadlock.
"""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce, Greatest, Now

from tasks_ui import kinds, publisher
from tasks_ui.models import ACTIVE, FINAL, PausedQueue, State, TaskEvent, TaskRun
from tasks_ui.models.states import VERBS
from tasks_ui.runs import dispatch, log_context, results, statements, wakeup
from tasks_ui.runs.results import Outcome
from tasks_ui.runs.statements import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Unpack
    from uuid import UUID

    from tasks_ui.runs.fields import CancelRequest, Changes, RunFields
    from tasks_ui.runs.statements import Sql

NEXT: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.STARTED, State.REVOKED}),
    State.STARTED: frozenset(
        {State.PROGRESS, State.SUCCESS, State.FAILURE, State.RETRY, State.CANCELLING}
    ),
    State.PROGRESS: frozenset({State.SUCCESS, State.FAILURE, State.RETRY, State.CANCELLING}),
    State.RETRY: frozenset({State.STARTED, State.CANCELLING, State.REVOKED}),
    State.CANCELLING: frozenset({State.REVOKED}),
    State.SUCCESS: frozenset(),
    State.FAILURE: frozenset(),
    State.REVOKED: frozenset(),
}
"""Which state may follow which: the diagram of ``TaskRun``."""

NEXT_SEQ = {"last_seq": F("last_seq") + 1}


class Cancelled(Exception):
    """Someone asked for this run to end. Let it pass through."""


class Fenced(Exception):
    """The run is no longer this attempt's: it was taken over or is finished. Let it pass
    through."""


def create_run(**fields: Unpack[RunFields]) -> TaskRun:
    """Write a PENDING run with its first event, and send its message once this is committed.

    Raises IntegrityError if the owner has used ``idempotency_key`` before.
    """
    with dispatch.admitting():
        run = TaskRun(last_seq=1, **fields)
        _publish(run, statements.insert(run, type=f"task.{VERBS[State.PENDING]}"))
        dispatch.admit(run.owner_id, run.queue)
    log_context.note_started(run)
    return run


def create_children(
    parent: TaskRun, *, attempt: int, stage: str, make: Callable[[], list[TaskRun]]
) -> list[TaskRun]:
    """Write the children of one stage, once, and send their messages; returns those of an earlier
    try if there are any.

    ``make`` returns the unsaved children and may write rows of its own: all is one transaction
    under the parent's lock. If the parent is in the priority queue, they are too. Raises Cancelled
    or Fenced if ``attempt`` may no longer act for the parent.
    """
    with dispatch.admitting():
        locked = lock(parent)
        if locked.cancel_requested_at:
            raise Cancelled
        if locked.attempt != attempt or locked.state in FINAL:
            raise Fenced
        if TaskEvent.objects.filter(task=parent, type="stage.started", data__stage=stage).exists():
            return list(TaskRun.objects.filter(parent=parent, stage=stage))
        children = make()
        for child in children:
            child.parent, child.owner_id, child.stage, child.last_seq = (
                parent,
                parent.owner_id,
                stage,
                1,
            )
            if locked.queue == dispatch.PRIORITY:
                child.queue = dispatch.PRIORITY
        TaskRun.objects.bulk_create(children)
        queued = f"task.{VERBS[State.PENDING]}"
        TaskEvent.objects.bulk_create(
            TaskEvent(task=child, seq=1, type=queued, data=state_data(child)) for child in children
        )
        emit(
            parent,
            "stage.started",
            {"stage": stage, "children": [child_data(child) for child in children]},
            attempt=attempt,
        )
        for queue in {child.queue for child in children}:
            dispatch.admit(parent.owner_id, queue)
    return children


def transition(
    run: TaskRun,
    to: State,
    *,
    attempt: int | None = None,
    when: Q | None = None,
    outcome: Outcome | None = None,
    save: Callable[[], object] | None = None,
    **changes: Unpack[Changes],
) -> TaskRun | None:
    """Move ``run`` to ``to``; returns the row as it is now, or None if someone else got there
    first.

    ``attempt`` is the writer's fence: the write is refused once a later attempt has begun. ``when``
    is one more guard. ``save`` writes the work's effects in the same transaction, so that they
    exist exactly if the change does. A failed run's children are cancelled with it.
    """
    with dispatch.admitting():
        if run.parent_id:
            lock_pk(run.parent_id)
        fresh = _move(run.pk, to, attempt=attempt, when=when, outcome=outcome, changes=changes)
        if fresh is None:
            return None
        if save is not None:
            save()
        if to in FINAL and (on_final := kinds.get(fresh.kind).on_final):
            on_final(fresh)
        if to == State.FAILURE:
            cancel_children(fresh)
        if fresh.parent_id:
            _tell_parent(fresh, fresh.parent_id)
        if to in FINAL and fresh.parent_id:
            fan_in(fresh.parent_id)
        if to in FINAL or to == State.RETRY:
            dispatch.admit(fresh.owner_id, fresh.queue)
    return fresh


def claim(run_id: Any, *, attempt: int, worker: str) -> TaskRun | None:
    """Take the run for this worker, or return None: it is taken, finished, cancelled, or not due.

    ``attempt`` is the row's attempt at the time the message was sent. A waiting run starts its next
    attempt; a parent whose children are all final resumes within its attempt. Both are starts,
    which a paused queue refuses: the run then waits in the database until the queue is resumed.
    """
    changes: Changes = {**_claimed(settings.TASKS_LEASE_S), "worker": worker}
    # without a parent to lock and tell, one statement is all
    started = _move(run_id, State.STARTED, attempt=attempt, is_startable=True, changes=changes)
    if started is not None:
        return started
    run = TaskRun.objects.filter(pk=run_id).first()
    if run is None:
        return None
    if run.state == State.PROGRESS:
        ready = TaskRun.objects.filter(
            _ready_parent(), ~PausedQueue.of_run(), pk=run.pk, attempt=attempt
        )
        resumed = ready.update(
            lease_until=changes["lease_until"], worker=worker, rings=0, rung_at=None
        )
        if resumed:
            return TaskRun.objects.get(pk=run.pk)
    elif run.parent_id:
        started = transition(run, State.STARTED, attempt=attempt, when=_may_start(), **changes)
    if started is None:
        _leave_waiting(run, attempt=attempt)
    return started


def retry_at(
    run: TaskRun,
    *,
    attempt: int,
    delay_s: float,
    error: str,
    when: Q | None = None,
    more_attempts: int = 0,
) -> TaskRun | None:
    """Let the run wait for its next attempt; the reconciler sends a message when it is due."""
    changes: Changes = {
        "next_retry_at": Now() + timedelta(seconds=delay_s),
        "lease_until": None,
        "rings": 0,
        "rung_at": None,
        "error": error,
    }
    if more_attempts:
        changes["max_attempts"] = F("max_attempts") + more_attempts
    return transition(run, State.RETRY, attempt=attempt, when=when, **changes)


def wait_for_children(run: TaskRun, *, attempt: int, message: str) -> bool:
    """Release the run until all its children are final. False if this attempt no longer owns the
    run."""
    with dispatch.admitting():
        if run.state == State.STARTED:
            transition(run, State.PROGRESS, attempt=attempt, message=message)
        held = TaskRun.objects.filter(
            pk=run.pk,
            attempt=attempt,
            state__in=[State.PROGRESS, State.CANCELLING],
            lease_until__isnull=False,
        )
        if not held.update(lease_until=None, message=message):
            return False
        fan_in(run.pk)
        dispatch.admit(run.owner_id, run.queue)
    return True


def confirm_cancelled(run: TaskRun, *, attempt: int) -> bool:
    """The work of this attempt has stopped: it becomes REVOKED now, or with the last child that is
    still running."""
    with dispatch.admitting():
        if run.parent_id:
            lock_pk(run.parent_id)
        held = TaskRun.objects.filter(pk=run.pk, attempt=attempt, state=State.CANCELLING)
        if not held.update(lease_until=None):
            return False
        fan_in(run.pk)
        dispatch.admit(run.owner_id, run.queue)
    return True


def cancel_children(parent: TaskRun, **asked: Unpack[CancelRequest]) -> None:
    """Cancel every child of a locked run that is not final yet: nothing waits for them any more."""
    asked = {"cancel_requested_at": Now(), **asked}
    children = list(
        TaskRun.objects.select_for_update(no_key=True)
        .filter(parent=parent, state__in=ACTIVE)
        .order_by("pk")
    )
    for child in children:
        waits = child.state in {State.PENDING, State.RETRY}
        transition(child, State.REVOKED if waits else State.CANCELLING, **asked)
    if woken := [child.pk for child in children]:
        transaction.on_commit(lambda: wakeup.ring(woken), robust=True)


def fan_in(parent_id: Any) -> None:
    """Let the parent resume, or complete its cancellation, once its last child is final. Locks the
    parent."""
    lock_pk(parent_id)
    parent = TaskRun.objects.get(pk=parent_id)
    if TaskRun.objects.filter(parent_id=parent_id, state__in=ACTIVE).exists():
        return
    if parent.state == State.CANCELLING and parent.lease_until is None:
        transition(parent, State.REVOKED)
    elif parent.state == State.PROGRESS and parent.lease_until is None:
        dispatch.ring_on_commit(parent)


def write_progress(run: TaskRun, *, attempt: int, current: int, total: int, message: str) -> bool:
    """Store a running attempt's progress, and its share of the parent's. False if it is not
    running."""
    if run.state == State.STARTED:
        moved = transition(
            run,
            State.PROGRESS,
            attempt=attempt,
            current=current,
            total=max(1, total),
            message=message[:300],
        )
        return moved is not None
    fields = {"current": current, "total": max(1, total), "message": message[:300]}
    return bool(
        TaskRun.objects.filter(pk=run.pk, attempt=attempt, state=State.PROGRESS).update(**fields)
    )


def write_parent_progress(parent_id: Any) -> TaskRun | None:
    """Store the weighted sum of the children as the parent's percent, never less than before.
    Returns the parent."""
    share = percent_of_children(TaskRun.objects.filter(parent_id=parent_id))
    TaskRun.objects.filter(pk=parent_id, state__in=ACTIVE).update(
        current=Greatest(F("current"), share)
    )
    return TaskRun.objects.filter(pk=parent_id).first()


def percent_of_children(children: Iterable[TaskRun]) -> int:
    """The sum of weight x share done, rounded down, at most 99. Weights are percent of the parent.

    Failed and cancelled children count as far as they got.
    """
    done = sum(child.weight * child.share for child in children)
    return min(99, int(done + 1e-6))


def emit(run: TaskRun, type: str, data: dict[str, Any], *, attempt: int | None) -> TaskEvent:
    """Append a durable event to the log of a run that isn't final; it is published once committed.

    ``attempt`` is the writer's fence, None for a writer that isn't an attempt at ``run``. Raises
    Fenced if a later attempt has begun or the run is final.
    """
    guard = Q(pk=run.pk, state__in=ACTIVE)
    if attempt is not None:
        guard &= Q(attempt=attempt)
    written = statements.update(
        statements.change(TaskRun.objects.filter(guard), NEXT_SEQ),
        type=type,
        data=("%s::jsonb", [_json(data)]),
    )
    if written is None:
        raise Fenced
    fresh, event = written
    _publish(fresh, event)
    return event


def finish_stage(
    run: TaskRun, *, attempt: int, stage: str, percent: int, data: dict[str, Any]
) -> None:
    """Record, once, that a stage of a parent is done and that the parent has reached
    ``percent``."""
    with transaction.atomic():
        locked = lock(run)
        if locked.attempt != attempt or locked.state in FINAL:
            raise Fenced
        if TaskEvent.objects.filter(task=run, type="stage.finished", data__stage=stage).exists():
            return
        TaskRun.objects.filter(pk=run.pk).update(current=Greatest(F("current"), percent))
        emit(
            run,
            "stage.finished",
            {"stage": stage, "parent_current": max(locked.current, percent), **data},
            attempt=attempt,
        )


def lock(run: TaskRun) -> TaskRun:
    """Lock the row until the transaction's end and return it as it is."""
    return TaskRun.objects.select_for_update(no_key=True).get(pk=run.pk)


def lock_pk(pk: Any) -> None:
    TaskRun.objects.select_for_update(no_key=True).filter(pk=pk).values_list("pk").first()


def child_data(child: TaskRun) -> dict[str, Any]:
    """A child's data in its parent's events."""
    about = {
        "task_id": str(child.pk),
        "kind": child.kind,
        "title": child.title,
        "stage": child.stage,
    }
    return {**about, "weight": child.weight, **state_data(child)}


def state_data(run: TaskRun) -> dict[str, Any]:
    """A run's data in its state events: enough to draw it without another query."""
    return {
        "state": str(run.state),
        "attempt": run.attempt,
        "max_attempts": run.max_attempts,
        "current": run.total if run.state == State.SUCCESS else run.current,
        "total": run.total,
        "message": run.message,
        "worker": run.worker,
        "next_retry_at": run.next_retry_at.isoformat() if run.next_retry_at else None,
        "error_code": run.error_code,
        "error": run.error,
    }


def _may_start() -> Q:
    is_due = Q(next_retry_at=None) | Q(next_retry_at__lte=Now())
    return Q(cancel_requested_at=None) & is_due & Q(~PausedQueue.of_run())


@cache
def _claimed(lease_s: float) -> Changes:
    """What a claim changes. Built once, so that its statement is found again."""
    return {
        "lease_until": Now() + timedelta(seconds=lease_s),
        "started_at": Coalesce("started_at", Now()),
        "next_retry_at": None,
        "rings": 0,
        "rung_at": None,
        "current": 0,
        "message": "",
    }


def _move(
    run_id: Any,
    to: State,
    *,
    attempt: int | None,
    when: Q | None = None,
    is_startable: bool = False,
    outcome: Outcome | None = None,
    changes: Mapping[str, Any],
) -> TaskRun | None:
    """The guarded UPDATE, with its event and, for a final state, its result: one statement.

    ``is_startable`` guards a start: the run is due, not paused, and has no parent.
    """
    result = None
    if to in FINAL:
        words = {key: changes[key] for key in ("error", "error_code") if key in changes}
        result = results.archived(to, outcome or Outcome(), **words)
    changes = {"state": to, **NEXT_SEQ, **_ALWAYS.get(to, {}), **changes}
    values = {name: value for name, value in changes.items() if _is_parameter(value)}
    fixed = tuple((name, None if name in values else value) for name, value in changes.items())
    compiled = _change if when is None else _change.__wrapped__
    moved = statements.update(
        compiled(to, fixed, frozenset(values), attempt is not None, is_startable, when),
        {"id": run_id, "attempt": attempt, **values},
        type=f"task.{VERBS[to]}",
        also=result,
    )
    if moved is None:
        return None
    _publish(*moved)
    return moved[0]


_ENDED: dict[str, Any] = {"finished_at": Now(), "lease_until": None, "next_retry_at": None}
_ALWAYS: dict[State, dict[str, Any]] = {
    State.STARTED: {"attempt": F("attempt") + 1},
    State.SUCCESS: _ENDED,
    State.FAILURE: _ENDED,
    State.REVOKED: {**_ENDED, "message": "Cancelled"},
}
"""What a change to a state always sets, unless it says otherwise."""


def _is_parameter(value: Any) -> bool:
    """Whether a value is bound when the statement is run; others are part of it."""
    return not (value is None or isinstance(value, State) or hasattr(value, "resolve_expression"))


@lru_cache(maxsize=100)
def _change(
    to: State,
    fixed: tuple[tuple[str, Any], ...],
    parameters: frozenset[str],
    is_fenced: bool,
    is_startable: bool,
    when: Q | None,
) -> Sql:
    """The UPDATE of ``_move``, compiled once for those changes that are made again and again."""
    sources = [state for state, nexts in NEXT.items() if to in nexts]
    guard = Q(pk=Parameter("id"), state__in=sources)
    if is_fenced:
        guard &= Q(attempt=Parameter("attempt"))
    if is_startable:
        guard &= _may_start() & Q(parent=None)
    if when is not None:
        guard &= when
    changes = {name: Parameter(name) if name in parameters else value for name, value in fixed}
    return statements.change(TaskRun.objects.filter(guard), changes)


def _publish(run: TaskRun, event: TaskEvent) -> None:
    transaction.on_commit(lambda: publisher.publish_event(run, event), robust=True)


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, cls=DjangoJSONEncoder)


def _tell_parent(child: TaskRun, parent_id: UUID) -> None:
    """Append the child's change to its parent's log, so that readers need only that log. The parent
    is locked."""
    share = percent_of_children(TaskRun.objects.filter(parent_id=parent_id))
    with_parent = "%s::jsonb || jsonb_build_object('parent_current', current)"
    parent = TaskRun.objects.filter(pk=parent_id, state__in=ACTIVE)
    told = statements.update(
        statements.change(parent, {**NEXT_SEQ, "current": Greatest(F("current"), share)}),
        type=f"child.{VERBS[State(child.state)]}",
        data=(with_parent, [_json(child_data(child))]),
    )
    if told is not None:
        _publish(*told)


def _leave_waiting(run: TaskRun, *, attempt: int) -> None:
    """Mark a run that its paused queue refused as not sent: there is no message for it now."""
    held_up = TaskRun.objects.filter(
        PausedQueue.of_run(), pk=run.pk, attempt=attempt, lease_until=None
    )
    held_up.filter(state__in=[State.PENDING, State.RETRY, State.PROGRESS]).update(
        rings=0, rung_at=None
    )


def _ready_parent() -> Q:
    unfinished = TaskRun.objects.filter(parent_id=OuterRef("pk"), state__in=ACTIVE)
    return Q(~Exists(unfinished), state=State.PROGRESS, lease_until=None, cancel_requested_at=None)
