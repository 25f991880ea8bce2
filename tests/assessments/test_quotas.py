"""A person at a limit is refused with a message, nothing is half-written, and nobody else
notices."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from assessments import recommending, services
from assessments.models import AgentReport, Assessment, AssessmentRun, Report, VersionFile
from assessments.quotas import QuotaError
from assessments.requirements import Requirements
from tasks_ui.models import ApiToken, State, TaskRun

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import Settings

FILE = b"a" * 600_000
OTHER_FILE = b"b" * 600_000
MAIN_TF = 'resource "aws_s3_bucket" "logs" {}\n'


def created(owner: User, *, content: bytes = b"a", key: str | None = None) -> Assessment:
    return services.create_assessment(
        owner=owner,
        name="shop",
        requirements=Requirements(),
        uploads=[("main.tf", content)],
        idempotency_key=key,
    )


def finished(owner: User) -> AssessmentRun:
    task = services.start_analysis(created(owner), by=owner)
    TaskRun.objects.filter(pk=task.pk).update(state=State.SUCCESS, finished_at="2026-11-25T12Z")
    run = AssessmentRun.objects.get(task=task)
    AssessmentRun.objects.filter(pk=run.pk).update(
        status=AssessmentRun.Status.COMPLETED, finished_at="2026-11-25T12Z"
    )
    return run


def api_of(user: User) -> Callable[..., Any]:
    headers = {"Authorization": f"Bearer {ApiToken.issue(owner=user, name='test')[1]}"}

    def post(path: str, body: Any = None, **more: str) -> Any:
        return Client().post(
            f"/api/v1/assessments/{path}",
            body or {},
            content_type="application/json",
            headers={**headers, **more},
        )

    return post


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def is_refusal(answer: Any, status: int, words: str) -> bool:
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    return words in answer.json()["detail"]


def test_one_assessment_too_many_is_refused(alice: User, bob: User, settings: Settings) -> None:
    settings.QUOTA_ASSESSMENTS = 1
    body = {"name": "shop", "files": [{"path": "main.tf", "content": MAIN_TF}]}
    post = api_of(alice)
    first = post("", body, **{"Idempotency-Key": "one"})
    assert first.status_code == 201
    assert is_refusal(post("", body), 413, "Delete assessments that you no longer need")
    assert VersionFile.objects.count() == 1
    again = post("", body, **{"Idempotency-Key": "one"})
    assert again.json()["id"] == first.json()["id"]
    assert api_of(bob)("", body).status_code == 201
    services.delete_assessment(Assessment.objects.get(owner=alice), by=alice)
    assert post("", body).status_code == 201


def test_files_beyond_the_stored_bytes_are_refused(
    alice: User, bob: User, settings: Settings
) -> None:
    settings.QUOTA_STORED_MB = 1
    assert created(alice, content=FILE).stored_bytes == len(FILE)
    with pytest.raises(
        QuotaError, match=r"take 0\.6 MB, and 0\.6 MB of 1 MB are in use\. Delete"
    ) as error:
        created(alice, content=OTHER_FILE)
    assert error.value.status == 413
    assert (Assessment.objects.count(), VersionFile.objects.count()) == (1, 1)
    created(bob, content=FILE)


def test_one_waiting_run_too_many_is_refused(
    transactional_db: None, alice: User, bob: User, settings: Settings
) -> None:
    settings.QUOTA_WAITING_RUNS = 1
    mine, of_bob = created(alice), created(bob)
    post = api_of(alice)
    first = post(f"{mine.pk}/analyze", **{"Idempotency-Key": "one"})
    assert first.status_code == 202
    assert is_refusal(post(f"{mine.pk}/analyze"), 429, "Cancel some on the dashboard")
    assert AssessmentRun.objects.count() == TaskRun.objects.count() == 1
    again = post(f"{mine.pk}/analyze", **{"Idempotency-Key": "one"})
    assert again.json()["task_id"] == first.json()["task_id"]
    assert api_of(bob)(f"{of_bob.pk}/analyze").status_code == 202
    TaskRun.objects.filter(owner=alice).update(state=State.STARTED)
    assert post(f"{mine.pk}/analyze").status_code == 202


def test_one_report_too_many_is_refused(alice: User, bob: User, settings: Settings) -> None:
    settings.QUOTA_REPORTS = 1
    mine, of_bob = finished(alice), finished(bob)
    assert api_of(alice)(f"{mine.assessment_id}/reports").status_code == 202
    answer = api_of(alice)(f"{mine.assessment_id}/reports")
    assert is_refusal(answer, 413, "their reports go with them")
    assert Report.objects.count() == TaskRun.objects.filter(kind="generate_report").count() == 1
    assert api_of(bob)(f"{of_bob.assessment_id}/reports").status_code == 202


def test_no_limit_where_the_setting_is_zero(alice: User, settings: Settings) -> None:
    for name in ("STORED_MB", "ASSESSMENTS", "WAITING_RUNS", "REPORTS"):
        setattr(settings, f"QUOTA_{name}", 0)
    run = finished(alice)
    services.start_analysis(run.assessment, by=alice)
    assert services.request_report(run, by=alice, kind="full", format="json").task


Ask = Callable[["User"], object]
PARALLEL: dict[str, Ask] = {
    "QUOTA_ASSESSMENTS": created,
    "QUOTA_STORED_MB": lambda owner: created(owner, content=FILE + os.urandom(8)),
    "QUOTA_WAITING_RUNS": lambda owner: services.start_analysis(
        Assessment.objects.filter(owner=owner)[0], by=owner
    ),
    "QUOTA_REPORTS": lambda owner: services.request_report(
        AssessmentRun.objects.filter(assessment__owner=owner)[0],
        by=owner,
        kind="full",
        format="json",
    ),
}


@pytest.mark.parametrize("name", PARALLEL)
def test_of_parallel_requests_only_as_many_pass_as_there_is_room_for(
    name: str, transactional_db: None, alice: User, bob: User, settings: Settings
) -> None:
    if name in {"QUOTA_WAITING_RUNS", "QUOTA_REPORTS"}:
        finished(alice)
        finished(bob)
    setattr(settings, name, 1)

    def ask(owner: User) -> tuple[str, bool]:
        try:
            PARALLEL[name](owner)
        except QuotaError:
            return owner.username, False
        finally:
            connection.close()
        return owner.username, True

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(ask, [alice, bob] * 3))
    assert answers.count(("alice", True)) == answers.count(("bob", True)) == 1


def test_a_new_assessment_that_can_not_run_is_not_stored(alice: User, settings: Settings) -> None:
    settings.QUOTA_WAITING_RUNS = 1
    services.start_analysis(created(alice), by=alice)
    client = browser_of(alice)
    for page, body in (
        ("new_assessment", {"paste": MAIN_TF, "paste_name": "main.tf"}),
        ("try_sample", {}),
    ):
        answer = client.post(reverse(page), body)
        assert answer.status_code == 429
        assert "Cancel some on the dashboard" in answer.content.decode()
    assert Assessment.objects.count() == 1


def test_the_form_shows_where_to_delete(alice: User, settings: Settings) -> None:
    settings.QUOTA_ASSESSMENTS = 1
    created(alice)
    client = browser_of(alice)
    answer = client.post(reverse("new_assessment"), {"paste": MAIN_TF, "paste_name": "main.tf"})
    assert answer.status_code == 413
    text = answer.content.decode()
    assert "There is no room for another assessment" in text
    assert f'href="{reverse("assessments")}"' in text
    listed = client.get(reverse("assessments")).content.decode()
    assert "1 of 1 assessments" in listed
    assert reverse("delete_assessment", args=[Assessment.objects.get().pk]) in listed


def test_pages_that_start_runs_say_why_not(alice: User, settings: Settings) -> None:
    run = finished(alice)
    assert run.task
    settings.QUOTA_WAITING_RUNS = settings.QUOTA_REPORTS = 1
    services.start_analysis(created(alice), by=alice)
    Report.objects.create(run=run)
    client = browser_of(alice)
    of_assessment, task = [run.assessment_id], [run.task.pk]
    waiting = "1 runs are waiting for a worker"
    for address, body in (
        (reverse("analyze", args=of_assessment), {}),
        (reverse("make_report", args=[*of_assessment, 1]), {"kind": "full", "format": "json"}),
        (reverse("run_task_again", args=task), {}),
        (reverse("bulk_tasks"), {"act": "again", "task": task}),
    ):
        shown = client.post(address, body, follow=True)
        assert shown.status_code == 200
        assert waiting in shown.content.decode(), address
    page = client.post(reverse("requirements", args=of_assessment), {"replicas": "3"})
    assert page.status_code == 429
    assert waiting in page.content.decode()
    assert Assessment.objects.get(pk=run.assessment_id).requirements == {}
    assert (TaskRun.objects.count(), Report.objects.count()) == (2, 1)


def test_the_api_retries_nothing_beyond_the_limit(alice: User, settings: Settings) -> None:
    run = finished(alice)
    assert run.task
    settings.QUOTA_WAITING_RUNS = 1
    services.start_analysis(created(alice), by=alice)
    key = ApiToken.issue(owner=alice, name="test")[1]
    answer = Client().post(
        f"/api/v1/tasks/{run.task.pk}/retry", headers={"Authorization": f"Bearer {key}"}
    )
    assert is_refusal(answer, 429, "are waiting for a worker")


def test_an_administrator_sees_why_a_task_is_not_run_again(
    alice: User, admin_client: Client, settings: Settings
) -> None:
    run = finished(alice)
    assert run.task
    settings.QUOTA_WAITING_RUNS = 1
    services.start_analysis(created(alice), by=alice)
    answer = admin_client.post(
        reverse("admin:tasks_ui_taskrun_changelist"),
        {"action": "retry_runs", "_selected_action": [str(run.task.pk)]},
        follow=True,
    )
    assert "are waiting for a worker" in answer.content.decode()
    assert TaskRun.objects.count() == 2


def test_a_run_without_room_for_its_report_completes_and_says_so(
    alice: User, settings: Settings
) -> None:
    settings.QUOTA_REPORTS = 1
    run = finished(alice)
    Report.objects.create(run=run)
    AgentReport.objects.create(run=run, agent="security", position=0, status="assessed", score=61)
    recommending.store(run, [])
    assert Report.objects.count() == 1
    shown = browser_of(alice).get(reverse("run", args=[run.assessment_id, run.number]))
    assert "The automatic report was not created." in shown.content.decode()
