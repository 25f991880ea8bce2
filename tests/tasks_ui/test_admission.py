"""How many runs of one owner are queued or working, whoever asks at the same moment."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models.functions import Now

from tasks_ui import reconciler
from tasks_ui.models import State, TaskRun
from tasks_ui.runs import dispatch
from tasks_ui.runs.services import request_cancel
from tasks_ui.runs.transitions import claim, create_children, lock, transition
from tests.probe.runs import queue_probe
from tests.tasks_ui.rows import finished_rows

WINDOW: int = settings.TASKS_OWNER_WINDOW


def at_once(*calls: Callable[[], Any], threads: int = 20) -> list[Any]:
    """Call all, each on its own connection, as close to simultaneously as threads start."""
    ready = threading.Barrier(min(threads, len(calls)), timeout=30)

    def run(number: int) -> Any:
        try:
            connection.ensure_connection()
            if number < ready.parties:
                ready.wait()
            return calls[number]()
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(len(calls))))


def in_flight(owner: User) -> int:
    return dispatch.in_flight().filter(owner=owner, queue="default").count()


def test_forty_creates_at_once_fill_the_window_and_no_more(
    transactional_db: None, alice: User
) -> None:
    at_once(*[lambda: queue_probe(owner=alice)] * 40)
    assert TaskRun.objects.count() == 40
    assert in_flight(alice) == WINDOW


def test_retries_that_fall_due_together_wait_for_the_window(
    transactional_db: None, alice: User
) -> None:
    runs = [queue_probe(owner=alice) for _ in range(60)]
    for run in runs:
        TaskRun.objects.filter(pk=run.pk).update(
            state=State.RETRY,
            attempt=1,
            rung_at=None,
            rings=0,
            next_retry_at=Now() - timedelta(seconds=1),
        )
    at_once(*[reconciler.reconcile] * 4)
    assert in_flight(alice) == WINDOW
    first = TaskRun.objects.filter(rung_at__isnull=False).order_by("pk")
    assert [run.pk for run in first] == [run.pk for run in runs[:WINDOW]]


def test_a_retry_that_is_not_due_is_neither_sent_nor_counted(alice: User) -> None:
    run = queue_probe(owner=alice)
    TaskRun.objects.filter(pk=run.pk).update(
        state=State.RETRY, rung_at=None, next_retry_at=Now() + timedelta(seconds=60)
    )
    reconciler.reconcile()
    assert in_flight(alice) == 0
    TaskRun.objects.filter(pk=run.pk).update(next_retry_at=Now())
    reconciler.reconcile()
    assert in_flight(alice) == 1


def test_an_admission_takes_its_lock_after_the_rows_that_are_asked_for_later(
    transactional_db: None, alice: User
) -> None:
    run, *_ = [queue_probe(owner=alice) for _ in range(WINDOW + 1)]
    both = threading.Barrier(2, timeout=30)

    def admit_first() -> None:
        with dispatch.admitting():
            dispatch.admit(alice.pk, "default")
            both.wait()
            lock(run)

    def lock_first() -> None:
        with dispatch.admitting():
            lock(run)
            both.wait()
            dispatch.admit(alice.pk, "default")

    at_once(admit_first, lock_first)


def test_creates_finishes_and_cancels_of_families_at_once_never_deadlock(
    transactional_db: None, alice: User
) -> None:
    """Children in several queues, so that one transaction admits to more than one."""
    parents = [queue_probe(owner=alice, kind="probe_family") for _ in range(6)]
    TaskRun.objects.update(state=State.STARTED, attempt=1, rung_at=None)
    children = [child for parent in parents for child in _children(parent)]
    random.Random(1).shuffle(children)
    calls: list[Callable[[], Any]] = [
        *(lambda run=child: _finish(run) for child in children),
        *(lambda run=parent: request_cancel(run, by=alice) for parent in parents[::2]),
        *[lambda: queue_probe(owner=alice)] * 10,
        *[reconciler.reconcile] * 3,
    ]
    random.Random(2).shuffle(calls)
    at_once(*calls)
    assert in_flight(alice) <= WINDOW


@pytest.mark.parametrize("queue", ["default", "reports"])
def test_counting_what_is_in_flight_reads_the_partial_indexes_alone(
    alice: User, queue: str
) -> None:
    finished_rows(owner=alice, rows=5000)
    for _ in range(20):
        queue_probe(owner=alice, queue=queue)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tasks_ui_taskrun")
    plan = dispatch.in_flight().filter(owner_id=alice.pk, queue=queue).explain()
    assert "run_lease" in plan and "run_sent" in plan, plan
    assert "Seq Scan" not in plan, plan
    plan = dispatch.waiting().filter(owner_id=alice.pk, queue=queue).order_by().explain()
    assert "run_waiting" in plan, plan


def _children(parent: TaskRun) -> list[TaskRun]:
    make = lambda: [  # noqa: E731
        TaskRun(kind="probe", queue=queue, title=queue, weight=25)
        for queue in ("default", "reports", "default", "assessments")
    ]
    return create_children(parent, attempt=1, stage="one", make=make)


def _finish(run: TaskRun) -> None:
    if started := claim(run.pk, attempt=0, worker="w"):
        transition(started, State.SUCCESS, attempt=1)
