"""An assessment is deleted while its tasks are waiting, running, or just being queued."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_results.models import TaskResult

from assessments.models import Assessment, AssessmentRun, Report
from assessments.requirements import Requirements
from assessments.services import (
    create_assessment,
    delete_assessment,
    queue_recommendations,
    request_report,
    start_analysis,
)
from assessments.tasks import delete_old_assessments
from infra_mind.celery import app
from tasks_ui.models import ApiToken, AuditEntry, State, TaskEvent, TaskRun
from tasks_ui.runs.transitions import (
    claim,
    confirm_cancelled,
    create_children,
    transition,
    write_progress,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import Settings


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
    left = TaskRun.objects.get()
    assert (left.pk, left.state) == (running.pk, State.CANCELLING), "what waited is gone"
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
    assert not TaskRun.objects.exists(), "cancelled, then forgotten"


@pytest.mark.parametrize("by_api", [True, False])
def test_one_report_is_deleted_alone(
    alice: User, assessment: Assessment, client: Client, by_api: bool
) -> None:
    done = at_work(assessment, alice)
    run = AssessmentRun.objects.get(task=done)
    transition(done, State.SUCCESS, attempt=1)
    gone, kept = (request_report(run, by=alice, kind="cost", format=f) for f in ("html", "csv"))
    task = gone.task
    assert task is not None
    client.force_login(alice)
    if by_api:
        path = f"/api/v1/assessments/{assessment.pk}/reports/{gone.pk}"
        key = ApiToken.issue(owner=alice, name="test")[1]
        answer = client.delete(path, headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 204
    else:
        Report.objects.filter(pk=gone.pk).update(task=None)
        answer = client.post(f"/reports/{gone.pk}/delete/", {"next": "/reports/"})
        assert answer["Location"] == "/reports/"
    assert list(Report.objects.values_list("pk", flat=True)) == [kept.pk]
    assert TaskRun.objects.filter(pk=task.pk).exists() == (not by_api)
    assert AuditEntry.objects.get(event=AuditEntry.Event.DELETED).about.startswith("cost html")


NAME = 'Quetzal "9" köln'
EVERY_TEXT = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = 'public'
      AND data_type IN ('text', 'character varying', 'json', 'jsonb', 'ARRAY')
"""


def places_of(name: str) -> list[str]:
    """Every column of the database that contains ``name``, as text or inside JSON."""
    found = []
    spellings = [name, *(json.dumps(name, ensure_ascii=ascii)[1:-1] for ascii in (True, False))]
    with connection.cursor() as cursor:
        cursor.execute(EVERY_TEXT)
        for table, column in cursor.fetchall():
            cursor.execute(
                f'SELECT count(*) FROM "{table}", unnest(%s::text[]) AS spelling'  # noqa: S608
                f' WHERE strpos("{column}"::text, spelling) > 0',
                [spellings],
            )
            if cursor.fetchone()[0]:
                found.append(f"{table}.{column}")
    return found


@pytest.fixture
def named(alice: User) -> Assessment:
    return create_assessment(
        owner=alice, name=NAME, requirements=Requirements(), uploads=[("main.tf", b"a")]
    )


def with_a_part(task: TaskRun) -> TaskRun:
    part = TaskRun(kind="intake", queue="assessments", title=f"Read {NAME}", weight=10)
    return create_children(task, attempt=1, stage="intake", make=lambda: [part])[0]


def test_nothing_in_the_database_names_a_deleted_assessment(
    alice: User, admin_user: User, named: Assessment
) -> None:
    done = at_work(named, alice)
    run = AssessmentRun.objects.get(task=done)
    child = claim(with_a_part(done).pk, attempt=0, worker="w")
    assert child
    transition(child, State.FAILURE, attempt=1, error=f"can't read {NAME}", error_code="x")
    transition(done, State.SUCCESS, attempt=1, save=lambda: queue_recommendations(run))
    request_report(run, by=alice, kind="technical", format="html")
    running = at_work(named, alice)
    part = claim(with_a_part(running).pk, attempt=0, worker="w")
    assert part
    write_progress(running, attempt=1, current=1, total=2, message=f"Reading {NAME}")
    LogEntry.objects.log_actions(admin_user.pk, [running], CHANGE, "moved", single_object=True)
    assert "tasks_ui_taskevent.data" in places_of(NAME)

    delete_assessment(named, by=alice)

    assert places_of(NAME) == []
    assert set(TaskRun.objects.values_list("pk", "title")) == {
        (running.pk, "Deleted assessment"),
        (part.pk, "Deleted assessment"),
    }
    assert not TaskResult.objects.exists()
    assert confirm_cancelled(part, attempt=1)
    assert confirm_cancelled(running, attempt=1)
    assert TaskRun.objects.get(pk=running.pk).state == State.REVOKED
    assert places_of(NAME) == []
    seqs = list(TaskEvent.objects.filter(task=running).values_list("seq", flat=True))
    assert seqs == list(range(1, TaskRun.objects.get(pk=running.pk).last_seq + 1))
    told = TaskEvent.objects.filter(task=running, type="stage.started").get().data
    assert told["children"][0]["title"] == "Deleted assessment"
    assert told["children"][0]["state"] == State.PENDING


