"""NUL and unpaired surrogates, wherever an upload can contain them: a note in the coverage, or a
message before anything is stored; never a retry, never the database's own message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DataError
from django.test import Client
from django.urls import reverse

from assessments.models import AssessmentRun
from assessments.requirements import Requirements
from assessments.rest.examples import ASSESSMENT_ID
from assessments.scan.types import CoverageStatus
from assessments.services import create_assessment, start_analysis
from tasks_ui.models import FINAL, ApiToken, AuditEntry, State, TaskEvent, TaskRun
from tasks_ui.worker.execute import words_of
from tests.assessments.scanning import coverage_of, files_of, scan
from tests.stack import Stack, wait_until

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NUL, HALF = "\\u0000", "\\ud800"
DOCUMENTS = {
    "map.json": (
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a!"},"data":{"k!":"v!"}}'
    ),
    "pod.yaml": (
        'apiVersion: v1\nkind: Pod\nmetadata:\n  name: "p!"\nspec:\n  containers:\n'
        '    - name: "c!"\n      image: "i!"\n'
    ),
    "stack.json": (
        '{"AWSTemplateFormatVersion":"2010-09-09","Resources":{"B!":{"Type":"AWS::S3::Bucket",'
        '"Properties":{"BucketName":"x!"}}}}'
    ),
    "compose.yaml": 'services:\n  "a!":\n    image: "b!"\n    privileged: true\n',
    "plan.json": (
        '{"format_version":"1.2","terraform_version":"1.5","planned_values":{"root_module":'
        '{"resources":[{"address":"aws_s3_bucket.b!","mode":"managed","type":"aws_s3_bucket",'
        '"name":"b!","values":{"bucket":"x!"}}]}},"resource_changes":[]}'
    ),
    "main.tf": 'resource "aws_s3_bucket" "b" {\n  bucket = "x!"\n  tags   = { "k!" = "v!" }\n}\n',
}


@pytest.mark.parametrize("path", DOCUMENTS)
@pytest.mark.parametrize("bad", [NUL, HALF], ids=["nul", "half"])
def test_an_escape_that_can_not_be_stored_is_a_note_in_the_coverage(path: str, bad: str) -> None:
    result = scan(files_of(**{path: DOCUMENTS[path].replace("!", bad)}))
    entry = coverage_of(result, path)
    assert entry.status in {CoverageStatus.PARTLY_READ, CoverageStatus.FAILED}
    assert entry.reason
    assert bad_characters(result.to_builtins()) == []


def bad_characters(value: Any) -> list[str]:
    """Every text in ``value`` that can't be stored."""
    if isinstance(value, str):
        return [value] if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value) else []
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return (
        [bad for item in value for bad in bad_characters(item)] if isinstance(value, list) else []
    )


def test_a_run_of_such_files_ends_at_the_first_attempt_in_words(
    shared_stack: Stack, alice: User
) -> None:
    uploads = [
        (f"{name}/{path}", text.replace("!", bad).encode())
        for name, bad in (("nul", NUL), ("half", HALF))
        for path, text in DOCUMENTS.items()
    ]
    uploads.append(("raw.yaml", b"kind: \0\n"))
    assessment = create_assessment(
        owner=alice, name="bytes", requirements=Requirements(), uploads=uploads
    )
    task = start_analysis(assessment, by=alice)
    wait_until(
        lambda: TaskRun.objects.get(pk=task.pk).state in FINAL,
        timeout_s=120,
        what="the end of the run",
    )
    run = AssessmentRun.objects.get(task=task)
    assert TaskRun.objects.get(pk=task.pk).state == State.SUCCESS
    assert not TaskEvent.objects.filter(type="task.retrying").exists()
    assert {row["path"] for row in run.coverage if row["status"] != "read"} == {
        path for path, _ in uploads
    }
    client = Client()
    client.force_login(alice)
    page = client.get(reverse("run", args=[assessment.pk, 1])).content.decode()
    assert "PostgreSQL" not in page and "unsupported Unicode" not in page


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a", "requirements": {"scope": "x\0"}},
        {"name": "a", "requirements": {"scope": "x\ud800"}},
        {"name": "a\0"},
        {"name": "a\ud800"},
        {"name": "a", "files": [{"path": "a\0.tf", "content": "x"}]},
        {"name": "a", "files": [{"path": "a\ud800.tf", "content": "x"}]},
        {"name": "a", "files": [{"path": "a.tf", "content": "x\ud800"}]},
    ],
    ids=lambda body: ascii(body)[:60],
)
def test_a_name_or_field_that_can_not_be_stored_is_refused(alice: User, body: Any) -> None:
    token = ApiToken.issue(owner=alice, name="test")[1]
    client = Client(headers={"authorization": f"Bearer {token}"})
    answer = client.post(
        "/api/v1/assessments/", data=json.dumps(body), content_type="application/json"
    )
    assert answer.status_code == 422, answer.content
    assert not alice.assessments.exists()


