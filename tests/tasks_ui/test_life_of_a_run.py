"""Runs through real workers: what is queued ends, once, and its events have no gap."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest
from django_celery_results.models import TaskResult

from tasks_ui.models import FINAL, State, TaskEvent, TaskRun
from tasks_ui.runs import dispatch
from tasks_ui.runs.services import request_cancel
from tests.probe.models import Effect, Job, Start
from tests.stack import Stack, wait_until

Queue = Callable[..., TaskRun]


def ended(run: TaskRun, *, timeout_s: float = 60) -> TaskRun:
    wait_until(
        lambda: TaskRun.objects.get(pk=run.pk).state in FINAL,
        timeout_s=timeout_s,
        what=f"the end of {run}",
    )
    return TaskRun.objects.get(pk=run.pk)


def events_of(run: TaskRun) -> list[str]:
    events = list(TaskEvent.objects.filter(task=run).order_by("seq"))
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    return [e.type for e in events]


def test_a_run_succeeds_with_one_effect_and_an_archived_result(
    shared_stack: Stack, queue_probe: Queue
) -> None:
    run = ended(queue_probe())
    assert (run.state, run.attempt, run.percent) == (State.SUCCESS, 1, 100)
    assert Effect.objects.filter(run_id=run.pk).count() == 1
    assert TaskResult.objects.get(task_id=str(run.pk)).status == "SUCCESS"
    assert events_of(run) == ["task.queued", "task.started", "task.succeeded"]


def test_a_run_that_lasts_shows_its_progress_in_its_row(
    shared_stack: Stack, queue_probe: Queue
) -> None:
    run = queue_probe(duration_s=3)
    wait_until(
        lambda: 0 < TaskRun.objects.get(pk=run.pk).current < 60,
        timeout_s=30,
        what="progress in the row",
    )
    assert ended(run).state == State.SUCCESS
    assert "task.progressing" in events_of(run)


def test_a_failed_attempt_is_retried_and_the_error_kept(
    shared_stack: Stack, queue_probe: Queue
) -> None:
    run = ended(queue_probe(manner="flaky"))
    assert (run.state, run.attempt) == (State.SUCCESS, 2)
    retrying = TaskEvent.objects.get(task=run, type="task.retrying")
    assert retrying.data["error"] == "the probe was told to fail"


def test_an_error_that_no_retry_mends_fails_at_once_in_words(
    shared_stack: Stack, queue_probe: Queue
) -> None:
    run = ended(queue_probe(manner="hopeless"))
    assert (run.state, run.attempt, run.error_code) == (State.FAILURE, 1, "input_unreadable")
    assert run.error == "main.tf:4 can't be fixed"
    assert TaskResult.objects.get(task_id=str(run.pk)).status == "FAILURE"


def test_a_parent_goes_on_when_its_last_child_is_done(
    shared_stack: Stack, queue_probe: Queue
) -> None:
    run = ended(queue_probe(kind="probe_family", children=3, duration_s=0.2))
    assert (run.state, run.attempt) == (State.SUCCESS, 1)
    assert TaskRun.objects.filter(parent=run, state=State.SUCCESS).count() == 6
    assert Effect.objects.filter(run_id=run.pk).count() == 1
    stages = [name for name in events_of(run) if name.startswith("stage.")]
    assert stages == ["stage.started", "stage.finished"] * 2


def test_a_running_run_is_cancelled_with_its_engine(
    shared_stack: Stack, queue_probe: Queue
) -> None:
    run = queue_probe(manner="engine", duration_s=60)
    job = Job.objects.get(pk=str(run.subject_id))
    wait_until(
        lambda: Job.objects.get(pk=job.pk).engine_pid, timeout_s=30, what="the engine's process"
    )
    request_cancel(run, by=run.owner)
    run = ended(run, timeout_s=20)
    assert run.state == State.REVOKED
    assert run.cancel_requested_by_id == run.owner_id
    assert not psutil.pid_exists(Job.objects.get(pk=job.pk).engine_pid or 0)
    assert Effect.objects.filter(run_id=run.pk).count() == 0


def test_cancelling_a_parent_ends_its_children_first(
    shared_stack: Stack, queue_probe: Queue
) -> None:
    run = queue_probe(kind="probe_family", children=4, duration_s=30)
    children = TaskRun.objects.filter(parent=run)
    wait_until(
        lambda: children.filter(state=State.PROGRESS).exists(), timeout_s=30, what="a running child"
    )
    request_cancel(run, by=run.owner)
    assert ended(run, timeout_s=30).state == State.REVOKED
    assert set(children.values_list("state", flat=True)) == {State.REVOKED}
    assert TaskRun.objects.get(pk=run.pk).current < 50, "a bar stops where the work stopped"
    assert events_of(run)[-1] == "task.revoked"


def test_a_stubborn_run_is_ended_by_force_after_its_grace(
    shared_stack: Stack, queue_probe: Queue
) -> None:
    run = queue_probe(manner="stubborn", duration_s=120)
    wait_until(lambda: Start.objects.filter(run_id=run.pk).exists(), timeout_s=30, what="the start")
    request_cancel(run, by=run.owner)
    assert TaskRun.objects.get(pk=run.pk).state == State.CANCELLING
    assert ended(run, timeout_s=60).state == State.REVOKED


@pytest.mark.parametrize("copies", [1, 5])
def test_a_message_delivered_often_runs_its_task_once(
    shared_stack: Stack, queue_probe: Queue, copies: int
) -> None:
    run = queue_probe(duration_s=0.5)
    for _ in range(copies):
        dispatch.send(run.pk, kind=run.kind, queue=run.queue, attempt=0)
    ended(run)
    assert Start.objects.filter(run_id=run.pk).count() == 1