def test_nothing_names_an_assessment_that_was_deleted_after_its_run(
    alice: User, named: Assessment
) -> None:
    done = at_work(named, alice)
    transition(done, State.SUCCESS, attempt=1)
    delete_assessment(named, by=alice)
    assert places_of(NAME) == []
    assert not TaskRun.objects.exists()
    assert not TaskResult.objects.exists()


def test_the_audit_log_keeps_the_deletion_but_not_the_name(
    alice: User, named: Assessment, client: Client
) -> None:
    run = AssessmentRun.objects.get(task=at_work(named, alice))
    report = Report.objects.create(run=run, content=b"a")
    client.force_login(alice)
    assert client.get(reverse("download_report", args=[report.pk])).status_code == 200
    client.post(reverse("delete_assessment", args=[named.pk]))
    deleted = AuditEntry.objects.get(event=AuditEntry.Event.DELETED)
    assert (deleted.actor, str(named.pk) in deleted.about) == (alice, True)
    assert AuditEntry.objects.filter(event=AuditEntry.Event.DOWNLOADED, actor=alice).exists()
    assert places_of("Quetzal") == []


def test_states_survive_the_deletion_of_an_assessment_that_is_named_like_one(alice: User) -> None:
    named = create_assessment(
        owner=alice, name="STARTED", requirements=Requirements(rps_peak=1), uploads=[]
    )
    task = at_work(named, alice)
    delete_assessment(named, by=alice)
    started = TaskEvent.objects.get(task=task, type="task.started")
    assert started.data["state"] == State.STARTED


def test_the_page_shows_what_goes_and_deletes_it(
    alice: User, bob: User, assessment: Assessment, client: Client
) -> None:
    at_work(assessment, alice)
    address = reverse("delete_assessment", args=[assessment.pk])
    client.force_login(bob)
    assert client.get(address).status_code == client.post(address).status_code == 404
    client.force_login(alice)
    run_page = client.get(reverse("run", args=[assessment.pk, 1])).content.decode()
    assert f'href="{address}"' in run_page
    asked = " ".join(client.get(address).content.decode().split())
    assert "1 file, 1 run, 0 findings, 0 recommendations, 0 reports" in asked
    assert "1 task still running or waiting for it will be cancelled" in asked
    assert Assessment.objects.count() == 1
    done = client.post(address, follow=True)
    assert "Deleted network." in done.content.decode()
    assert not Assessment.objects.exists()
    assert "Deleted assessment" in client.get(reverse("dashboard")).content.decode()


def test_assessments_past_their_retention_are_deleted(
    alice: User, bob: User, settings: Settings
) -> None:
    long_ago = timezone.now() - timedelta(days=31)
    _, used, of_bob = (
        create_assessment(
            owner=owner, name="a", requirements=Requirements(), uploads=[("main.tf", b"a")]
        )
        for owner in (alice, alice, bob)
    )
    Assessment.objects.exclude(pk=of_bob.pk).update(created_at=long_ago)
    at_work(used, alice)
    assert delete_old_assessments() == 0, "kept, unless a retention is set"
    settings.ASSESSMENTS_RETENTION_DAYS = 30
    assert delete_old_assessments() == 1
    assert set(Assessment.objects.values_list("pk", flat=True)) == {used.pk, of_bob.pk}
    AssessmentRun.objects.update(created_at=long_ago)
    assert delete_old_assessments() == 1
    assert Assessment.objects.get() == of_bob


def test_beat_rings_a_task_that_exists() -> None:
    names = {each["task"] for each in app.conf.beat_schedule.values()}
    app.loader.import_default_modules()
    assert names <= set(app.tasks)
    assert "assessments.delete_old_assessments" in names
