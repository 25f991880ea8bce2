"""A stage whose parent's worker was lost right after it had created the children."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from assessments.models import AssessmentRun
from assessments.requirements import Requirements
from assessments.services import create_assessment, start_analysis
from assessments.tasks import process_assessment
from tasks_ui.models import State, TaskRun
from tasks_ui.runs.transitions import (
    claim,
    create_children,
    finish_stage,
    retry_at,
    transition,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def children(parent: TaskRun, *, stage: str, count: int) -> list[TaskRun]:
    make = lambda: [  # noqa: E731
        TaskRun(kind="probe", queue="default", title=stage, weight=10) for _ in range(count)
    ]
    return create_children(parent, attempt=1, stage=stage, make=make)


def finished(run: TaskRun, state: State) -> None:
    taken = claim(run.pk, attempt=0, worker="w")
    assert taken
    transition(taken, state, attempt=1)


@pytest.fixture
def scanning(transactional_db: None, alice: User) -> tuple[TaskRun, list[TaskRun]]:
    """An assessment's task, lost in the scan and requeued, and its two shards."""
    assessment = create_assessment(
        owner=alice,
        name="network",
        requirements=Requirements(),
        uploads=[("main.tf", b'resource "aws_s3_bucket" "b" {}')],
    )
    task = start_analysis(assessment, by=alice)
    parent = claim(task.pk, attempt=0, worker="w")
    assert parent
    [intake] = children(parent, stage="intake", count=1)
    finished(intake, State.SUCCESS)
    finish_stage(parent, attempt=1, stage="intake", percent=10, data={})
    shards = children(parent, stage="scan", count=2)
    retry_at(parent, attempt=1, delay_s=0, error="The worker was lost.")
    return parent, shards


def test_one_shard_that_failed_while_another_waits_fails_no_run(
    scanning: tuple[TaskRun, list[TaskRun]],
) -> None:
    parent, shards = scanning
    finished(shards[0], State.FAILURE)
    process_assessment.apply(args=[str(parent.pk), 1])
    parent.refresh_from_db()
    assert (parent.state, parent.attempt, parent.error) == (
        State.PROGRESS,
        2,
        "The worker was lost.",
    )
    assert AssessmentRun.objects.get().status == AssessmentRun.Status.RUNNING


def test_a_run_all_of_whose_shards_failed_fails(
    scanning: tuple[TaskRun, list[TaskRun]],
) -> None:
    parent, shards = scanning
    for shard in shards:
        finished(shard, State.FAILURE)
    process_assessment.apply(args=[str(parent.pk), 1])
    parent.refresh_from_db()
    assert parent.state == State.FAILURE
