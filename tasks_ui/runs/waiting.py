"""How long it may still take: the place in the queue, and the time left as a range."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone

from tasks_ui.models import PausedQueue, State, TaskRun, Worker

if TYPE_CHECKING:
    from datetime import datetime

LOOKED_AT = 1000
"""Places in a queue are counted so far; beyond, "1,000 and more are before it" would help nobody.
"""
LEAST_PERCENT = 5
LEAST_PERCENT_ALONE = 20
"""Without earlier runs to compare with, a rate says something only later."""
LEAST_S = 3.0
REMEMBERED = 20
LEAST_REMEMBERED = 3
Bounds = tuple[float, float]
NBSP, DASH = "\N{NO-BREAK SPACE}", "\N{EN DASH}"


def places(runs: Sequence[TaskRun]) -> dict[UUID, int]:
    """By run: 1 + the number of anyone's runs that have waited longer in the same queue. One query
    per queue.

    Ids are in order of time (UUID version 7, RFC 9562). This is the order of arrival: if someone
    else has more waiting than their window allows, a run may start earlier than its place suggests.
    """
    queues = {run.queue for run in runs if run.state == State.PENDING and run.parent_id is None}
    found: dict[UUID, int] = {}
    for queue in queues:
        waiting = TaskRun.objects.filter(parent=None, state=State.PENDING, queue=queue).order_by(
            "id"
        )
        waiting = waiting.exclude(next_retry_at__gt=Now())  # those are for later
        ids = waiting.values_list("pk", flat=True)[:LOOKED_AT]
        found |= {pk: place for place, pk in enumerate(ids, start=1)}
    return {run.pk: found[run.pk] for run in runs if run.pk in found}


def place_words(place: int) -> str:
    """``Next in the queue``, ``2nd in the queue``, ``11th ...``, ``23rd ...``."""
    if place == 1:
        return "Next in the queue"
    ending = (
        "th" if place % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    )
    return f"{place:,}{ending} in the queue"


def trouble(runs: Sequence[TaskRun]) -> str:
    """Why waiting runs don't start, in a sentence; "" if nothing waits or nothing is wrong."""
    queues = {run.queue for run in runs if run.state == State.PENDING}
    if not queues:
        return ""
    paused = sorted(PausedQueue.objects.filter(name__in=queues).values_list("name", flat=True))
    if paused:
        names = " and ".join(f"“{name}”" for name in paused)
        return (
            f"The queue{'s' if len(paused) > 1 else ''} {names}"
            f" {'are' if len(paused) > 1 else 'is'} paused by an operator. Waiting runs start"
            " when it is resumed."
        )
    seen = list(Worker.objects.filter(stopped_at=None))
    if seen and not any(worker.is_up for worker in seen):
        last = max(worker.last_seen_at for worker in seen)
        return (
            "No worker has responded for"
            f" {int((timezone.now() - last).total_seconds())}{NBSP}s. Runs are waiting."
        )
    return ""


def usual_times(runs: Sequence[TaskRun]) -> dict[str, Bounds]:
    """By kind: how long the owner's last successful runs took, in seconds, without the shortest and
    longest tenth. One query per kind with an active run; no entry for a kind with fewer than three
    successes."""
    at_work = {(run.kind, run.owner_id) for run in runs if run.state == State.PROGRESS}
    found: dict[str, Bounds] = {}
    for kind, owner_id in at_work:
        done = TaskRun.objects.filter(owner=owner_id, kind=kind, state=State.SUCCESS, parent=None)
        times = done.order_by("-id").values_list("started_at", "finished_at")[:REMEMBERED]
        took = sorted((end - start).total_seconds() for start, end in times if start and end)
        if len(took) >= LEAST_REMEMBERED:
            found[kind] = took[len(took) // 10], took[-1 - len(took) // 10]
    return found


def left(
    run: TaskRun, now: datetime | None = None, *, usual: Bounds | None = None
) -> Bounds | None:
    """The seconds left, at least and at most; None while there is no rate to base them on.

    With the share p of the work done in e seconds, e * (1 - p) / p are left at the mean rate so
    far. That rate was measured on k = 100 p units, so its relative error is taken as 2 / sqrt(k):
    two standard errors of a count that is Poisson distributed, which is rough, as units differ in
    length. ``usual``, the time that such runs took, narrows the range; if the two don't overlap, it
    prevails up to 20 percent, and the rate from there on. Given from 3 seconds and 5 percent on,
    without ``usual`` from 20 percent; and only for a first attempt, as a later one starts over.
    """
    if run.state != State.PROGRESS or run.started_at is None or run.attempt > 1 or not run.total:
        return None
    elapsed = ((now or timezone.now()) - run.started_at).total_seconds()
    share = min(0.99, run.current / run.total)
    is_early = 100 * share < LEAST_PERCENT_ALONE
    if 100 * share < LEAST_PERCENT or elapsed < LEAST_S or (is_early and not usual):
        return None
    mean, error = elapsed * (1 - share) / share, 2 / sqrt(100 * share)
    by_rate = mean * (1 - error), mean * (1 + error)
    if usual is None:
        return by_rate
    by_others = max(0.0, usual[0] - elapsed), usual[1] - elapsed
    low, high = max(by_rate[0], by_others[0]), min(by_rate[1], by_others[1])
    if low <= high:
        return low, high
    if is_early:
        return by_others if by_others[1] > 0 else None
    return by_rate


def left_words(run: TaskRun, now: datetime | None = None, *, usual: Bounds | None = None) -> str:
    """``20-35 s left``, ``up to 10 s left``, ``1-3 min left``, rounded outwards to 5 s, minutes or
    hours; or ""."""
    bounds = left(run, now, usual=usual)
    if bounds is None:
        return ""
    low, high = bounds
    step, size, unit = (
        (5, 1, "s") if high <= 90 else (60, 60, "min") if high <= 5400 else (3600, 3600, "h")
    )
    least, most = int(low // step) * step // size, ceil(high / step) * step // size
    return (
        f"{least}{DASH}{most}{NBSP}{unit} left" if least > 0 else f"up to {most}{NBSP}{unit} left"
    )
