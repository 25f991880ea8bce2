"""A secret in an upload stays in the upload: no table, log, socket message, report, page or
response contains its value."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pypdf
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from psycopg.sql import SQL, Identifier

from assessments.models import AssessmentRun, Report
from assessments.reports import WRITERS
from assessments.requirements import Requirements
from assessments.services import create_assessment, request_report, start_analysis
from tasks_ui.models import FINAL, ApiToken, State, TaskRun
from tests.assessments.planted import FILES, PLANTED
from tests.assessments.test_hostile import SECRET_FILES
from tests.assessments.test_hostile import SECRETS as HOSTILE_SECRETS
from tests.stack import Stack, wait_until
from tests.tasks_ui.sockets import greeted

if TYPE_CHECKING:
    from django.contrib.auth.models import User

UPLOADS = "assessments_blob"
UPLOADED = {**FILES, **{f"more/{path}": text for path, text in SECRET_FILES.items()}}
SECRETS = PLANTED | HOSTILE_SECRETS


@pytest.fixture
def finished(shared_stack: Stack, alice: User) -> AssessmentRun:
    """A run of files full of secrets, with a full report in each format."""
    uploads = [(path, text.encode()) for path, text in UPLOADED.items()]
    assessment = create_assessment(
        owner=alice, name="secrets", requirements=Requirements(), uploads=uploads
    )
    task = start_analysis(assessment, by=alice)
    wait_until(
        lambda: TaskRun.objects.get(pk=task.pk).state in FINAL,
        timeout_s=120,
        what="the end of the run",
    )
    run = AssessmentRun.objects.get(task=task)
    for format in WRITERS:
        request_report(run, by=alice, kind="full", format=format)
    wait_until(lambda: not TaskRun.objects.active().exists(), timeout_s=60, what="the reports")
    assert not TaskRun.objects.exclude(state=State.SUCCESS).exists()
    return run


def test_no_secrets_value_leaves_the_upload(
    finished: AssessmentRun, shared_stack: Stack, alice: User
) -> None:
    assert {
        secret for _, secret in leaks(UPLOADED)
    } == SECRETS  # the search finds them where they are
    token = ApiToken.issue(owner=alice, name="reader")[1]
    assert leaks(dict(tables(finished))) == []
    assert leaks({name: process.log() for name, process in shared_stack.processes.items()}) == []
    assert leaks(dict(answers(shared_stack, token, finished))) == []
    assert leaks(dict(pages(alice, finished))) == []
    frames = socket_frames(shared_stack, token, finished)
    assert len(frames) > 20 and leaks({"socket": "\n".join(frames)}) == []


def leaks(texts: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, secret) for name, text in texts.items() for secret in SECRETS if secret in text]


def tables(run: AssessmentRun) -> Iterator[tuple[str, str]]:
    """Every table of the database as text, except the upload itself; reports unpacked from their
    bytes."""
    with connection.cursor() as cursor:
        names = [name for name in connection.introspection.table_names(cursor) if name != UPLOADS]
        for name in names:
            rows = SQL("SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM {} t").format(
                Identifier(name)
            )
            cursor.execute(rows.as_string())
            row = cursor.fetchone()
            yield name, row[0] if row else ""
    for report in Report.objects.filter(run=run):
        content = bytes(report.content or b"")
        if report.format == Report.Format.PDF:
            yield (
                "report pdf",
                "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages),
            )
        else:
            yield f"report {report.format}", content.decode()


def answers(stack: Stack, token: str, run: AssessmentRun) -> Iterator[tuple[str, str]]:
    base = f"/api/v1/assessments/{run.assessment_id}"
    paths = [
        base,
        *(
            f"{base}/{name}"
            for name in ("runs/1", "findings?limit=1000", "recommendations", "reports")
        ),
    ]
    paths += [f"/api/v1/tasks/{run.task_id}/{name}" for name in ("status", "events", "result")]
    with stack.http(token=token) as http:
        for path in paths:
            answer = http.get(path)
            assert answer.status_code == httpx.codes.OK, (path, answer.text)
            yield path, answer.text


def pages(owner: User, run: AssessmentRun) -> Iterator[tuple[str, str]]:
    client = Client()
    client.force_login(owner)
    yield "run", client.get(reverse("run", args=[run.assessment_id, 1])).content.decode()
    for path in run.source.paths:
        code = client.get(reverse("run_code", args=[run.assessment_id, 1]), {"path": path})
        assert code.context["is_shown"], path
        yield f"code of {path}", code.content.decode()
    for finding in run.findings.all()[:40]:
        yield (
            f"finding {finding.rule}",
            client.get(reverse("finding", args=[finding.pk])).content.decode(),
        )


def socket_frames(stack: Stack, token: str, run: AssessmentRun) -> list[str]:
    """Everything that a socket sends about the run and its children, from the first event on."""
    with greeted(stack, token=token) as talk:
        for task in [
            run.task_id,
            *TaskRun.objects.filter(parent=run.task_id).values_list("pk", flat=True),
        ]:
            talk.subscribe(task, after_seq=0)
            talk.hear_until("caught_up")
        return [json.dumps(frame) for frame in talk.heard]
