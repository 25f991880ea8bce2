"""What holds for every URL of the API: methods, slashes, content types, headers, cursors, existing
names, and documents that agree with all of it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.test import Client
from jsonschema import Draft202012Validator

from assessments.models import AgentReport, AssessmentRun, Finding
from tasks_ui.models import ApiToken, TaskEvent
from tasks_ui.runs import vocabulary
from tests.api_world import make_user, make_world
from tests.assessments.rows import assessed, sample_files, uploaded

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import DjangoAssertNumQueries

TASKS = "/api/v1/tasks/"


@pytest.fixture
def alice(db: None) -> User:
    return make_user("alice")


@pytest.fixture
def api(alice: User) -> Client:
    key = ApiToken.issue(owner=alice, name="test")[1]
    return Client(headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def run(alice: User) -> AssessmentRun:
    make_world(alice)
    return AssessmentRun.objects.get()


@pytest.mark.parametrize("address", ["/api/v1/tasks", "/api/v1/tasks/", "/api/v1/assessments"])
def test_a_list_is_there_with_and_without_its_last_slash(api: Client, address: str) -> None:
    assert api.get(address).status_code == 200


def test_a_post_is_not_lost_to_a_slash(api: Client, run: AssessmentRun) -> None:
    for address in ("/api/v1/ws-tickets", "/api/v1/ws-tickets/"):
        assert api.post(address).status_code == 201
    answer = api.get(f"/api/v1/assessments/{run.assessment_id}/")
    assert answer.json()["id"] == str(run.assessment_id)


def test_an_address_that_is_nowhere_is_nowhere(api: Client) -> None:
    for address in ("/api/v1/nothing", "/api/v1/nothing/", "/api/v1//tasks"):
        assert api.get(address).status_code == 404


def test_head_is_get_without_its_body(api: Client) -> None:
    shown, head = api.get(TASKS), api.head(TASKS)
    assert (head.status_code, head.content) == (200, b"")
    assert head["Content-Length"] == str(len(shown.content))
    assert head["Content-Type"] == shown["Content-Type"]


def test_head_changes_nothing_and_is_refused_where_there_is_no_get(
    api: Client, run: AssessmentRun
) -> None:
    answer = api.head(f"/api/v1/tasks/{run.task_id}/cancel")
    assert answer.status_code == 405
    assert answer["Allow"] == "OPTIONS, POST"


def test_options_names_the_methods(api: Client, run: AssessmentRun) -> None:
    answer = Client().options(f"/api/v1/assessments/{run.assessment_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["Allow"] == "DELETE, GET, HEAD, OPTIONS"


def test_who_is_not_signed_in_is_told_how_to(db: None) -> None:
    answer = Client().get(TASKS)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer ")


def test_what_is_left_of_the_minute_goes_down(api: Client) -> None:
    first, second = api.get(TASKS), api.get(TASKS)
    assert first["RateLimit-Limit"] == str(settings.RATE_LIMIT_PER_MINUTE)
    assert 0 < int(first["RateLimit-Reset"]) <= 60
    left = int(first["RateLimit-Remaining"]) - int(second["RateLimit-Remaining"])
    assert left == 1 or int(second["RateLimit-Remaining"]) == settings.RATE_LIMIT_PER_MINUTE - 1


@pytest.mark.parametrize(
    ("address", "type"),
    [
        ("/api/v1/tasks/bulk", "application/x-www-form-urlencoded"),
        ("/api/v1/tasks/bulk", "multipart/form-data; boundary=x"),
        ("/api/v1/assessments/", "application/x-www-form-urlencoded"),
        ("/api/v1/assessments/", "text/plain"),
    ],
)
def test_a_body_of_another_type_is_refused_with_the_type_to_send(
    api: Client, address: str, type: str
) -> None:
    answer = api.post(address, data=b'{"name": "x"}', content_type=type)
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


def test_a_body_that_is_not_json_is_refused_with_the_place(api: Client) -> None:
    answer = api.post("/api/v1/tasks/bulk", data='{"action": ', content_type="application/json")
    assert answer.status_code == 400
    assert "line 1 column 12" in answer.json()["detail"]


@pytest.mark.parametrize("filter", ["kind=nonsense", "queue=nonsense", "state=NONSENSE"])
def test_a_filter_of_tasks_that_can_match_nothing_is_refused(api: Client, filter: str) -> None:
    answer = api.get(f"{TASKS}?{filter}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["path"] == filter.partition("=")[0] + (
        ".0" if filter.startswith("state") else ""
    )


@pytest.mark.parametrize("filter", ["agent=nonsense", "severity=nonsense", "scope=nonsense"])
def test_a_filter_of_findings_that_can_match_nothing_is_refused(
    api: Client, run: AssessmentRun, filter: str
) -> None:
    answer = api.get(f"/api/v1/assessments/{run.assessment_id}/findings?{filter}")
    assert answer.status_code == 422


def test_pages_of_findings_join_without_a_gap(
    api: Client, alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    found = assessed(uploaded(alice, sample_files()))
    whole = list(found.findings.exclude(agent="compliance").values_list("pk", flat=True))
    seen: list[str] = []
    cursor = ""
    while True:
        with django_assert_max_num_queries(12):
            page = api.get(
                f"/api/v1/assessments/{found.assessment_id}/findings?limit=7{cursor}"
            ).json()
        seen += [each["id"] for each in page["findings"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == page["total"] == len(whole) > 14
    severities = [Finding.objects.get(pk=each).severity for each in seen]
    assert severities == sorted(severities, reverse=True)
    assert set(seen) == {str(pk) for pk in whole}


@pytest.mark.parametrize("list", ["findings", "recommendations", "reports", "mutes", "runs"])
def test_every_list_ends(api: Client, run: AssessmentRun, list: str) -> None:
    page = api.get(f"/api/v1/assessments/{run.assessment_id}/{list}?limit=1").json()
    assert page["next_cursor"] is None


def test_a_cursor_from_elsewhere_is_not_found(api: Client, run: AssessmentRun) -> None:
    answer = api.get(f"/api/v1/assessments/{run.assessment_id}/findings?cursor={run.pk}")
    assert answer.status_code == 404


def test_what_is_deprecated_says_since_when_and_until_when(api: Client, run: AssessmentRun) -> None:
    address = f"/api/v1/assessments/{run.assessment_id}/findings"
    assert "Deprecation" not in api.get(address)
    answer = api.get(f"{address}?offset=1")
    assert answer["Deprecation"] == "@1795564800"
    assert answer["Sunset"] == "Mon, 31 May 2027 00:00:00 GMT"


def test_runs_are_paged(api: Client, run: AssessmentRun) -> None:
    for number in (2, 3):
        run.assessment.runs.create(version=run.version, number=number)
    address = f"/api/v1/assessments/{run.assessment_id}/runs?limit=2"
    first = api.get(address).json()
    assert ([each["number"] for each in first["runs"]], first["total"]) == ([3, 2], 3)
    second = api.get(f"{address}&cursor={first['next_cursor']}").json()
    assert [each["number"] for each in second["runs"]] == [1]
    assert second["next_cursor"] is None


def test_what_events_hold_is_what_the_documents_say(alice: User) -> None:
    assessed(uploaded(alice, {"main.tf": 'resource "aws_s3_bucket" "b" {}\n'}))
    events = list(TaskEvent.objects.all())
    assert {event.type for event in events} >= {"task.queued", "agent.finished", "findings.found"}
    for event in events:
        vocabulary.EVENTS[event.type].model_validate(event.data)


def test_every_code_that_a_task_can_fail_with_is_registered() -> None:
    raised = {code for app in ("assessments", "tasks_ui") for code in codes_raised(app)}
    assert raised >= {"no_agent", "engine_failed", "worker_lost", "time_limit"}
    assert raised <= vocabulary.ERROR_CODES.keys()


def codes_raised(app: str) -> set[str]:
    """The texts that the code uses as a failure's code."""
    found = set()
    for path in (Path(settings.BASE_DIR) / app).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "error_code":
                found |= texts(node.value)
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {
                "TaskFailed",
                "_fail",
            }:
                found |= {t for key in node.keywords if key.arg == "code" for t in texts(key.value)}
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "code":
                found |= (
                    texts(node.value) if app == "assessments" and "stages" in str(path) else set()
                )
    return found


