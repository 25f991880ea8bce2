"""Workers, cancels and the reconciler race on the same runs over connections of their own; then
well-behaved workers finish what is left. The rows and events must agree whoever won."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from tasks_ui import reconciler
from tasks_ui.models import FINAL, State, TaskEvent, TaskRun
from tasks_ui.runs.services import forget, request_cancel
from tasks_ui.runs.transitions import (
    Cancelled,
    Fenced,
    claim,
    confirm_cancelled,
    create_children,
    lock,
    retry_at,
    transition,
    wait_for_children,
    write_progress,
)
from tests.probe.models import Effect
from tests.probe.runs import queue_probe
from tests.stack import wait_until

if TYPE_CHECKING:
    from django.contrib.auth.models import User

THREADS = 4
STEPS = 60
RUNS = 4
ROUNDS = 20


@pytest.mark.parametrize("seed", [1, 2])
def test_racing_workers_leave_every_run_whole_and_none_stuck(
    transactional_db: None, alice: User, seed: int
) -> None:
    for _ in range(RUNS):
        queue_probe(owner=alice, max_attempts=9)
    errors: list[BaseException] = []

    def race(number: int) -> None:
        chance = random.Random(f"{seed} {number}")
        try:
            for _ in range(STEPS):
                with suppress(Cancelled, Fenced):
                    chance.choice(ACTIONS)(chance, alice)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=race, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not errors
    _agree()
    _settle()
    _agree()


def test_a_forgotten_family_is_locked_from_its_parent_down(
    transactional_db: None, alice: User
) -> None:
    """A transition holds the parent and gets to a part; forgetting must hold neither by then."""
    parent = queue_probe(owner=alice)
    taken = claim(parent.pk, attempt=0, worker="w")
    assert taken
    children = create_children(taken, attempt=1, stage="one", make=lambda: [_child(), _child()])
    transition(taken, State.FAILURE, attempt=1)
    TaskRun.objects.filter(pk=parent.pk).update(message="")  # now it is stored after its children
    forgotten: list[bool] = []

    def forget_it() -> None:
        try:
            with connection.cursor() as cursor:  # rows are found in physical order, not by index
                cursor.execute("SET enable_indexscan = off; SET enable_bitmapscan = off")
            forgotten.append(forget(parent))
        finally:
            connection.close()

    forgetting = threading.Thread(target=forget_it)
    with transaction.atomic():
        lock(parent)
        forgetting.start()
        wait_until(_someone_waits_for_a_row, timeout_s=20, what="the other to wait for the parent")
        for child in children:
            lock(child)
    forgetting.join(timeout=20)
    assert forgotten == [True]


def _someone_waits_for_a_row() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def _any_run(chance: random.Random) -> TaskRun:
    return chance.choice(list(TaskRun.objects.all()))


def _work(chance: random.Random, by: User) -> None:
    """One delivery, from the claim to a possibly late end."""
    run = _any_run(chance)
    taken = claim(run.pk, attempt=run.attempt, worker=threading.current_thread().name)
    if taken is None:
        return
    attempt = taken.attempt
    write_progress(taken, attempt=attempt, current=1, total=2, message="half")
    if chance.random() < 0.5:
        time.sleep(0.03)  # long enough to be considered dead
    ending = chance.choice(["success", "success", "fail", "lost", "children"])
    if ending == "success":
        transition(
            taken,
            State.SUCCESS,
            attempt=attempt,
            save=lambda: Effect.objects.create(run_id=taken.pk, attempt=attempt, worker="w"),
        )
    elif ending == "fail" and attempt < taken.max_attempts:
        retry_at(taken, attempt=attempt, delay_s=0, error="failed")
    elif ending == "fail":
        transition(taken, State.FAILURE, attempt=attempt, error_code="error")
    elif ending == "children" and taken.parent_id is None:
        create_children(taken, attempt=attempt, stage="one", make=lambda: [_child(), _child()])
        wait_for_children(taken, attempt=attempt, message="waits")


def _child() -> TaskRun:
    return TaskRun(kind="probe", queue="default", title="child", weight=50, max_attempts=3)


def _cancel(chance: random.Random, by: User) -> None:
    if chance.random() < 0.2:
        request_cancel(_any_run(chance), by=by)


def _confirm(chance: random.Random, by: User) -> None:
    run = _any_run(chance)
    confirm_cancelled(run, attempt=run.attempt)


def _reconcile(chance: random.Random, by: User) -> None:
    _let_time_pass()
    reconciler.reconcile()


def _let_time_pass() -> None:
    """Leases expire and retries fall due: row by row, because one UPDATE of many would lock them in
    an order of its own, which nothing in the product does."""
    past = Now() - timedelta(seconds=1)
    for pk in TaskRun.objects.active().values_list("pk", flat=True):
        TaskRun.objects.filter(pk=pk, lease_until__isnull=False).update(lease_until=past)
        TaskRun.objects.filter(pk=pk, state=State.RETRY).update(next_retry_at=past)


ACTIONS: list[Callable[[random.Random, User], None]] = [
    _work,
    _work,
    _work,
    _cancel,
    _confirm,
    _reconcile,
]


def _settle() -> None:
    """Liveness: given time, the reconciler and well-behaved workers, everything ends."""
    for _ in range(ROUNDS):
        _let_time_pass()
        TaskRun.objects.filter(state=State.CANCELLING).update(
            cancel_requested_at=F("cancel_requested_at") - timedelta(minutes=10)
        )
        reconciler.reconcile()
        for run in TaskRun.objects.active().order_by("-pk"):
            taken = claim(run.pk, attempt=run.attempt, worker="honest")
            if taken is not None:
                attempt = taken.attempt
                transition(
                    taken,
                    State.SUCCESS,
                    attempt=attempt,
                    save=lambda t=taken, a=attempt: Effect.objects.create(  # type: ignore[misc]
                        run_id=t.pk, attempt=a, worker="honest"
                    ),
                )
        if not TaskRun.objects.active().exists():
            return
    left = list(TaskRun.objects.active().values("state", "attempt", "lease_until", "parent_id"))
    raise AssertionError(f"stuck: {left}")


def _agree() -> None:
    for run in TaskRun.objects.all():
        seqs = list(
            TaskEvent.objects.filter(task=run).order_by("seq").values_list("seq", flat=True)
        )
        assert seqs == list(range(1, run.last_seq + 1)), "an event is missing or doubled"
        effects = list(Effect.objects.filter(run_id=run.pk).values_list("attempt", flat=True))
        assert effects == ([run.attempt] if run.state == State.SUCCESS else [])
        assert run.attempt <= run.max_attempts
        if run.state in FINAL:
            assert run.lease_until is None
        if run.state == State.FAILURE:
            active = TaskRun.objects.active().filter(parent=run).exclude(state=State.CANCELLING)
            assert not active.exists(), "a failed run's child goes on"
