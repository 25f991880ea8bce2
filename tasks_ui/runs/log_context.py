"""What a log line belongs to: a request, a person, a run, and the trace that they share, from the
click through the worker to the push on a socket.

The trace id of a run is the id of its root as 32 hex digits, which is a valid W3C and OpenTelemetry
trace id: nothing has to be passed along, as the run determines its trace. A request that starts a
run is part of that run's trace; any other request has its own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from tasks_ui.models import TaskRun

FIELDS = ("request_id", "trace_id", "task_id", "user_id")


class SpanHook(Protocol):
    def __call__(
        self, name: str, *, began_ns: int, ids: Mapping[str, str], is_root: bool
    ) -> None: ...


_hook: SpanHook | None = None
_context: ContextVar[dict[str, str] | None] = ContextVar("log_context", default=None)


@contextmanager
def bound(**ids: Any) -> Iterator[dict[str, str]]:
    """Lines logged within the block carry these ``FIELDS``. Yields all that they carry, including
    what ``note`` adds."""
    context = {**(_context.get() or {}), **_texts(ids)}
    token = _context.set(context)
    try:
        yield context
    finally:
        _context.reset(token)


def note(**ids: Any) -> None:
    """Add to the fields of the enclosing block; outside of one, do nothing."""
    if (context := _context.get()) is not None:
        context.update(_texts(ids))


def note_started(run: TaskRun) -> None:
    """The enclosing block has started a run, and becomes part of its trace unless it belongs to
    another."""
    if "task_id" not in (_context.get() or {}):
        note(trace_id=trace_of(run), task_id=run.pk)


def trace_of(run: TaskRun) -> str:
    """The trace that a run belongs to."""
    return trace_id(run.parent_id or run.pk)


def trace_id(root: UUID) -> str:
    return root.hex


def of_run(run: TaskRun) -> dict[str, Any]:
    """The fields of a run, for ``bound``."""
    return {"trace_id": trace_of(run), "task_id": run.pk, "user_id": run.owner_id}


def current() -> dict[str, str]:
    """The fields of the enclosing block."""
    return dict(_context.get() or {})


def on_span(hook: SpanHook) -> None:
    """Call ``hook`` with the arguments of each ``span_ended`` and the fields at that time."""
    global _hook
    _hook = hook


def span_ended(name: str, *, began_ns: int, is_root: bool = False) -> None:
    """A span of the current trace has ended; it began ``began_ns`` after the epoch."""
    if _hook is not None and "trace_id" in (ids := current()):
        _hook(name, began_ns=began_ns, ids=ids, is_root=is_root)


class ContextFilter(logging.Filter):
    """Adds the fields to each record, and as ``context`` the same as text."""

    def filter(self, record: logging.LogRecord) -> bool:
        context = _context.get() or {}
        for field in FIELDS:
            setattr(record, field, context.get(field))
        words = " ".join(f"{key}={context[key]}" for key in FIELDS if key in context)
        record.context = f" [{words}]" if words else ""
        return True


def _texts(ids: dict[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in ids.items() if value is not None}
