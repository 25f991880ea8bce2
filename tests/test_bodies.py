"""Requests that are too large or too slow are refused by the server, before they fill its memory or
wait forever."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import psutil
import pytest
from django.conf import settings

from infra_mind.bodies import UPLOADS
from tasks_ui.models import ApiToken
from tests.stack import Stack
from tests.tasks_ui.webs import another_web

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MB = 1_000_000
ROUTES = [
    "/sign-in/",
    "/sign-up/",
    "/assessments/new/",
    "/assessments/sample/",
    "/admin/login/",
    "/api/v1/assessments/",
    "/api/v1/assessments",
    "/api/v1/tasks/bulk",
    "/health/live",
    "/nowhere",
]


def zeros(size: int) -> Iterator[bytes]:
    for _ in range(size // MB):
        yield bytes(MB)


def answer_to(stack: Stack, head: str, chunks: Iterator[bytes]) -> tuple[int, bytes]:
    """Status and body of the response while ``chunks`` are being sent; the bytes are sent as fast
    as the server accepts them, until it responds."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=30) as connection:
        connection.sendall(head.encode())
        connection.settimeout(0.02)
        got = b""
        for chunk in chunks:
            view = memoryview(chunk)
            while view and not got:
                try:
                    view = view[connection.send(view) :]
                except TimeoutError:
                    pass
                except ConnectionError:
                    break
                got = _read(connection)
            if got:
                break
        connection.settimeout(30)
        while rest := connection.recv(65536):
            got += rest
    head_lines, _, body = got.partition(b"\r\n\r\n")
    return int(head_lines.split(b" ", 2)[1]), body


def _read(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except TimeoutError:
        return b""


def head_of(path: str, *lines: str) -> str:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""])


def memory_mb(stack: Stack) -> float:
    return float(psutil.Process(stack["web"].pid).memory_info().rss / MB)


@pytest.mark.parametrize("how", ["Content-Length: 1000000000", "Transfer-Encoding: chunked"])
def test_a_gigabyte_to_any_route_does_not_make_the_web_process_larger(
    shared_stack: Stack, how: str
) -> None:
    httpx.get(shared_stack.url + "/sign-in/")
    before = memory_mb(shared_stack)
    chunked = "chunked" in how
    for path in ROUTES:
        body = (b"F4240\r\n" + each + b"\r\n" if chunked else each for each in zeros(1000 * MB))
        status, answer = answer_to(shared_stack, head_of(path, how), body)
        assert status == 413, path
        assert b"can be sent" in answer
    assert memory_mb(shared_stack) - before < 20


def test_what_is_refused_is_explained_to_programs(shared_stack: Stack) -> None:
    status, body = answer_to(
        shared_stack, head_of("/api/v1/tasks/bulk", "Content-Length: 1000001"), iter(())
    )
    problem = json.loads(body)
    assert status == problem["status"] == 413
    assert "larger than the 1 MB" in problem["detail"]


def test_no_continue_follows_a_refusal(shared_stack: Stack) -> None:
    head = head_of("/sign-in/", "Content-Length: 5000000", "Expect: 100-continue")
    status, body = answer_to(shared_stack, head, iter(()))
    assert status == 413
    assert b"Continue" not in body


@pytest.mark.parametrize(
    ("path", "header", "expected"),
    [("/" + "x" * 20_000, "", 414), ("/api/v1/" + "x" * 20_000, "", 414), ("/", "x" * 20_000, 431)],
)
def test_an_address_or_header_that_is_too_long_gets_an_answer(
    shared_stack: Stack, path: str, header: str, expected: int
) -> None:
    status, body = answer_to(shared_stack, head_of(path, f"X: {header}"), iter(()))
    assert status == expected
    assert b"too long" in body


def test_a_form_that_can_not_be_parsed_gets_an_answer(shared_stack: Stack) -> None:
    form = b"--x\r\nContent-Disposition: form-data; name*=a'b'c\r\n\r\na\r\n--x--\r\n"
    kind = "Content-Type: multipart/form-data; boundary=x"
    lines = [kind, f"Content-Length: {len(form)}", "Connection: close"]
    status, _ = answer_to(shared_stack, head_of("/sign-in/", *lines), iter([form]))
    assert status in {400, 403}


@pytest.mark.parametrize("header", ["Cookie: sessionid=invented", "Authorization: Bearer invented"])
def test_an_upload_with_an_invented_session_or_token_ends_after_a_megabyte(
    shared_stack: Stack, header: str
) -> None:
    head = head_of("/api/v1/assessments/", "Content-Length: 60000000", header)
    status, body = answer_to(shared_stack, head, zeros(60 * MB))
    assert status == 413
    assert b"valid session or token" in body


def test_an_upload_of_several_megabytes_is_taken_from_a_user(
    shared_stack: Stack, transactional_db: None, django_user_model: type[User]
) -> None:
    token = ApiToken.issue(owner=django_user_model.objects.create_user("ada"), name="test")[1]
    content = "# a comment\n" * 300_000
    body = {"name": "large", "files": [{"path": "main.tf", "content": content}]}
    with shared_stack.http(token=token) as client:
        answer = client.post("/api/v1/assessments/", json=body)
    assert answer.status_code == 201, answer.text


def test_every_operation_that_takes_files_is_an_upload() -> None:
    document = json.loads((settings.BASE_DIR / "docs" / "openapi.json").read_text())
    taking = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if takes_files(operation)
    }
    assert len(taking) == 6
    for path in taking:
        assert UPLOADS.match(path.format(assessment_id=uuid4()).encode()), path
    assert not UPLOADS.match(b"/api/v1/assessments/analyzer")


def takes_files(operation: dict[str, Any]) -> bool:
    content = operation.get("requestBody", {}).get("content", {})
    wanted = ("AssessmentIn", "VersionIn", "AnalyzeIn")
    return "multipart/form-data" in content or any(f"/{name}" in str(content) for name in wanted)


def test_a_body_that_trickles_is_cut_at_its_deadline(shared_stack: Stack, tmp_path: Path) -> None:
    trickle = (time.sleep(0.2) or b"x" for _ in range(500))  # type: ignore[func-returns-value]
    with another_web(shared_stack, tmp_path, BODY_DEADLINE_S="2") as web:
        head = head_of("/sign-in/", "Content-Length: 500")
        status, body = answer_to(web, head, trickle)
    assert status == 408
    assert b"too long to arrive" in body
