"""An accepted cancel holds: in each state, at the last moment, and whatever is killed
afterwards."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

import psutil
import pytest

from tasks_ui.models import FINAL, State, TaskRun
from tasks_ui.runs import dispatch
from tasks_ui.runs.services import request_cancel
from tests.chaos.harm import (
    assert_consistent,
    ended,
    frozen,
    in_state,
    start_again,
    started,
    worker_of,
)
from tests.probe.models import Effect, Job, Start
from tests.stack import Stack, wait_until

Queue = Callable[..., TaskRun]
pytestmark = pytest.mark.chaos


def test_what_is_cancelled_while_it_waits_never_starts_though_workers_come_and_go(
    harmed: Stack, queue_probe: Queue
) -> None:
    with frozen(*harmed.workers):
        queued = queue_probe()
        assert request_cancel(queued, by=queued.owner).state == State.REVOKED
    for worker in harmed.workers:
        worker.kill()
    nobody_up = queue_probe()
    assert request_cancel(nobody_up, by=nobody_up.owner).state == State.REVOKED
    start_again(*harmed.workers)
    for run in (queued, nobody_up):
        dispatch.send(run.pk, kind=run.kind, queue=run.queue, attempt=0)
    ended(queue_probe())
    time.sleep(1)  # messages are taken in order, those two first
    for run in (queued, nobody_up):
        run.refresh_from_db()
        assert run.state == State.REVOKED
        assert not Start.objects.filter(run_id=run.pk).exists()
        assert_consistent(run)


def test_a_run_cancelled_between_its_attempts_makes_no_other(
    harmed: Stack, queue_probe: Queue
) -> None:
    run = queue_probe(manner="fail")
    in_state(run, State.RETRY)
    assert request_cancel(run, by=run.owner).state == State.REVOKED
    time.sleep(3)  # past the time when its retry was due
    run.refresh_from_db()
    assert (run.state, run.attempt) == (State.REVOKED, 1)
    assert Start.objects.filter(run_id=run.pk).count() == 1
    assert_consistent(run)


def test_a_run_cancelled_while_it_starts_or_runs_stops_with_its_engine(
    harmed: Stack, queue_probe: Queue
) -> None:
    starting = queue_probe(manner="engine", duration_s=60)
    running = queue_probe(duration_s=60)
    job = Job.objects.filter(pk=str(starting.subject_id))
    wait_until(lambda: job.get().engine_pid, timeout_s=30, what="the engine's process")
    assert TaskRun.objects.get(pk=starting.pk).state == State.STARTED
    in_state(running, State.PROGRESS)
    for run in (starting, running):
        assert request_cancel(run, by=run.owner).state == State.CANCELLING
        assert ended(run).state == State.REVOKED
        assert_consistent(TaskRun.objects.get(pk=run.pk))
    assert not psutil.pid_exists(job.get().engine_pid or 0)


def test_a_cancel_outlives_the_death_of_the_worker_that_should_confirm_it(
    harmed: Stack, queue_probe: Queue
) -> None:
    run = queue_probe(duration_s=60, manner="stubborn")
    started(run)
    worker = worker_of(harmed, run)
    assert request_cancel(run, by=run.owner).state == State.CANCELLING
    worker.kill()
    assert ended(run).state == State.REVOKED
    start_again(worker)
    dispatch.send(run.pk, kind=run.kind, queue=run.queue, attempt=run.attempt)
    ended(queue_probe())
    run.refresh_from_db()
    assert run.state == State.REVOKED
    assert Start.objects.filter(run_id=run.pk).count() == 1
    assert_consistent(run)


def test_cancels_at_the_last_moment_either_hold_or_come_too_late(
    harmed: Stack, queue_probe: Queue
) -> None:
    """Forty runs of 0.3 s are cancelled around their end. The row's response to the cancel is
    final."""
    chance = random.Random(7)
    confirmed_s = []
    for _ in range(40):
        run = queue_probe(duration_s=0.3)
        started(run)
        time.sleep(chance.uniform(0.1, 0.45))
        asked = time.monotonic()
        answer = request_cancel(run, by=run.owner)
        run = ended(run)
        if answer.cancel_requested_at:
            confirmed_s.append(time.monotonic() - asked)
            assert run.state == State.REVOKED
        else:
            assert run.state == answer.state == State.SUCCESS
        assert_consistent(run)
    assert confirmed_s
    assert statistics.median(confirmed_s) < 2


def test_cancelling_a_parent_whose_worker_is_killed_ends_the_whole_family(
    harmed: Stack, queue_probe: Queue
) -> None:
    parent = queue_probe(kind="probe_family", children=6, duration_s=30)
    children = TaskRun.objects.filter(parent=parent)
    wait_until(
        lambda: children.filter(state=State.PROGRESS).count() >= 2,
        timeout_s=60,
        what="running children",
    )
    busy = worker_of(harmed, children.filter(state=State.PROGRESS).earliest("pk"))
    request_cancel(parent, by=parent.owner)
    busy.kill()
    assert ended(parent).state == State.REVOKED
    assert set(children.values_list("state", flat=True)) == {State.REVOKED}
    assert not Effect.objects.exists()
    start_again(busy)
    ended(queue_probe())
    assert not TaskRun.objects.filter(parent=parent).exclude(state__in=FINAL).exists()
    assert_consistent(TaskRun.objects.get(pk=parent.pk))
