"""Clients generated from the committed OpenAPI document drive the product, unpatched."""

from __future__ import annotations

import importlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tasks_ui.models import ApiToken
from tests.api_world import end_all_runs, make_user
from tests.stack import Stack

BIN = Path(sys.executable).parent
DOCUMENT = settings.BASE_DIR / "docs" / "openapi.json"
TERRAFORM = 'resource "aws_s3_bucket" "logs" {\n  bucket = "logs"\n}\n'


@pytest.fixture
def key(shared_stack: Stack) -> Iterator[str]:
    yield ApiToken.issue(owner=make_user("alice"), name="generated")[1]
    end_all_runs()


def generate(*command: str, at: Path) -> None:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        [BIN / command[0], *command[1:]],
        cwd=at,
        env={**os.environ, "PATH": path},
        check=True,
        capture_output=True,
        timeout=120,
    )


@contextmanager
def importable(folder: Path, package: str) -> Iterator[None]:
    """Modules of ``package`` come from ``folder``, and are unloaded afterwards."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]


def test_a_client_of_openapi_python_client_walks_from_files_to_a_report(
    shared_stack: Stack, key: str, tmp_path: Path
) -> None:
    options = ("--path", str(DOCUMENT), "--output-path", "made", "--meta", "none")
    generate("openapi-python-client", "generate", *options, "--fail-on-warning", at=tmp_path)
    with importable(tmp_path, "made"):
        walk(importlib.import_module("made"), shared_stack.url, key)


def walk(made: Any, url: str, key: str) -> None:
    def call(tag: str, operation: str, *ids: Any, **more: Any) -> Any:
        module = importlib.import_module(f"made.api.{tag}.{operation}")
        answer = module.sync_detailed(*ids, client=client, **more)
        assert answer.status_code.is_success, answer
        return answer.parsed

    models = importlib.import_module("made.models")
    client = made.AuthenticatedClient(base_url=url, token=key)
    file = models.FileIn(path="main.tf", content=TERRAFORM)
    body = models.AssessmentIn(name="generated", files=[file])
    assessment = call("assessments", "create_assessment", body=body).id

    more = importlib.import_module("made.types").File(io.BytesIO(b"FROM scratch\n"), "Dockerfile")
    form = models.UploadVersionBody(mode=models.UploadVersionBodyMode.CHANGE, files=[more])
    assert call("assessments", "upload_version", assessment, body=form).number == 2

    task = call("assessments", "analyze", assessment).task_id
    wait(lambda: call("tasks", "get_status", task).state == models.State.SUCCESS)
    wait(lambda: call("assessments", "list_recommendations", assessment).is_ready)

    events = call("tasks", "list_events", task).events
    assert {type(event.data).__name__ for event in events} >= {
        "AgentFinished",
        "ChildData",
        "FindingsFound",
        "StageFinished",
        "StageStarted",
        "StateData",
    }
    first = call("assessments", "list_findings", assessment, limit=1)
    second = call("assessments", "list_findings", assessment, limit=1, cursor=first.next_cursor)
    assert first.findings[0].severity in {each.value for each in models.FindingOutSeverity}
    assert second.findings[0].id != first.findings[0].id

    wanted = models.ReportIn(kind=models.Kind.TECHNICAL, format_=models.Format.PDF)
    report = call("assessments", "create_report", assessment, body=wanted)
    wait(lambda: report.id in ready(call("assessments", "list_reports", assessment)))
    content = call("assessments", "download_report", assessment, report.id)
    assert content.payload.read(5) == b"%PDF-"
    call("assessments", "delete_assessment", assessment)


def ready(page: Any) -> set[Any]:
    return {each.id for each in page.reports if each.is_ready}


def wait(is_so: Any, *, patience_s: float = 120) -> None:
    until = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.5)


def test_models_of_datamodel_code_generator_take_what_the_server_sends(
    shared_stack: Stack, key: str, tmp_path: Path
) -> None:
    options = ("--input-file-type", "openapi", "--output-model-type", "pydantic_v2.BaseModel")
    files = ("--input", str(DOCUMENT), "--output", "models_made.py", "--formatters", "builtin")
    generate("datamodel-codegen", *files, *options, at=tmp_path)
    with importable(tmp_path, "models_made"), shared_stack.http(token=key) as http:
        models = importlib.import_module("models_made")
        file = models.FileIn(path="main.tf", content=TERRAFORM)
        body = models.AssessmentIn(name="models", files=[file])
        made = http.post(
            "/api/v1/assessments/",
            content=body.model_dump_json(exclude_unset=True),
            headers={"Content-Type": "application/json"},
        )
        assessment = models.AssessmentDetail.model_validate_json(made.text).id
        root = f"/api/v1/assessments/{assessment}"
        queued = models.AnalyzeOut.model_validate_json(http.post(f"{root}/analyze").text)

        def status() -> Any:
            return models.TaskStatus.model_validate_json(http.get(queued.check_status_url).text)

        wait(lambda: status().state == models.State.SUCCESS)
        for address, model in {
            f"{root}/runs/1": models.RunDetail,
            f"{root}/findings": models.FindingPage,
            f"{root}/recommendations": models.RecommendationPage,
            f"/api/v1/tasks/{queued.task_id}/events": models.EventPage,
            f"/api/v1/tasks/{queued.task_id}": models.TaskDetail,
        }.items():
            model.model_validate_json(http.get(address).text)
