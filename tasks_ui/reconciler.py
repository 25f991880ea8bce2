"""Ensures that nothing gets stuck: sweeps look for rows that nobody is moving, and move them.

Any number of copies may run: rows are taken with SKIP LOCKED and every change is a guarded
transition. Decisions need only the database; the broker just carries messages.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import Case, Exists, F, FloatField, OuterRef, Q, Value, When
from django.db.models.functions import Extract, Least, Now, Power

from tasks_ui.models import ACTIVE, RUNNING, PausedQueue, State, TaskRun
from tasks_ui.runs import dispatch, tallies, trends
from tasks_ui.runs.patience import DATABASE_ERRORS
from tasks_ui.runs.transitions import confirm_cancelled, fan_in, lock_pk, retry_at, transition

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

BATCH = 200
EVERY_S = 1.0
RING_AGAIN_S = 10
"""A message is looked for no sooner than this after it was sent."""
SEEN_EVERY_S = 5.0
"""How often the reconciler leaves word in the database that it sweeps."""
FOLD_EVERY_S = 60.0
LOST, UNCONFIRMED, UNHEARD = (
    "taken back from lost workers",
    "cancels confirmed",
    "rung for again",
)
RING_ANYWAY_S = 15
"""A run rung for n times is rung for after this x 2^n (30 s, a minute, ... four), whatever its
queue looks like. That floods nothing: of each owner a window of runs is in a queue at most."""


def reconcile_for_ever(*, on_turn: Callable[[], None] = lambda: None) -> None:
    """Sweep once a second, and survive database outages. ``on_turn`` is called each time."""
    keeping_count = _KeepingCount()
    while True:
        started = time.monotonic()
        on_turn()
        try:
            if moved := +reconcile():
                logger.info(
                    "Reconciled: %s", ", ".join(f"{count} {what}" for what, count in moved.items())
                )
            keeping_count.after_sweep(started)
        except DATABASE_ERRORS as error:
            logger.warning("The database is unreachable: %s", error)
            connection.close()
        time.sleep(max(0.0, EVERY_S - (time.monotonic() - started)))


class _KeepingCount:
    """What the metrics and the operators' charts need from the reconciler besides its sweeps."""

    def __init__(self) -> None:
        self._sweeps, self._seen_at, self._folded_at, self._sampled_at = 0, 0.0, 0.0, 0.0

    def after_sweep(self, now: float) -> None:
        self._sweeps += 1
        if now >= self._seen_at + SEEN_EVERY_S:
            tallies.add(tallies.SWEEPS, value=self._sweeps)
            self._sweeps, self._seen_at = 0, now
        if now >= self._folded_at + FOLD_EVERY_S:
            tallies.fold()
            trends.fold()
            self._folded_at = now
        if now >= self._sampled_at + trends.SAMPLE_EVERY_S:
            trends.sample()
            self._sampled_at = now


def reconcile(*, dry_run: bool = False) -> Counter[str]:
    """One sweep. Returns how many runs each rule moved, or with ``dry_run`` would have moved."""
    rules = {
        LOST: (lost(), take_back),
        UNCONFIRMED: (cancelled_but_not_confirmed(), confirm),
        UNHEARD: (unheard(), ring),
    }
    moved: Counter[str] = Counter()
    for what, (found, move) in rules.items():
        moved[what] = found.count() if dry_run else _each(found, move)
        if moved[what] and not dry_run:
            tallies.add(tallies.RECONCILED, what, moved[what])
    if not dry_run:
        let_in_the_waiting()
    return moved


def let_in_the_waiting() -> None:
    """Admit runs whose owner's window has room, for every owner with waiting runs."""
    owners = dispatch.waiting().order_by("owner_id", "queue").values_list("owner_id", "queue")
    for owner_id, queue in owners.distinct():
        dispatch.admit(owner_id, queue)


def lost() -> QuerySet[TaskRun]:
    """Runs whose worker stopped renewing its lease."""
    return TaskRun.objects.filter(state__in=[*RUNNING, State.CANCELLING], lease_until__lt=Now())


