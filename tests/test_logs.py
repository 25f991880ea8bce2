"""Log lines: as JSON, one trace from the click to the push, and nothing secret in them."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils.functional import SimpleLazyObject

from assessments.requirements import Requirements
from assessments.services import create_assessment
from infra_mind.access_log import RouteFilter, _known_user_id
from tasks_ui.models import ApiToken, State, TaskRun
from tasks_ui.runs import log_context
from tasks_ui.runs.transitions import create_run
from tests.stack import Stack, new_stack, wait_until
from tests.tasks_ui.sockets import greeted

if TYPE_CHECKING:
    from pytest_django import Settings


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice", password="a password of alice")


def lines(log: str) -> list[dict[str, Any]]:
    """The JSON lines of a process; Celery's banner and the like are skipped."""
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def test_the_click_the_worker_and_the_push_share_a_trace(
    alone: None, alice: User, servers: Any, tmp_path: Path
) -> None:
    assessment = create_assessment(
        owner=alice,
        name="image",
        requirements=Requirements(),
        uploads=[("Dockerfile", b"FROM alpine:3.20\n")],
    )
    _, key = ApiToken.issue(owner=alice, name="test")
    stack = new_stack(servers, tmp_path / "stack", only={"web", "worker1"})
    for process in stack.processes.values():
        process.env |= {"LOG_FORMAT": "json"}
    try:
        stack.start()
        with stack.http(token=key) as http, greeted(stack, token=key) as socket:
            answer = http.post(
                f"/api/v1/assessments/{assessment.pk}/analyze",
                headers={"X-Request-ID": "from-a-stranger"},
            )
            task_id = UUID(answer.json()["task_id"])
            socket.subscribe(task_id)
            socket.hear_until("event", event="task.succeeded", timeout_s=120)
        trace = task_id.hex
        wait_until(lambda: pushed(stack, trace), timeout_s=5, what="the line of the push")
    finally:
        stack.stop()
    click = next(line for line in lines(stack["web"].log()) if line.get("method") == "POST")
    assert click["trace_id"] == trace
    assert click["task_id"] == str(task_id)
    assert click["user_id"] == str(alice.pk)
    assert click["route"].endswith("/analyze")
    assert click["request_id"] == answer.headers["X-Request-ID"] != "from-a-stranger"
    assert click["timestamp"] and click["level"] == "INFO" and click["duration_ms"] > 0
    (push,) = pushed(stack, trace)
    assert push["task_id"] == str(task_id) and push["user_id"] == str(alice.pk)
    attempts = [
        line
        for process in stack.workers
        for line in lines(process.log())
        if line["message"].startswith("Attempt") and line["trace_id"] == trace
    ]
    worked_on = {
        str(pk) for pk in TaskRun.objects.filter(parent=task_id).values_list("pk", flat=True)
    }
    assert {line["task_id"] for line in attempts} == {str(task_id)} | worked_on
    assert {line["user_id"] for line in attempts} == {str(alice.pk)}


def pushed(stack: Stack, trace: str) -> list[dict[str, Any]]:
    return [
        line
        for line in lines(stack["web"].log())
        if line["message"].startswith("Pushed task.succeeded") and line["trace_id"] == trace
    ]


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.handler.addFilter(log_context.ContextFilter())
    return caplog


def test_a_line_has_the_pattern_of_an_address_not_the_address(
    db: None, written: pytest.LogCaptureFixture
) -> None:
    answer = Client().get("/sign-up/invitation-canary/?q=search-canary")
    (line,) = [each for each in written.records if each.name == "infra_mind.access_log"]
    assert line.getMessage().startswith("GET /sign-up/<str:token>/ ")
    assert line.request_id == answer["X-Request-ID"]  # type: ignore[attr-defined]
    assert "canary" not in written.text


def test_djangos_line_on_a_failed_request_has_the_pattern_too() -> None:
    request = RequestFactory().get("/password/reset/1-key-canary/")
    record = logging.makeLogRecord(
        {"msg": "%s: %s", "args": ("Internal Server Error", request.path), "request": request}
    )
    assert RouteFilter().filter(record)
    assert record.getMessage() == "Internal Server Error: no such page"
    filters = logging.getLogger("django.request").filters
    assert any(isinstance(each, RouteFilter) for each in filters)


def test_a_request_id_is_taken_from_a_proxy_alone(db: None, settings: Settings) -> None:
    given = {"X-Request-ID": "0190a0b0-from-the-proxy"}
    assert Client().get("/sign-in/", headers=given)["X-Request-ID"] != given["X-Request-ID"]
    settings.TRUSTED_PROXIES = 1
    assert Client().get("/sign-in/", headers=given)["X-Request-ID"] == given["X-Request-ID"]
    forged = {"X-Request-ID": 'x" level="ERROR'}
    assert Client().get("/sign-in/", headers=forged)["X-Request-ID"] != forged["X-Request-ID"]


def test_what_a_run_starts_does_not_change_the_trace_it_belongs_to(alice: User) -> None:
    first = TaskRun(owner=alice, kind="noop", state=State.STARTED)
    with log_context.bound(**log_context.of_run(first)) as context:
        create_run(owner=alice, kind="noop", queue="default", title="follow-up")
        assert context["trace_id"] == first.pk.hex


def test_the_log_looks_no_session_up(alice: User) -> None:
    asked = []
    request = RequestFactory().get("/")
    request.user = SimpleLazyObject(lambda: asked.append(alice) or alice)  # type: ignore[assignment, func-returns-value]
    assert _known_user_id(request) is None and asked == []
    request.user = alice  # as a token's owner is set
    assert _known_user_id(request) == alice.pk