def test_nul_in_a_files_content_is_a_note(alice: User) -> None:
    result = scan(files_of(**{"a.tf": "x\0"}))
    assert coverage_of(result, "a.tf").status is CoverageStatus.FAILED


@pytest.mark.parametrize(
    "error",
    [
        DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"),
        UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
        KeyError("secret words"),
        FileNotFoundError("/etc/passwd"),
    ],
)
def test_the_programs_own_errors_are_not_shown_to_people(error: Exception) -> None:
    words = words_of(error)
    assert "The worker's log has the details" in words and type(error).__name__ in words
    assert not any(part in words for part in ("PostgreSQL", "surrogates", "secret", "passwd"))


@pytest.mark.parametrize("query", ["state=%00", "kind=%00", "queue=%00", "q=%00", "owner=%00"])
def test_nul_in_the_admins_filters_is_answered_in_words(query: str, admin_client: Client) -> None:
    answer = admin_client.get(f"/admin/tasks_ui/taskrun/?{query}")
    assert answer.status_code in {200, 302, 400}, answer.content


def test_an_action_of_the_admin_on_nul_is_logged_and_answered(admin_client: Client) -> None:
    path = "/admin/django_celery_results/taskresult/a%00b/change/"
    assert admin_client.post(path).status_code == 302
    about = AuditEntry.objects.filter(event=AuditEntry.Event.ADMIN).get().about
    assert about == path.replace("%00", "\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize("target", ["foo", "//evil.example", "%", "\0", "javascript:x"])
def test_a_next_that_is_no_address_of_ours_leads_to_the_dashboard(alice: User, target: str) -> None:
    client = Client()
    client.force_login(alice)
    answer = client.post("/tasks/bulk/", {"next": target, "act": "cancel"})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    signed_in = Client().post(
        "/sign-in/",
        {"login": "alice", "password": "a password of alice", "next": target},
    )
    assert signed_in.status_code in {200, 302} and "evil" not in signed_in.get("Location", "")


def test_a_form_where_json_is_expected_is_answered_in_words(alice: User) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(alice)
    client.cookies["csrftoken"] = "a" * 32
    reports = f"/api/v1/assessments/{ASSESSMENT_ID}/reports"
    answer = client.post(reports, {"a": "b"}, headers={"X-CSRFToken": "a" * 32})
    assert (answer.status_code, answer.json()["status"]) == (415, 415)


def test_a_malformed_form_to_an_address_that_is_not_there_is_not_found(alice: User) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(alice)
    client.cookies["csrftoken"] = "a" * 32
    for path in ("/nowhere/", f"/findings/{ASSESSMENT_ID}/unmute/"):
        answer = client.post(path, b"", content_type="multipart/form-data")
        assert answer.status_code in {400, 403, 404}, path


def test_a_form_in_another_encoding_is_answered_in_words(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    type = "application/x-www-form-urlencoded; charset=utf-7"
    answer = client.post("/tasks/bulk/", data=b"a=b", content_type=type)
    assert answer.status_code == 415


@pytest.mark.parametrize("offset", ["1" + "0" * 30, "-1", "NaN", "%00"])
def test_an_offset_out_of_all_bounds_is_refused_in_words(alice: User, offset: str) -> None:
    token = ApiToken.issue(owner=alice, name="test")[1]
    assessment = create_assessment(
        owner=alice, name="bytes", requirements=Requirements(), uploads=[("a.tf", b"x")]
    )
    client = Client(headers={"authorization": f"Bearer {token}"})
    answer = client.get(f"/api/v1/assessments/{assessment.pk}/findings?offset={offset}")
    assert answer.status_code == 422
