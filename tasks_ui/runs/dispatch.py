"""Sends messages to the broker, each of which says "look at this row". Losing one costs time, never
a task."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import BigIntegerField, CharField, F, Func, Q, Value
from django.db.models.functions import Coalesce, Now
from kombu.exceptions import OperationalError as BrokerError

from tasks_ui import kinds
from tasks_ui.models import RUNNING, PausedQueue, State, TaskRun
from tasks_ui.runs.patience import DATABASE_ERRORS
from tasks_ui.runs.statements import compiled, literal, prepared
from tasks_ui.setup.defaults import PRIORITY as PRIORITY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

HELD = Q(state__in=[*RUNNING, State.CANCELLING], lease_until__isnull=False)
SENT = Q(state__in=[State.PENDING, State.RETRY], rung_at__isnull=False)

_owed: ContextVar[set[tuple[int, str]] | None] = ContextVar("owed", default=None)


@contextmanager
def admitting() -> Iterator[None]:
    """A transaction that, at its end, fills the windows of the owners that ``admit`` was called
    for.

    Filling a window takes the owner's admission lock of that queue until the commit. So that no two
    transactions wait for each other, locks are taken in one order: rows (parent, then child) first,
    then admission locks by owner and queue, and nothing after them. A nested call joins the outer
    one, which admits for both.
    """
    with transaction.atomic():
        if _owed.get() is not None:
            yield
            return
        owed: set[tuple[int, str]] = set()
        token = _owed.set(owed)
        try:
            yield
        finally:
            _owed.reset(token)
        for owner_id, queue in sorted(owed):
            _fill_window(owner_id, queue)


def admit(owner_id: int, queue: str) -> None:
    """Send an owner's longest waiting runs to the broker, as far as the owner's window in that
    queue allows; within ``admitting`` that happens at its end.

    At most ``TASKS_OWNER_WINDOW`` runs of one owner are queued or running at a time; the others
    wait in the database, and each that ends admits the next. So one owner's thousand runs put at
    most a window of messages ahead of another's first, and the broker holds few messages however
    long the wait is. Older assessments come first, with all their parts, so that they finish one
    after another instead of all at the end. Retries that are due wait like new runs. A paused queue
    admits nothing. A parent that resumes after its children is not held back: it had its turn.
    """
    owed = _owed.get()
    if owed is None:
        with admitting():
            admit(owner_id, queue)
    else:
        owed.add((owner_id, queue))


def waiting() -> QuerySet[TaskRun]:
    """Runs that could start but have no message yet: new ones and retries that are due, unless
    their queue is paused."""
    is_due = Q(next_retry_at=None) | Q(next_retry_at__lte=Now())
    unsent = TaskRun.objects.filter(
        is_due, state__in=[State.PENDING, State.RETRY], rung_at__isnull=True
    )
    return unsent.exclude(PausedQueue.of_run())


def in_flight() -> QuerySet[TaskRun]:
    """Runs that are queued or running. Each branch names the states of a partial index."""
    return TaskRun.objects.filter(HELD | SENT)


def ring_on_commit(run: TaskRun) -> None:
    """Send a message for a run that resumes, once the current transaction is committed; it has had
    its turn.

    If its queue is paused, nothing is sent: ``rung_at`` stays empty, which the reconciler looks
    for.
    """
    open_run = TaskRun.objects.filter(pk=run.pk).exclude(PausedQueue.of_run())
    if open_run.update(rung_at=Now(), rings=F("rings") + 1):
        _send_on_commit([(run.pk, run.kind, run.queue, run.attempt)])


def send(run_id: UUID, *, kind: str, queue: str, attempt: int) -> bool:
    """Send the message, in bounded time. False if the broker did not accept it: it is sent again
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
    except (BrokerError, *DATABASE_ERRORS, OSError) as error:
        logger.warning(
            "The broker did not accept run %s (%s); the reconciler sends it again.", run_id, error
        )
        return False
    return True


def _fill_window(owner_id: int, queue: str) -> None:
    """Admit under the owner's admission lock, which is taken only if something waits."""
    lock, fill = _admission(owner_id, queue, window=settings.TASKS_OWNER_WINDOW)
    if prepared(lock):
        _send_on_commit(prepared(fill))  # a second statement: it sees all that the lock waited for


@lru_cache(maxsize=1000)
def _admission(owner_id: int, queue: str, *, window: int) -> tuple[str, str]:
    """The two statements of ``_fill_window``, compiled once per owner and queue.

    The rows are picked in a CTE of its own, as PostgreSQL may run a locking subquery more than
    once. What is in flight is counted in two parts, one per partial index: for an OR, PostgreSQL
    reads all rows of the owner while its statistics are young.
    """
    ours = TaskRun.objects.filter(owner_id=owner_id, queue=queue).order_by().values("id")
    unsent = waiting().filter(owner_id=owner_id, queue=queue)
    lock = compiled(unsent.order_by().values_list(_admission_lock(owner_id, queue))[:1])
    held, sent = compiled(ours.filter(HELD)), compiled(ours.filter(SENT))
    oldest = compiled(unsent.order_by(Coalesce("parent_id", "id"), "id").values("id"))
    fill = f"""
        WITH picked AS (
            {oldest[0]} LIMIT greatest(0, %s - (SELECT count(*) FROM ({held[0]}) AS held)
                - (SELECT count(*) FROM ({sent[0]}) AS sent))
            FOR NO KEY UPDATE SKIP LOCKED)
        UPDATE {TaskRun._meta.db_table} AS run SET rung_at = statement_timestamp(), rings = 1
        FROM picked WHERE run.id = picked.id RETURNING run.id, run.kind, run.queue, run.attempt
    """  # noqa: S608  (compiled by the ORM, with parameters)
    return literal(lock), literal((fill, [*oldest[1], window, *held[1], *sent[1]]))


def _admission_lock(owner_id: int, queue: str) -> Func:
    """The lock is on a hash of its name: a collision costs a wait, nothing else."""
    name = Value(f"tasks_ui.admit {owner_id} {queue}")
    key = Func(name, Value(0), function="hashtextextended", output_field=BigIntegerField())
    return Func(key, function="pg_advisory_xact_lock", output_field=CharField())


def _send_on_commit(messages: Sequence[tuple[UUID, str, str, int]]) -> None:
    """Send messages for runs, each given as (id, kind, queue, attempt). After one refusal the rest
    is not tried; the reconciler sends those later."""

    def send_all() -> None:
        all(
            send(pk, kind=kind, queue=queue, attempt=attempt)
            for pk, kind, queue, attempt in messages
        )

    if messages:
        transaction.on_commit(send_all, robust=True)
