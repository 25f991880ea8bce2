"""Operators pause queues; a pause is a row, which every process finds and none forgets."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User

from tasks_ui.models import PausedQueue, State, TaskRun
from tasks_ui.reconciler import reconcile
from tasks_ui.runs import dispatch, queues
from tasks_ui.runs.services import expedite
from tasks_ui.runs.transitions import claim, create_children, retry_at, wait_for_children

Queue = Callable[..., TaskRun]


def fresh(run: TaskRun) -> TaskRun:
    return TaskRun.objects.get(pk=run.pk)


def test_nothing_is_let_into_a_paused_queue_until_it_is_resumed(
    alice: User, queue_probe: Queue
) -> None:
    queues.pause("default", by=alice)
    run = queue_probe()
    reconcile()
    assert fresh(run).rung_at is None
    queues.resume("default", by=alice)
    assert fresh(run).rung_at is not None


def test_a_worker_that_has_the_message_is_refused_and_the_run_waits_for_the_resuming(
    alice: User, queue_probe: Queue
) -> None:
    run = queue_probe()
    assert fresh(run).rung_at is not None
    queues.pause("default", by=alice)
    assert claim(run.pk, attempt=0, worker="w") is None
    assert (fresh(run).state, fresh(run).attempt, fresh(run).rung_at) == (State.PENDING, 0, None)
    reconcile()
    assert fresh(run).rung_at is None
    queues.resume("default", by=alice)
    assert fresh(run).rung_at is not None
    started = claim(run.pk, attempt=0, worker="w")
    assert started and started.state == State.STARTED


def test_a_retry_of_a_paused_queue_waits_and_is_rung_for_after_it(
    alice: User, queue_probe: Queue
) -> None:
    run = queue_probe()
    claim(run.pk, attempt=0, worker="w")
    retry_at(run, attempt=1, delay_s=60, error="failed")
    queues.pause("default", by=alice)
    TaskRun.objects.filter(pk=run.pk).update(next_retry_at=run.created_at)
    reconcile()
    assert (fresh(run).rung_at, claim(run.pk, attempt=1, worker="w")) == (None, None)
    queues.resume("default", by=alice)
    reconcile()
    assert fresh(run).rung_at is not None
    assert claim(run.pk, attempt=1, worker="w")


def test_a_parent_does_not_go_on_in_a_paused_queue(alice: User, queue_probe: Queue) -> None:
    run = queue_probe(kind="probe_family")
    claim(run.pk, attempt=0, worker="w")
    wait_for_children(fresh(run), attempt=1, message="")
    queues.pause("default", by=alice)
    assert claim(run.pk, attempt=1, worker="w") is None
    assert fresh(run).lease_until is None
    reconcile()
    assert fresh(run).rung_at is None
    queues.resume("default", by=alice)
    reconcile()
    assert fresh(run).rung_at is not None
    resumed = claim(run.pk, attempt=1, worker="w")
    assert resumed and resumed.lease_until is not None


def test_other_queues_go_on(alice: User, queue_probe: Queue) -> None:
    queues.pause("reports", by=alice)
    assert claim(queue_probe().pk, attempt=0, worker="w")


def test_the_second_to_pause_or_resume_changes_nothing(alice: User, bob: User) -> None:
    assert queues.pause("default", by=alice) and not queues.pause("default", by=bob)
    assert PausedQueue.objects.get().paused_by == alice
    assert queues.resume("default", by=bob) and not queues.resume("default", by=alice)
    assert [(entry.user, str(entry)) for entry in queues.audit()] == [
        (bob, "Changed “default” — Resumed."),
        (alice, "Changed “default” — Paused."),
    ]


def test_a_queue_that_is_not_there_is_not_paused(alice: User) -> None:
    with pytest.raises(queues.NoSuchQueueError):
        queues.pause("no-such-queue", by=alice)
    assert not PausedQueue.objects.exists()


def test_the_overview_counts_what_waits_by_owner_and_what_runs(
    alice: User, bob: User, queue_probe: Queue
) -> None:
    runs = [queue_probe() for _ in range(10)]
    queue_probe(owner=bob, queue="reports")
    claim(runs[0].pk, attempt=0, worker="w")
    found = {queue.name: queue for queue in queues.overview()}
    default = found["default"]
    assert (default.waiting, default.running, default.oldest_at) == (9, 1, runs[1].queued_at)
    assert [(wait.owner, wait.waiting, wait.outside) for wait in default.owners] == [
        ("alice", 9, default.outside)
    ]
    assert (
        default.outside
        == TaskRun.objects.filter(rung_at=None, queue="default", state=State.PENDING).count()
        > 0
    )
    assert [wait.owner for wait in found["reports"].owners] == ["bob"]
    assert (found["priority"].waiting, found["priority"].pause) == (0, None)


def test_a_hurried_run_moves_to_the_priority_queue_with_its_later_children(
    alice: User, queue_probe: Queue
) -> None:
    run = queue_probe(kind="probe_family", children=1)
    assert expedite(run, by=alice)
    assert (fresh(run).queue, fresh(run).rung_at is None) == (dispatch.PRIORITY, False)
    started = claim(run.pk, attempt=0, worker="w")
    assert started
    child = TaskRun(kind="probe", queue="default", title="child", weight=100)
    create_children(started, attempt=1, stage="first", make=lambda: [child])
    assert TaskRun.objects.get(parent=run).queue == dispatch.PRIORITY


def test_only_what_waits_is_hurried_and_only_once(alice: User, queue_probe: Queue) -> None:
    run, waiting = queue_probe(), queue_probe()
    claim(run.pk, attempt=0, worker="w")
    assert not expedite(run, by=alice)
    assert fresh(run).queue == "default"
    assert expedite(waiting, by=alice) and not expedite(waiting, by=alice)
    assert [event.type for event in waiting.events.all()] == ["task.queued", "task.expedited"]
