"""Late writers: an attempt that was taken over, a worker whose run was cancelled, children of a
failed parent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from tasks_ui.kinds import TaskKind
from tasks_ui.models import State, TaskRun
from tasks_ui.runs.services import request_cancel
from tasks_ui.runs.transitions import Fenced, claim, create_children, emit, retry_at, transition
from tasks_ui.worker.execute import tracked
from tasks_ui.worker.work import Work

Queue = Callable[..., TaskRun]
BODY = TaskKind(name="probe", label="Probe", task_name="tests.late_writer", queue="default")


endings: dict[str, Callable[[TaskRun], BaseException]] = {}


@tracked(BODY)
def late_writer(work: Work) -> Any:
    raise endings[str(work.run.pk)](work.run)


def fresh(run: TaskRun) -> TaskRun:
    return TaskRun.objects.get(pk=run.pk)


def started(run: TaskRun) -> TaskRun:
    taken = claim(run.pk, attempt=run.attempt, worker="w")
    assert taken
    return taken


def with_children(parent: TaskRun, count: int) -> list[TaskRun]:
    make = lambda: [  # noqa: E731
        TaskRun(kind="probe", queue="default", title="child", weight=10) for _ in range(count)
    ]
    return create_children(parent, attempt=parent.attempt, stage="one", make=make)


def test_an_attempt_that_was_taken_over_adds_no_event(queue_probe: Queue) -> None:
    run = started(queue_probe())
    assert emit(run, "probe.noted", {}, attempt=1).seq == fresh(run).last_seq
    retry_at(run, attempt=1, delay_s=0, error="The worker was lost.")
    started(fresh(run))
    before = fresh(run).last_seq
    with pytest.raises(Fenced):
        emit(run, "probe.noted", {}, attempt=1)
    assert fresh(run).last_seq == run.events.count() == before


@pytest.mark.parametrize("attempt", [1, None])
def test_a_finished_run_gets_no_event(queue_probe: Queue, attempt: int | None) -> None:
    run = started(queue_probe())
    transition(run, State.SUCCESS, attempt=1)
    before = fresh(run).last_seq
    with pytest.raises(Fenced):
        emit(run, "probe.noted", {}, attempt=attempt)
    assert fresh(run).last_seq == run.events.count() == before


def test_the_children_of_a_failed_parent_are_cancelled_with_it(queue_probe: Queue) -> None:
    parent = started(queue_probe(kind="probe_family"))
    waits, runs, done = with_children(parent, 3)
    started(runs)
    transition(started(done), State.SUCCESS, attempt=1)
    assert transition(parent, State.FAILURE, attempt=1, error_code="error")
    assert [fresh(child).state for child in (waits, runs, done)] == [
        State.REVOKED,
        State.CANCELLING,
        State.SUCCESS,
    ]


def test_a_retry_that_a_cancel_refuses_is_confirmed_at_once(
    transactional_db: None, alice: User, queue_probe: Queue
) -> None:
    class CancelledWhenRead(Exception):
        def __str__(self) -> str:
            request_cancel(run, by=alice)
            return "failed"

    run = queue_probe()
    endings[str(run.pk)] = lambda _: CancelledWhenRead()
    late_writer.apply(args=[str(run.pk), 0])
    assert (fresh(run).state, fresh(run).lease_until) == (State.REVOKED, None)


def test_a_run_of_a_worker_that_shuts_down_is_cancelled_at_once(
    transactional_db: None, alice: User, queue_probe: Queue
) -> None:
    run = queue_probe()

    def shut_down(taken: TaskRun) -> SystemExit:
        request_cancel(taken, by=alice)
        return SystemExit(0)

    endings[str(run.pk)] = shut_down
    with pytest.raises(SystemExit):
        late_writer.apply(args=[str(run.pk), 0])
    assert (fresh(run).state, fresh(run).lease_until) == (State.REVOKED, None)
