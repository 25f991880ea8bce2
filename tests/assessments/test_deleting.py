"""An assessment is deleted while tasks about it wait, run, or are just being queued."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test import Client

from assessments.models import Assessment, AssessmentRun
from assessments.requirements import Requirements
from assessments.services import (
    create_assessment,
    delete_assessment,
    queue_recommendations,
    request_report,
    start_analysis,
)
from tasks_ui.models import ApiToken, State, TaskRun
from tasks_ui.runs.transitions import claim, transition

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@pytest.fixture
def assessment(alice: User) -> Assessment:
    return create_assessment(
        owner=alice,
        name="network",
        requirements=Requirements(),
        uploads=[("main.tf", b'resource "aws_s3_bucket" "b" {}')],
    )


def at_work(assessment: Assessment, alice: User) -> TaskRun:
    task = claim(start_analysis(assessment, by=alice).pk, attempt=0, worker="w")
    assert task
    return task


def test_every_task_about_a_deleted_assessment_is_cancelled(
    alice: User, assessment: Assessment, client: Client
) -> None:
    done = at_work(assessment, alice)
    run = AssessmentRun.objects.get(task=done)
    transition(done, State.SUCCESS, attempt=1, save=lambda: queue_recommendations(run))
    request_report(run, by=alice, kind="technical", format="html")
    running = at_work(assessment, alice)
    key = ApiToken.issue(owner=alice, name="test")[1]
    answer = client.delete(
        f"/api/v1/assessments/{assessment.pk}", headers={"Authorization": f"Bearer {key}"}
    )
    assert answer.status_code == 204
    assert not Assessment.objects.exists()
    states = dict(TaskRun.objects.values_list("kind", "state").exclude(pk__in=[done.pk]))
    assert states == {
        "generate_recommendations": State.REVOKED,
        "generate_report": State.REVOKED,
        "process_assessment": State.CANCELLING,
    }
    assert TaskRun.objects.get(pk=running.pk).cancel_requested_by == alice


def test_recommendations_that_are_queued_during_the_deletion_are_cancelled_too(
    transactional_db: None, alice: User, assessment: Assessment
) -> None:
    task = at_work(assessment, alice)
    run = AssessmentRun.objects.get(task=task)
    deleting = threading.Event()

    def queue_late() -> None:
        queue_recommendations(run)
        deleting.set()
        time.sleep(0.5)  # the cancel waits for this transaction's locks

    def finish() -> None:
        transition(task, State.SUCCESS, attempt=1, save=queue_late)
        connection.close()

    worker = threading.Thread(target=finish)
    worker.start()
    assert deleting.wait(timeout=30)
    delete_assessment(assessment, by=alice)
    worker.join(timeout=30)
    assert TaskRun.objects.get(pk=task.pk).state == State.SUCCESS
    late = TaskRun.objects.get(kind="generate_recommendations")
    assert late.state == State.REVOKED