def cancelled_but_not_confirmed() -> QuerySet[TaskRun]:
    """Cancelled parents that no worker holds and whose children are all final."""
    return TaskRun.objects.filter(state=State.CANCELLING, lease_until=None).exclude(
        _has_active_children()
    )


def unheard() -> QuerySet[TaskRun]:
    """Runs that could start now but whose message seems to be lost.

    A message is presumed lost when a run that was queued after it was sent has started (queues are
    first in, first out), or when nothing in its queue is running or has started recently. A long
    queue that is moving is left alone, and so is a paused one.
    """
    due = (
        Q(state=State.PENDING, rung_at__isnull=False)
        | Q(state=State.RETRY, next_retry_at__lte=Now(), rung_at__isnull=False)
        | (Q(state=State.PROGRESS, lease_until=None) & ~_has_active_children())
    )
    same_queue = TaskRun.objects.filter(queue=OuterRef("queue"))
    overtaken = Exists(
        same_queue.filter(queued_at__gt=OuterRef("rung_at"), started_at__isnull=False)
    )
    recently = Now() - timedelta(seconds=RING_AGAIN_S)
    moving = Exists(same_queue.filter(Q(lease_until__gt=Now()) | Q(started_at__gt=recently)))
    patience_s = RING_ANYWAY_S * Power(Value(2.0), Least(F("rings"), Value(4)))
    waited_s = Extract(Now() - F("rung_at"), "epoch")
    return (
        TaskRun.objects.filter(due)
        .exclude(PausedQueue.of_run())
        .alias(
            waited_s=Case(
                When(rung_at=None, then=Value(1e9)), default=waited_s, output_field=FloatField()
            )
        )
        .alias(patience_s=patience_s)
        .filter(
            Q(rung_at=None)
            | Q(waited_s__gt=F("patience_s"))
            | (Q(waited_s__gt=RING_AGAIN_S) & (overtaken | ~moving))
        )
    )


def take_back(run: TaskRun) -> bool:
    """Let a lost run wait for its next attempt, or fail it if its attempts are used up."""
    if run.state == State.CANCELLING:
        return confirm_cancelled(run, attempt=run.attempt)
    still_lost = Q(lease_until__lt=Now())
    if run.attempt < run.max_attempts:
        return bool(
            retry_at(
                run, attempt=run.attempt, delay_s=0, error="The worker was lost.", when=still_lost
            )
        )
    words = (
        f"The worker was lost {run.attempt} times." if run.attempt > 1 else "The worker was lost."
    )
    failed = transition(
        run,
        State.FAILURE,
        attempt=run.attempt,
        when=still_lost,
        error_code="worker_lost",
        error=words,
    )
    return failed is not None


def confirm(run: TaskRun) -> bool:
    fan_in(run.pk)
    return True


def ring(run: TaskRun) -> bool:
    """Send a message for a run, and record it if the broker accepted it."""
    if not dispatch.send(run.pk, kind=run.kind, queue=run.queue, attempt=run.attempt):
        raise BrokerAway
    TaskRun.objects.filter(pk=run.pk).update(rung_at=Now(), rings=F("rings") + 1)
    return True


class BrokerAway(Exception):
    """The broker accepts no messages now; there is no point in trying the rest of the batch."""


def _each(found: QuerySet[TaskRun], move: Callable[[TaskRun], bool]) -> int:
    moved = 0
    for pk, parent_id in found.order_by("pk").values_list("pk", "parent_id")[:BATCH]:
        with dispatch.admitting():
            if parent_id:
                lock_pk(parent_id)
            run = (
                found.filter(pk=pk)
                .select_for_update(skip_locked=True, no_key=True, of=("self",))
                .first()
            )
            if run is None:
                continue
            try:
                moved += move(run)
            except BrokerAway:
                return moved
    return moved


def _has_active_children() -> Exists:
    return Exists(TaskRun.objects.filter(parent_id=OuterRef("pk"), state__in=ACTIVE))
