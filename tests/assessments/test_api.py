"""The REST API of assessments, as a CI job uses it: through the real web process, workers and
scanner."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.test import Client

from assessments.models import Assessment, AssessmentRun, Report, Version, VersionFile
from tasks_ui.models import FINAL, ApiToken, State, TaskRun
from tests.stack import Stack, wait_until
from tests.tasks_ui.test_api_tasks import is_problem

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import Settings

TERRAFORM = """\
resource "aws_security_group" "web" {
  name = "web"

  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
"""


@pytest.fixture
def http(shared_stack: Stack, alice: User) -> Iterator[httpx.Client]:
    with shared_stack.http(token=key_of(alice)) as client:
        client.timeout = httpx.Timeout(130)
        yield client


@pytest.fixture(autouse=True)
def all_ends(shared_stack: Stack) -> Iterator[None]:
    """No run outlives its test: the database is emptied under it."""
    yield
    wait_until(
        lambda: not TaskRun.objects.active().exists(), timeout_s=60, what="the end of all runs"
    )


def key_of(user: User) -> str:
    return ApiToken.issue(owner=user, name="test")[1]


def created(http: httpx.Client, **more: Any) -> str:
    body = {"name": "network", "files": [{"path": "net/main.tf", "content": TERRAFORM}], **more}
    answer = http.post("/api/v1/assessments/", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/api/v1/assessments/{answer.json()['id']}"
    return str(answer.json()["id"])


def test_from_files_to_findings_and_a_report(http: httpx.Client) -> None:
    assessment = created(http, requirements={"uptime_target_percent": 99.9})
    answer = http.post(f"/api/v1/assessments/{assessment}/analyze?background=true")
    assert answer.status_code == 202
    queued = answer.json()
    task = queued["task_id"]
    assert queued == {
        "assessment_id": assessment,
        "task_id": task,
        "status": "queued",
        "message": queued["message"],
        "check_status_url": f"/api/v1/tasks/{task}/status",
    }
    assert answer.headers["Location"] == queued["check_status_url"]

    def status() -> dict[str, Any]:
        return dict(http.get(queued["check_status_url"]).json())

    wait_until(lambda: status()["state"] in FINAL, timeout_s=120, what="the end of the run")
    ended = status()
    assert ended["state"] == "SUCCESS", ended
    assert {
        "assessment_id",
        "status",
        "execution_time",
        "agents_completed",
        "agents_failed",
        "success_rate",
    } <= set(ended["result"])
    page = http.get(
        f"/api/v1/assessments/{assessment}/findings", params={"agent": "security"}
    ).json()
    open_port = next(finding for finding in page["findings"] if finding["rule"] == "CKV_AWS_24")
    assert open_port["file"] == "net/main.tf"
    assert open_port["line_start"] == open_port["line_end"] == 8
    assert page["total"] == len(page["findings"])
    high = http.get(
        f"/api/v1/assessments/{assessment}/findings", params={"severity": "high"}
    ).json()
    assert all(finding["severity"] == "high" for finding in high["findings"])
    run = http.get(f"/api/v1/assessments/{assessment}/runs/1").json()
    assert len(run["agents"]) == 7
    assert run["requirements"] == {"uptime_target_percent": 99.9}

    wait_until(
        lambda: not TaskRun.objects.active().exists(),
        timeout_s=60,
        what="recommendations and report",
    )
    assert http.get(f"/api/v1/assessments/{assessment}/recommendations").json()["recommendations"]
    wanted = http.post(
        f"/api/v1/assessments/{assessment}/reports", json={"kind": "full", "format": "json"}
    )
    assert wanted.status_code == 202
    assert is_problem(
        http.post(f"/api/v1/assessments/{assessment}/reports", json={"kind": "poem"}), 422
    )
    report = wanted.json()
    wait_until(lambda: http.get(report["url"]).status_code == 200, timeout_s=30, what="the report")
    download = http.get(report["url"])
    assert download.headers["Content-Disposition"].endswith('-run-1-full.json"')
    assert json.loads(download.content)
    reports = http.get(f"/api/v1/assessments/{assessment}/reports").json()["reports"]
    assert report["id"] in {each["id"] for each in reports if each["is_ready"]}


def test_waiting_for_the_result_gives_the_summary(http: httpx.Client) -> None:
    assessment = created(http)
    answer = http.post(f"/api/v1/assessments/{assessment}/analyze?background=false")
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "completed"
    assert answer.json()["result"]["assessment_id"] == assessment


def test_waiting_too_long_names_the_task_which_goes_on(
    shared_stack: Stack, http: httpx.Client, alice: User, settings: Settings
) -> None:
    settings.ANALYZE_WAIT_MAX_S = 0
    settings.ALLOWED_HOSTS = ["testserver"]
    here = Client(headers={"Authorization": f"Bearer {key_of(alice)}"})
    answer = here.post(f"/api/v1/assessments/{created(http)}/analyze?background=false")
    assert (answer.status_code, answer.headers["Content-Type"]) == (504, "application/problem+json")
    run = TaskRun.objects.get(pk=answer.json()["task_id"])
    assert run.state not in {State.REVOKED, State.FAILURE}
    http.post(f"/api/v1/tasks/{run.pk}/cancel")


def test_the_same_idempotency_key_starts_one_run(http: httpx.Client) -> None:
    assessment, other = created(http), created(http)
    headers = {"Idempotency-Key": "build 17"}
    first = http.post(f"/api/v1/assessments/{assessment}/analyze", headers=headers)
    again = http.post(f"/api/v1/assessments/{assessment}/analyze", headers=headers)
    assert first.status_code == again.status_code == 202
    assert first.json()["task_id"] == again.json()["task_id"]
    assert AssessmentRun.objects.count() == 1
    assert is_problem(http.post(f"/api/v1/assessments/{other}/analyze", headers=headers), 409)
    assert is_problem(
        http.post(f"/api/v1/assessments/{other}/analyze", headers={"Idempotency-Key": "x" * 201}),
        422,
    )
    task = first.json()["task_id"]
    http.post(f"/api/v1/tasks/{task}/cancel")
    wait_until(
        lambda: TaskRun.objects.get(pk=task).state in FINAL, timeout_s=60, what="the run's end"
    )
    words = {State.REVOKED: "cancelled", State.SUCCESS: "completed"}
    now = http.post(f"/api/v1/assessments/{assessment}/analyze", headers=headers).json()
    assert now["status"] == words[State(TaskRun.objects.get(pk=task).state)]


def test_files_come_as_multipart_with_archives_and_paths(http: httpx.Client) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("k8s/web.yaml", "kind: Pod")
    form = {
        "name": "upload",
        "requirements": '{"replicas": 3}',
        "paths": ["infra/main.tf", "all.zip"],
    }
    files = [("files", ("main.tf", TERRAFORM.encode())), ("files", ("all.zip", packed.getvalue()))]
    answer = http.post("/api/v1/assessments", data=form, files=files)
    assert answer.status_code == 201, answer.text
    assert set(VersionFile.objects.values_list("path", flat=True)) == {
        "infra/main.tf",
        "k8s/web.yaml",
    }
    assert answer.json()["requirements"] == {"replicas": 3}
    assert is_problem(
        http.post("/api/v1/assessments/", data={**form, "paths": "one"}, files=files), 422
    )


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "n", "more": 1}, "more"),
        ({"name": "n", "files": [{"path": "a.tf"}]}, "files.0.content"),
        ({"name": "n", "requirements": {"replicas": 0}}, "requirements.replicas"),
        ({"name": "n", "files": [{"path": "../a.tf", "content": ""}]}, "../a.tf"),
        (
            {"name": "n", "files": [{"path": "a.tf", "content": "x" * (5 * 1024 * 1024 + 1)}]},
            "a.tf",
        ),
    ],
)
def test_what_can_not_be_taken_is_named(
    http: httpx.Client, body: dict[str, Any], path: str
) -> None:
    answer = http.post("/api/v1/assessments/", json=body)
    assert is_problem(answer, 422)
    assert [error["path"] for error in answer.json()["errors"]] == [path]
    assert not Assessment.objects.exists()


def test_a_body_that_is_no_json_is_a_problem(http: httpx.Client) -> None:
    json_type = {"Content-Type": "application/json"}
    assert is_problem(http.post("/api/v1/assessments/", content=b"\xff{", headers=json_type), 422)
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    assert http.post("/api/v1/assessments/", content=b"--", headers=broken).status_code in {
        400,
        422,
    }


def test_assessments_are_listed_and_deleted(http: httpx.Client) -> None:
    ids = [created(http) for _ in range(3)]
    first = http.get("/api/v1/assessments/", params={"limit": 2}).json()
    rest = http.get(
        "/api/v1/assessments/", params={"limit": 2, "cursor": first["next_cursor"]}
    ).json()
    assert [row["id"] for row in [*first["assessments"], *rest["assessments"]]] == ids[::-1]
    assert (first["total"], rest["next_cursor"], first["assessments"][0]["files"]) == (3, None, 1)
    http.post(f"/api/v1/assessments/{ids[0]}/analyze")
    assert http.delete(f"/api/v1/assessments/{ids[0]}").status_code == 204
    assert is_problem(http.get(f"/api/v1/assessments/{ids[0]}"), 404)
    wait_until(lambda: not TaskRun.objects.active().exists(), timeout_s=30, what="the cancel")
    for left in TaskRun.objects.filter(parent=None):  # deleted, unless a worker had started
        assert (left.state, left.title) == (State.REVOKED, "Deleted assessment")


def test_bob_gets_404_for_everything_of_alices(
    shared_stack: Stack, http: httpx.Client, bob: User
) -> None:
    assessment = created(http)
    version = Version.objects.get(assessment_id=assessment)
    run = AssessmentRun.objects.create(assessment_id=assessment, version=version, number=1)
    report = Report.objects.create(run=run, content=b"secret")
    assert (
        http.get(f"/api/v1/assessments/{assessment}/reports/{report.pk}/download").content
        == b"secret"
    )
    bobs = Assessment.objects.create(owner=bob, name="bob's")
    bobs.versions.create(number=1)
    with shared_stack.http(token=key_of(bob)) as of_bob:
        for route in (
            "",
            "/runs/1",
            "/findings",
            "/recommendations",
            "/reports",
            f"/reports/{report.pk}/download",
            "/versions",
            "/versions/1",
        ):
            assert is_problem(of_bob.get(f"/api/v1/assessments/{assessment}{route}"), 404), route
        assert is_problem(
            of_bob.get(f"/api/v1/assessments/{bobs.pk}/reports/{report.pk}/download"), 404
        )
        assert is_problem(of_bob.post(f"/api/v1/assessments/{assessment}/analyze"), 404)
        assert is_problem(of_bob.post(f"/api/v1/assessments/{assessment}/reports", json={}), 404)
        assert is_problem(of_bob.delete(f"/api/v1/assessments/{assessment}"), 404)
        assert [row["id"] for row in of_bob.get("/api/v1/assessments/").json()["assessments"]] == [
            str(bobs.pk)
        ]
    assert Assessment.objects.filter(pk=assessment).exists()
    assert not TaskRun.objects.exists()
