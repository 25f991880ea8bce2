"""Requests made from the OpenAPI document by Schemathesis, the valid and the invalid: no 5xx, and
every answer as the document says. ``make bench`` sends 5,000 of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra_mind.management.commands.write_api_documents import documents
from tasks_ui.models import ApiToken
from tests.api_world import end_all_runs, make_user, make_world
from tests.stack import Stack

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# 504 is what analyze?background=false answers past its bound, with the task's id: the run goes on.
CONFIGURATION = """
[[operations]]
include-name = "POST /api/v1/assessments/{assessment_id}/analyze"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", 504]
"""
STARTS_WORK = [
    "analyze",
    "retry_task",
    "create_report",
]  # real runs, which the short version leaves out


def requests_made(
    stack: Stack, *, token: str, folder: Path, examples: int, phases: str, exclude: list[str]
) -> int:
    """Send up to ``examples`` fuzzed requests to each operation, and what the other ``phases``
    make: its examples, the edges of its schema (coverage).

    Returns how many were sent. Fails with Schemathesis's own words.
    """
    document = folder / "openapi.json"
    document.write_text(documents()["openapi.json"])
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "run",
        str(document),
        "--url",
        stack.url,
        "--header",
        f"Authorization: Bearer {token}",
        "--checks",
        ",".join(CHECKS),
        "--phases",
        phases,
        "--max-examples",
        str(examples),
        "--seed",
        "1",
        "--generation-database",
        "none",
        "--no-shrink",
        "--continue-on-failure",
        "--request-timeout",
        "30",
        "--warnings",
        "off",
        "--no-color",
        *(f"--exclude-operation-id={name}" for name in exclude),
    ]
    ended = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True
    )
    assert ended.returncode == 0, (ended.stdout + ended.stderr)[-8000:]
    sent = re.search(r"([\d,]+) generated", ended.stdout)
    assert sent, ended.stdout[-2000:]
    return int(sent[1].replace(",", ""))


@pytest.mark.slow
def test_requests_made_from_the_document_break_nothing(shared_stack: Stack, tmp_path: Path) -> None:
    alice = make_user("alice")
    make_world(alice)
    token = ApiToken.issue(owner=alice, name="test")[1]
    count = requests_made(
        shared_stack,
        token=token,
        folder=tmp_path,
        examples=20,
        phases="examples,fuzzing",
        exclude=STARTS_WORK,
    )
    end_all_runs()
    assert count >= 300
