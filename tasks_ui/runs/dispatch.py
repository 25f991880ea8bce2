"""Ringing the broker: a message that says "look at this row". Losing one costs time, never a
task."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from celery import current_app
from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from kombu.exceptions import OperationalError as BrokerError

from tasks_ui import kinds
from tasks_ui.models import PausedQueue, State, TaskRun

if TYPE_CHECKING:
    from uuid import UUID

logger = logging.getLogger(__name__)

PRIORITY = "priority"
"""The queue that has a worker of its own."""


def admit(owner_id: int, queue: str) -> None:
    """Let an owner's longest waiting runs into the broker, as far as the owner's window in that
    queue allows.

    At most ``TASKS_OWNER_WINDOW`` runs of one owner are in a queue or at work at a time; the others
    wait in the database, and each that ends lets the next in. So one owner's thousand runs put at
    most a window of messages before another's first, and the broker holds few messages however long
    the wait is. Older assessments come first, with all their parts, so that they end one after
    another instead of all at the end. Nothing is let into a paused queue.
    """
    in_flight = TaskRun.objects.filter(owner_id=owner_id, queue=queue).filter(
        Q(lease_until__isnull=False) | Q(state=State.PENDING, rung_at__isnull=False)
    )
    free = settings.TASKS_OWNER_WINDOW - in_flight.count()
    if free <= 0:
        return
    with transaction.atomic():
        waiting = TaskRun.objects.filter(
            owner_id=owner_id, queue=queue, state=State.PENDING, rung_at=None
        )
        waiting = waiting.exclude(PausedQueue.of_run())
        oldest = waiting.order_by(Coalesce("parent_id", "id"), "id").select_for_update(
            skip_locked=True, no_key=True
        )
        runs = list(oldest[:free])
        TaskRun.objects.filter(pk__in=[run.pk for run in runs]).update(rung_at=Now(), rings=1)
        _send_on_commit(*runs)


def ring_on_commit(run: TaskRun) -> None:
    """Ring for a run that goes on, once the present transaction is committed; it waited for its
    turn before.

    Where its queue is paused it is not rung for: ``rung_at`` stays empty, which the reconciler
    looks for.
    """
    open_run = TaskRun.objects.filter(pk=run.pk).exclude(PausedQueue.of_run())
    if open_run.update(rung_at=Now(), rings=F("rings") + 1):
        _send_on_commit(run)


def send(run_id: UUID, *, kind: str, queue: str, attempt: int) -> bool:
    """Send the message, in bounded time. False when the broker did not take it: it is sent again
    later."""
    try:
        current_app.send_task(
            kinds.get(kind).task_name,
            args=[str(run_id), attempt],
            task_id=str(run_id),
            queue=queue,
            retry=False,
            ignore_result=False,
        )
    except (BrokerError, OperationalError, OSError) as error:
        logger.warning(
            "The broker did not take run %s (%s); the reconciler rings again.", run_id, error
        )
        return False
    return True


def _send_on_commit(*runs: TaskRun) -> None:
    """What the broker doesn't take is the reconciler's business; after one refusal the rest is not
    tried."""
    messages = [(run.pk, run.kind, run.queue, run.attempt) for run in runs]

    def send_all() -> None:
        all(
            send(pk, kind=kind, queue=queue, attempt=attempt)
            for pk, kind, queue, attempt in messages
        )

    transaction.on_commit(send_all, robust=True)
