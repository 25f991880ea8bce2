"""Messages lost, duplicated and late, and workers that die: each run ends, with one effect."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import transaction

from tasks_ui.models import State, TaskEvent, TaskRun
from tasks_ui.runs import dispatch
from tests.chaos.harm import (
    all_succeed_once,
    assert_consistent,
    broker,
    drop_connections,
    ended,
    frozen,
    in_state,
    restart_broker_without_its_data,
    start_again,
    started,
    worker_of,
)
from tests.probe.models import Start
from tests.stack import Process, Stack, empty_the_broker, wait_until

Queue = Callable[..., TaskRun]
pytestmark = pytest.mark.chaos


def test_a_message_lost_between_taking_and_recording_it_is_rung_for_again(
    harmed: Stack, queue_probe: Queue
) -> None:
    runs = []
    for _ in range(5):  # a worker polls each second, and may be frozen between two polls
        runs = _queue_to_frozen_workers(harmed, queue_probe)
        if broker(harmed.servers).llen("default") < len(runs):
            break
        for worker in harmed.workers:
            worker.thaw()
        all_succeed_once(runs, timeout_s=60)
    else:
        pytest.fail("No frozen worker was handed a message.")
    for worker in harmed.workers:
        worker.kill()
    assert broker(harmed.servers).hlen("unacked") == 0  # no worker recorded them: they are gone
    start_again(*harmed.workers)
    all_succeed_once(runs, timeout_s=60)


def test_a_task_that_outlasts_its_lease_starts_once(harmed: Stack, queue_probe: Queue) -> None:
    """The lease is 6 s here. Connections are dropped in the meantime, so its message is also
    delivered again."""
    run = queue_probe(duration_s=9, manner="stubborn")
    started(run)
    drop_connections(harmed.servers)
    run = ended(run)
    assert (run.state, run.attempt) == (State.SUCCESS, 1)
    assert Start.objects.filter(run_id=run.pk).count() == 1
    assert_consistent(run)


def test_a_retry_that_falls_due_after_the_workers_were_killed_runs_once(
    harmed: Stack, queue_probe: Queue
) -> None:
    run = queue_probe(manner="flaky")
    in_state(run, State.RETRY)
    due = TaskRun.objects.get(pk=run.pk).next_retry_at
    for worker in harmed.workers:
        worker.kill()
    start_again(*harmed.workers)
    run = ended(run)
    again = TaskEvent.objects.filter(task=run, type="task.started").latest("seq")
    assert due
    assert again.created_at >= due
    assert (run.state, run.attempt, Start.objects.filter(run_id=run.pk).count()) == (
        State.SUCCESS,
        2,
        2,
    )
    assert_consistent(run)


def test_a_killed_worker_is_found_and_its_run_goes_on(harmed: Stack, queue_probe: Queue) -> None:
    run = queue_probe(duration_s=5)
    started(run)
    worker_of(harmed, run).kill()
    run = ended(run, timeout_s=90)
    assert (run.state, run.attempt) == (State.SUCCESS, 2)
    assert_consistent(run)


def test_a_task_that_kills_its_worker_fails_after_its_attempts_and_the_workers_are_well(
    harmed: Stack, queue_probe: Queue
) -> None:
    parents = [worker.pid for worker in harmed.workers]
    run = ended(queue_probe(manner="poison", max_attempts=3), timeout_s=120)
    assert (run.state, run.error_code, run.attempt) == (State.FAILURE, "worker_lost", 3)
    assert Start.objects.filter(run_id=run.pk).count() == 3
    assert [worker.pid for worker in harmed.workers if worker.running] == parents
    all_succeed_once([queue_probe() for _ in range(6)], timeout_s=60)


def test_a_flushed_broker_loses_none_of_fifty_queued_runs(
    harmed: Stack, queue_probe: Queue
) -> None:
    with frozen(*harmed.workers):
        runs = [queue_probe(duration_s=0.05) for _ in range(50)]
        empty_the_broker(harmed.servers)
    all_succeed_once(runs, timeout_s=120)


def test_a_broker_that_comes_back_without_its_data_loses_no_run(
    harmed: Stack, queue_probe: Queue
) -> None:
    working = [queue_probe(duration_s=3) for _ in harmed.workers]
    for run in working:
        started(run)
    waiting = [queue_probe() for _ in range(20)]
    restart_broker_without_its_data(harmed.servers)
    all_succeed_once([*working, *waiting], timeout_s=120)
    assert {Start.objects.filter(run_id=run.pk).count() for run in working} == {1}


def test_dropped_connections_start_nothing_twice(harmed: Stack, queue_probe: Queue) -> None:
    runs = [queue_probe(duration_s=4) for _ in harmed.workers]
    for run in runs:
        started(run)
    drop_connections(harmed.servers)
    all_succeed_once(runs, timeout_s=60)
    assert {Start.objects.filter(run_id=run.pk).count() for run in runs} == {1}


def test_a_worker_frozen_past_its_lease_is_fenced_when_it_goes_on(
    harmed: Stack, queue_probe: Queue
) -> None:
    run = queue_probe(duration_s=3, manner="stubborn")
    started(run)
    zombie = worker_of(harmed, run)
    with frozen(zombie):
        run = ended(run)
        assert (run.state, run.attempt) == (State.SUCCESS, 2)
    time.sleep(4)  # the zombie finishes, and must not record it
    assert_consistent(TaskRun.objects.get(pk=run.pk))
    assert Start.objects.filter(run_id=run.pk).count() == 2


def test_a_worker_that_is_told_to_stop_hands_its_run_on_at_no_cost(
    harmed: Stack, queue_probe: Queue
) -> None:
    """Its soft shutdown waits for 2 s here; the run would take 20."""
    run = queue_probe(duration_s=20)
    started(run)
    before = TaskRun.objects.get(pk=run.pk)
    worker_of(harmed, run).process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
    started(run, times=2, timeout_s=60)
    run = ended(run)
    assert run.state == State.SUCCESS
    assert run.max_attempts - run.attempt == before.max_attempts - before.attempt
    assert (
        TaskEvent.objects.get(task=run, type="task.retrying").data["error"]
        == "The worker was shut down."
    )
    assert_consistent(run)


def test_messages_for_a_run_that_is_over_or_of_another_attempt_do_nothing(
    harmed: Stack, queue_probe: Queue
) -> None:
    run = ended(queue_probe(manner="flaky"))
    events = run.last_seq
    for attempt in (0, 1, 2, 3):
        assert dispatch.send(run.pk, kind=run.kind, queue=run.queue, attempt=attempt)
    ended(queue_probe())  # it came after them
    wait_until(
        lambda: broker(harmed.servers).hlen("unacked") == 0,
        timeout_s=20,
        what="the messages to be taken",
    )
    run.refresh_from_db()
    assert (run.state, run.attempt, run.last_seq) == (State.SUCCESS, 2, events)
    assert_consistent(run)


def test_three_hundred_equal_tasks_spread_over_three_workers_while_a_fourth_comes_and_goes(
    harmed: Stack, queue_probe: Queue
) -> None:
    third = harmed["worker3"]
    fourth = Process(
        "worker4",
        [word.replace("worker3", "worker4") for word in third.command],
        env=third.env,
        log_path=third.log_path.with_name("worker4.log"),
    )
    fourth.start()
    try:
        with transaction.atomic():
            runs = [queue_probe(duration_s=0.1) for _ in range(300)]
        done = Start.objects.filter(worker__startswith="worker4@")
        wait_until(
            lambda: done.count() >= 5, timeout_s=60, what="work of the fourth", details=fourth.log
        )
        fourth.stop()
    finally:
        fourth.kill()
    all_succeed_once(runs, timeout_s=180)
    share = Counter(name.split("@")[0] for name in Start.objects.values_list("worker", flat=True))
    assert set(share) == {"worker1", "worker2", "worker3", "worker4"}
    assert sorted(share.values())[1] >= 60, share


def test_a_second_owners_first_run_does_not_wait_for_a_thousand_of_the_first(
    harmed: Stack, queue_probe: Queue, bob: object
) -> None:
    with frozen(*harmed.workers):
        with transaction.atomic():
            thousand = [queue_probe(duration_s=0.1) for _ in range(1000)]
        mine = queue_probe(owner=bob)
    started(mine)
    before = Start.objects.filter(pk__lt=Start.objects.get(run_id=mine.pk).pk).count()
    assert before <= 20, before
    waiting = TaskRun.objects.filter(
        pk__in=[run.pk for run in thousand], state=State.PENDING, rung_at=None
    )
    assert waiting.count() > 900
    assert broker(harmed.servers).llen("default") < 20


def _queue_to_frozen_workers(harmed: Stack, queue_probe: Queue) -> list[TaskRun]:
    with transaction.atomic():  # all messages leave at the commit
        runs = [queue_probe() for _ in harmed.workers]
        for worker in harmed.workers:
            worker.freeze()
    time.sleep(0.1)
    return runs
