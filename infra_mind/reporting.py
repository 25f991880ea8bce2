"""Reports to external services, if an operator configures them: errors to Sentry, spans to an
OpenTelemetry receiver. Both are extras (``pip install sentry-sdk``; pyproject.toml has the
versions), and neither sends user data or uploads.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from django.conf import settings

from tasks_ui.runs import log_context

logger = logging.getLogger(__name__)


def set_up() -> None:
    """Called once per process, before it forks."""
    if settings.SENTRY_DSN and _has("sentry_sdk", "SENTRY_DSN"):
        _report_errors()
    endpoint = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if endpoint and _has("opentelemetry.exporter.otlp.proto.http", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        log_context.on_span(Spans().add)


def _has(module: str, setting: str) -> bool:
    try:
        found = find_spec(module) is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        logger.error("%s is set, but %s is not installed; nothing is sent.", setting, module)
    return found


def _report_errors() -> None:
    """Errors with their traceback, but without requests, variables or uploads."""
    import sentry_sdk

    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        release=f"infra-mind@{settings.TASKS_SITE_VERSION}",
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        before_send=_bare,
    )


def _bare(event: Any, hint: Mapping[str, Any]) -> Any:
    """An error's type and location. Its message is left out, as it may name an uploaded file."""
    for key in ("request", "user", "extra", "breadcrumbs"):
        event.pop(key, None)
    for error in (event.get("exception") or {}).get("values", []):
        error["value"] = ""
    if "logentry" in event:
        event["logentry"] = {"message": event["logentry"].get("message", "")}
    event["tags"] = {**(event.get("tags") or {}), **log_context.current()}
    return event


class Spans:
    """OpenTelemetry spans, created when ``log_context`` reports that a span has ended.

    A run's id determines its trace. The request that started it is the trace's root: its span id
    follows from the run's id, so a worker can name it as the parent without a message.
    """

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._tracer: Any = None
        self._pid = 0

    def add(self, name: str, *, began_ns: int, ids: Mapping[str, str], is_root: bool) -> None:
        from opentelemetry import trace as api

        trace = int(ids["trace_id"], 16)
        root = api.SpanContext(
            trace, root_span_id(trace), is_remote=True, trace_flags=api.TraceFlags(1)
        )
        tracer = self._of_this_process()
        if is_root:
            _IDS.next = (trace, root.span_id)
        context = None if is_root else api.set_span_in_context(api.NonRecordingSpan(root))
        span = tracer.start_span(name, context=context, start_time=began_ns)
        for key, value in ids.items():
            span.set_attribute(f"infra_mind.{key}", value)
        span.end(time.time_ns())

    def _of_this_process(self) -> Any:
        """A forked child starts its own exporter: threads don't survive a fork."""
        with self._starting:
            if self._pid != os.getpid():
                self._pid, self._tracer = os.getpid(), _tracer()
        return self._tracer


def root_span_id(trace: int) -> int:
    """The lower half of the trace's id, which is random in a UUID of version 7."""
    return trace & (2**64 - 1)


_IDS = threading.local()


def _tracer() -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        """Random, except for the span that is about to start, whose ids are known."""

        def generate_trace_id(self) -> int:
            known = getattr(_IDS, "next", None)
            return known[0] if known else super().generate_trace_id()

        def generate_span_id(self) -> int:
            known, _IDS.next = getattr(_IDS, "next", None), None
            return known[1] if known else super().generate_span_id()

    about = {"service.name": "infra-mind", "service.version": settings.TASKS_SITE_VERSION}
    provider = TracerProvider(resource=Resource.create(about), id_generator=Ids())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("infra_mind")
