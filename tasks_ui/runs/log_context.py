"""What a log line belongs to: a request, a person, a run, and the trace that they share from the
click through the worker to the push on a socket.

The trace id of a run is the id of its root as 32 hex digits, which is a trace id of W3C and of
OpenTelemetry as it stands: nothing has to be handed on, and whoever knows the run knows its trace.
A request that starts a run is a part of that run's trace, another one has a trace of its own.
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
    """Lines that are written within the block carry these of ``FIELDS``. Gives all that they carry,
    with what ``note`` adds."""
    context = {**(_context.get() or {}), **_texts(ids)}
    token = _context.set(context)
    try:
        yield context
    finally:
        _context.reset(token)


def note(**ids: Any) -> None:
    """Add to what the block around carries; nothing outside of one."""
    if (context := _context.get()) is not None:
        context.update(_texts(ids))


def note_started(run: TaskRun) -> None:
    """The block around has started a run, and is a part of its trace unless it is of another's."""
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
    """The fields of the block around."""
    return dict(_context.get() or {})


def on_span(hook: SpanHook) -> None:
    """Have ``hook`` called with the arguments of ``span_ended`` and the fields at that time."""
    global _hook
    _hook = hook


def span_ended(name: str, *, began_ns: int, is_root: bool = False) -> None:
    """A part of the present trace has ended, which began at ``began_ns`` since the epoch."""
    if _hook is not None and "trace_id" in (ids := current()):
        _hook(name, began_ns=began_ns, ids=ids, is_root=is_root)


class ContextFilter(logging.Filter):
    """Puts the fields on each record, and ``context``, the same as text."""

    def filter(self, record: logging.LogRecord) -> bool:
        context = _context.get() or {}
        for field in FIELDS:
            setattr(record, field, context.get(field))
        words = " ".join(f"{key}={context[key]}" for key in FIELDS if key in context)
        record.context = f" [{words}]" if words else ""
        return True


def _texts(ids: dict[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in ids.items() if value is not None}
