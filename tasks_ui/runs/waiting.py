"""How long it may still take: the place in the queue, and the time that is left as a range."""

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
LEAST_S = 3.0
NBSP, DASH = "\N{NO-BREAK SPACE}", "\N{EN DASH}"


def places(runs: Sequence[TaskRun]) -> dict[UUID, int]:
    """By run, 1 + the runs, of anybody, that wait in the same queue since before it; one query a
    queue.

    Ids are made in order of time (UUID version 7, RFC 9562). It is the order of arrival: where
    another person has more in flight than their window allows, one's own run may start earlier than
    its place says.
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
    """Why what waits does not start, in a sentence; "" where nothing waits or nothing is wrong."""
    queues = {run.queue for run in runs if run.state == State.PENDING}
    if not queues:
        return ""
    paused = sorted(PausedQueue.objects.filter(name__in=queues).values_list("name", flat=True))
    if paused:
        names = " and ".join(f"“{name}”" for name in paused)
        return (
            f"The queue{'s' if len(paused) > 1 else ''} {names}"
            f" {'are' if len(paused) > 1 else 'is'} paused by an operator. What waits there starts"
            " when it is resumed."
        )
    seen = list(Worker.objects.filter(stopped_at=None))
    if seen and not any(worker.is_up for worker in seen):
        last = max(worker.last_seen_at for worker in seen)
        return (
            "No worker has been heard of for"
            f" {int((timezone.now() - last).total_seconds())}{NBSP}s. Runs wait."
        )
    return ""


def left(run: TaskRun, now: datetime | None = None) -> tuple[float, float] | None:
    """Seconds that are left, at least and at most; None while there is no rate to base them on.

    With the share p of the work done in e seconds, e * (1 - p) / p are left at the mean rate so
    far. That rate was measured on k = 100 p units, so its relative error is taken as 2 / sqrt(k):
    two standard errors of a count that is Poisson distributed, which is rough, as units differ in
    length. Said from 5 percent and 3 seconds on, and only of a first attempt, as a later one starts
    over.
    """
    if run.state != State.PROGRESS or run.started_at is None or run.attempt > 1 or not run.total:
        return None
    elapsed = ((now or timezone.now()) - run.started_at).total_seconds()
    share = min(0.99, run.current / run.total)
    if 100 * share < LEAST_PERCENT or elapsed < LEAST_S:
        return None
    mean, error = elapsed * (1 - share) / share, 2 / sqrt(100 * share)
    return mean * (1 - error), mean * (1 + error)


def left_words(run: TaskRun, now: datetime | None = None) -> str:
    """``20-35 s left``, ``up to 10 s left``, ``1-3 min left``, rounded outwards to 5 s, minutes or
    hours; or ""."""
    bounds = left(run, now)
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
