"""What is sent to Sentry and to OpenTelemetry, seen from a receiver in this process."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.stack import wait_until

ROOT = Path(__file__).parents[1]
FAIL = """
import django, logging
django.setup()
from tasks_ui.runs import log_context
def scan(upload):
    raise ValueError(f"no such file: {upload}")
with log_context.bound(trace_id="0190a0b0"):
    try:
        scan("words-canary")
    except ValueError:
        logging.getLogger("tasks_ui").exception("The scan of %s failed", "argument-canary")
import sentry_sdk
sentry_sdk.flush(10)
"""
TRACE = """
import django, time
django.setup()
from uuid import UUID
from tasks_ui.runs import log_context
run = UUID("0190a0b0-1111-7222-8333-444455556666")
with log_context.bound(trace_id=run.hex, task_id=run, user_id=7):
    log_context.span_ended("scan succeeded", began_ns=time.time_ns() - 10**9)
    log_context.span_ended("POST /analyze", began_ns=time.time_ns() - 10**9, is_root=True)
log_context.span_ended("outside of a trace", began_ns=time.time_ns())
"""


class Receiver:
    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                bodies.append((self.path, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()


def run(code: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_sentry_gets_the_kind_of_an_error_its_place_and_nothing_from_uploads(
    receiver: Receiver,
) -> None:
    run(FAIL, SENTRY_DSN=f"http://key@127.0.0.1:{receiver.port}/1")
    wait_until(lambda: receiver.bodies, timeout_s=10, what="an event")
    sent = b"\n".join(body for _, body in receiver.bodies)
    assert b"canary" not in sent
    events = [json.loads(line) for line in sent.splitlines() if b'"exception"' in line]
    error = events[0]["exception"]["values"][0]
    assert error["type"] == "ValueError" and error["stacktrace"]["frames"]
    assert events[0]["logentry"] == {"message": "The scan of %s failed"}
    assert events[0]["tags"]["trace_id"] == "0190a0b0"
    assert events[0]["release"].startswith("infra-mind@")


def test_spans_of_a_run_share_its_trace_and_the_request_is_their_root(receiver: Receiver) -> None:
    run(TRACE, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{receiver.port}")
    wait_until(lambda: receiver.bodies, timeout_s=10, what="spans")
    spans: dict[str, Any] = {}
    for path, body in receiver.bodies:
        assert path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                spans |= {span.name: span for span in scope.spans}
    assert spans.keys() == {"scan succeeded", "POST /analyze"}
    attempt, request = spans["scan succeeded"], spans["POST /analyze"]
    assert attempt.trace_id.hex() == request.trace_id.hex() == "0190a0b0111172228333444455556666"
    assert attempt.parent_span_id == request.span_id and not request.parent_span_id
    assert attempt.end_time_unix_nano - attempt.start_time_unix_nano >= 10**9
    ids = {each.key: each.value.string_value for each in attempt.attributes}
    assert ids["infra_mind.user_id"] == "7" and ids["infra_mind.task_id"].startswith("0190a0b0-")


def test_without_addresses_neither_is_loaded() -> None:
    loaded = (
        "[name for name in sys.modules if 'sentry_sdk' in name or 'opentelemetry.exporter' in name]"
    )
    code = f"import django, sys; django.setup(); print({loaded}, file=sys.stderr)"
    assert run(code, SENTRY_DSN="", OTEL_EXPORTER_OTLP_ENDPOINT="").endswith("[]\n")