def texts(node: ast.expr) -> set[str]:
    return {
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def test_the_documents_name_what_exists() -> None:
    """Written by a separate process, without the tests' own kinds of task."""
    document = as_committed("openapi.json")
    schemas = document["components"]["schemas"]
    assert "process_assessment" in schemas["TaskOut"]["properties"]["kind"]["enum"]
    assert schemas["TaskOut"]["properties"]["queue"]["enum"] == [
        "assessments",
        "default",
        "priority",
        "reports",
    ]
    assert "engine_failed" in schemas["TaskOut"]["properties"]["error_code"]["enum"]
    assert "security" in schemas["FindingOut"]["properties"]["agent"]["enum"]
    assert "agent.finished" in schemas["TaskEventOut"]["properties"]["event"]["enum"]
    shapes = {each["$ref"] for each in schemas["TaskEventOut"]["properties"]["data"]["anyOf"]}
    assert "#/components/schemas/AgentFinished" in shapes
    download = document["paths"][
        "/api/v1/assessments/{assessment_id}/reports/{report_id}/download"
    ]["get"]["responses"]["200"]
    assert {"application/pdf", "text/html", "text/csv"} <= download["content"].keys()


def test_an_operation_takes_one_type_of_body() -> None:
    for path, operations in as_committed("openapi.json")["paths"].items():
        for operation in operations.values():
            content = operation.get("requestBody", {}).get("content", {})
            assert len(content) <= 1, path


def test_every_header_that_is_documented_exists() -> None:
    document = as_committed("openapi.json")
    named = {
        header["$ref"].rpartition("/")[2]
        for operations in document["paths"].values()
        for operation in operations.values()
        for response in operation["responses"].values()
        for header in response.get("headers", {}).values()
    }
    assert named == document["components"]["headers"].keys()


def as_committed(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(settings.BASE_DIR) / "docs" / name).read_text())
    return found


def test_the_committed_documents_are_what_the_code_says(tmp_path: Path) -> None:
    without_probe = {key: value for key, value in os.environ.items() if key != "EXTRA_APPS"}
    command = [sys.executable, "manage.py", "write_api_documents", "--to", str(tmp_path)]
    subprocess.run(command, cwd=settings.BASE_DIR, env=without_probe, check=True)
    for name in ("openapi.json", "asyncapi.json"):
        same = (tmp_path / name).read_text() == (settings.BASE_DIR / "docs" / name).read_text()
        assert same, f"docs/{name} is not what the code says. If that is meant: make api"


def test_an_agents_answer_keeps_to_its_schema(api: Client, run: AssessmentRun) -> None:
    AgentReport.objects.filter(run=run).update(status="assessed", score=80)
    answer = api.get(f"/api/v1/assessments/{run.assessment_id}/runs/1").json()
    document = as_committed("openapi.json")
    schema = {**document, "$ref": "#/components/schemas/RunDetail"}
    assert not list(Draft202012Validator(schema).iter_errors(answer))
