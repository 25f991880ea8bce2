"""The queues as operators see and pause them: what waits and for whom, what runs, and what is
paused."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Count, Min, Q

from tasks_ui.models import PausedQueue, State, TaskRun, Worker
from tasks_ui.runs import dispatch

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

OWNERS_SHOWN = 5
RESUME_OWNERS_MAX = 200
"""Owners whose runs a resuming lets in itself; the reconciler's next sweep lets in the others'."""


class NoSuchQueueError(Exception):
    """No queue of this name is consumed."""


@dataclass(frozen=True, kw_only=True)
class OwnerWait:
    """One owner's share of a queue: ``outside`` waits for room in the owner's window
    (``TASKS_OWNER_WINDOW``)."""

    owner: str
    waiting: int
    outside: int


@dataclass(kw_only=True)
class Queue:
    """A queue now. ``oldest_at`` is when the run that waits longest was queued; ``outside`` of
    those that wait are held back by their owners' windows; ``owners`` are those with the most
    waiting."""

    name: str
    waiting: int = 0
    outside: int = 0
    retrying: int = 0
    running: int = 0
    oldest_at: datetime | None = None
    pause: PausedQueue | None = None
    owners: list[OwnerWait] = field(default_factory=list)


def names() -> list[str]:
    return [queue.name for queue in settings.CELERY_TASK_QUEUES]


def pause(name: str, *, by: AbstractBaseUser) -> bool:
    """Let nothing start in the queue until it is resumed; active runs continue. False if it was
    paused already.

    Workers that have already taken a message find the pause when they claim. Raises
    NoSuchQueueError.
    """
    _check(name)
    with transaction.atomic():
        paused, is_new = PausedQueue.objects.get_or_create(
            name=name, defaults={"paused_by_id": by.pk}
        )
        if is_new:
            _write_down(paused, by=by, words="Paused.")
    return is_new


def resume(name: str, *, by: AbstractBaseUser) -> bool:
    """Let runs start again, immediately. False if the queue was not paused. Raises
    NoSuchQueueError.

    The reconciler sends messages for parents that resume, within a second.
    """
    _check(name)
    with transaction.atomic():
        if not PausedQueue.objects.filter(name=name).delete()[0]:
            return False
        _write_down(PausedQueue(name=name), by=by, words="Resumed.")
    waiting = dispatch.waiting().filter(queue=name).order_by("owner_id")
    for owner_id in waiting.values_list("owner_id", flat=True).distinct()[:RESUME_OWNERS_MAX]:
        dispatch.admit(owner_id, name)
    return True


def overview() -> list[Queue]:
    """Every queue that is consumed, and any other that has runs, in four queries."""
    queues = {name: Queue(name=name) for name in names()}
    is_waiting, is_outside = Q(state=State.PENDING), Q(state=State.PENDING, rung_at=None)
    waits = (
        TaskRun.objects.filter(state__in=[State.PENDING, State.RETRY]).order_by().values("queue")
    )
    for row in waits.annotate(
        waiting=Count("pk", filter=is_waiting),
        outside=Count("pk", filter=is_outside),
        retrying=Count("pk", filter=~is_waiting),
        oldest_at=Min("queued_at", filter=is_waiting),
    ):
        queue = queues.setdefault(row["queue"], Queue(name=row["queue"]))
        queue.waiting, queue.outside = row["waiting"], row["outside"]
        queue.retrying, queue.oldest_at = row["retrying"], row["oldest_at"]
    held = TaskRun.objects.held().order_by().values_list("queue")
    for name, running in held.annotate(running=Count("pk")):
        queues.setdefault(name, Queue(name=name)).running = running
    for paused in PausedQueue.objects.select_related("paused_by"):
        queues.setdefault(paused.name, Queue(name=paused.name)).pause = paused
    _add_owners(queues)
    return list(queues.values())


def audit(limit: int = 10) -> list[LogEntry]:
    """Who paused, drained and resumed what, newest first."""
    types = ContentType.objects.get_for_models(PausedQueue, Worker)
    entries = LogEntry.objects.filter(content_type__in=types.values())
    return list(entries.select_related("user").order_by("-action_time")[:limit])


def _add_owners(queues: dict[str, Queue]) -> None:
    """The owners with the most waiting, at most ``OWNERS_SHOWN`` a queue of the hundred longest
    waits."""
    waiting = (
        TaskRun.objects.filter(state=State.PENDING)
        .order_by()
        .values_list("queue", "owner__username")
    )
    counted = waiting.annotate(
        waiting=Count("pk"), outside=Count("pk", filter=Q(rung_at=None))
    ).order_by("-waiting")
    for name, owner, count, outside in counted[:100]:
        queue = queues.get(name)  # one that has appeared since is in the next look
        if queue and len(queue.owners) < OWNERS_SHOWN:
            queue.owners.append(OwnerWait(owner=owner, waiting=count, outside=outside))


def _check(name: str) -> None:
    if name not in names():
        raise NoSuchQueueError(name)


def _write_down(queue: PausedQueue, *, by: AbstractBaseUser, words: str) -> None:
    LogEntry.objects.log_actions(by.pk, [queue], CHANGE, words, single_object=True)
