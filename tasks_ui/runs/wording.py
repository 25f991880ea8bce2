"""How runs are described to people: state, reason and times, in one place."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from tasks_ui.models import State

if TYPE_CHECKING:
    from tasks_ui.models import TaskRun

NBSP = "\N{NO-BREAK SPACE}"
PARTIAL = "PARTIAL"
"""A state of the view alone: a success of which a part failed."""

WHAT_NEXT = {
    "worker_lost": (
        "Usually the machine ran out of memory or was switched off. Run it again; if that fails"
        " too, use fewer files at a time or give the workers more memory."
    ),
    "engine_time_limit": "Run it again with fewer files at a time.",
    "time_limit": "Run it again with fewer files at a time.",
}
"""By error code, what a person can do after a failure."""

COUNTED = 1000
"""Tabs count so far and no further: "1,000+" is known at once, 734,212 is not worth a second of
waiting."""


def view_state(run: TaskRun) -> str:
    """The state that determines a row's color: the run's own, or PARTIAL."""
    return PARTIAL if run.state == State.SUCCESS and run.partial else str(run.state)


def state_word(state: str) -> str:
    return "Partly done" if state == PARTIAL else str(State(state).label)


def status_line(run: TaskRun) -> str:
    """The line under a run's bar: what it is doing, why it isn't, or what to expect."""
    match run.state:
        case State.PENDING:
            return run.message or scheduled_line(run) or "Waiting for a worker"
        case State.STARTED:
            return run.message or "Counting the work"
        case State.PROGRESS:
            return run.message or "Running"
        case State.RETRY:
            return retry_line(run)
        case State.CANCELLING:
            return "Waiting for running work to stop"
        case State.REVOKED:
            return revoked_line(run)
        case State.FAILURE:
            return failure_line(run)
    return ""


def scheduled_line(run: TaskRun) -> str:
    """``Starts on 24 Nov 2026 at 21:00`` for a deferred run; otherwise empty."""
    if run.next_retry_at is None or run.next_retry_at <= timezone.now():
        return ""
    due = timezone.localtime(run.next_retry_at)
    return f"Starts on {due.day} {due:%b %Y} at {due:%H:%M}"


def retry_line(run: TaskRun) -> str:
    """``Attempt 2 of 4 · the reason for the failure``; the time of the attempt is shown beside
    it."""
    line = f"Attempt {run.attempt + 1} of {run.max_attempts}"
    return f"{line} · {first_line(run.error)}" if run.error else line


def revoked_line(run: TaskRun, *, who: str = "Cancelled") -> str:
    if run.started_at is None:
        return f"{who} before it started."
    return f"{who} at {run.percent}{NBSP}%. Finished work is kept."


def failure_line(run: TaskRun) -> str:
    return first_line(run.error) or "It stopped without giving a reason."


def what_next(run: TaskRun) -> str:
    """What to do after a failure."""
    return WHAT_NEXT.get(
        run.error_code, "Run it again; if it fails the same way, the timeline shows the step."
    )


def first_line(text: str) -> str:
    """At most 240 characters of the first line."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= 240 else line[:239] + "…"


def duration(span: timedelta | float | None) -> str:
    """How long something took, in two units at most: ``6.6 s``, ``18 s``, ``1 min 12 s``, ``2 h 5
    min``, ``3 d 4 h``. Input in seconds."""
    if span is None:
        return ""
    seconds = max(0.0, span.total_seconds() if isinstance(span, timedelta) else span)
    return f"{seconds:.1f}{NBSP}s" if seconds < 9.95 else _two_units(round(seconds))


def clock(span: timedelta | float) -> str:
    """A running duration in whole seconds: ``6 s``, ``1 min 12 s``. The pages keep counting
    (words.js)."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    return _two_units(max(0, int(seconds)))


def _two_units(seconds: int) -> str:
    for size, unit, small, small_unit in (
        (86_400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if seconds >= size:
            rest = seconds % size // small
            return f"{seconds // size}{NBSP}{unit}" + (f" {rest}{NBSP}{small_unit}" if rest else "")
    return f"{seconds}{NBSP}s"


def run_time(run: TaskRun) -> timedelta | None:
    """How long the run has taken, from its first start to its end or to now; None before it
    starts."""
    if run.started_at is None:
        return None
    return (run.finished_at or timezone.now()) - run.started_at


def when(moment: datetime, now: datetime | None = None) -> str:
    """``42 s ago``, ``6 min ago`` within the hour, ``Today 09:12``, ``Yesterday 17:20``, otherwise
    ``12 Nov 2026``."""
    now = timezone.localtime(now or timezone.now())
    local = timezone.localtime(moment)
    age_s = (now - local).total_seconds()
    if age_s < 60:
        return f"{max(0, int(age_s))}{NBSP}s ago"
    if age_s < 3600:
        return f"{int(age_s // 60)}{NBSP}min ago"
    days = (now.date() - local.date()).days
    if days <= 1:
        return f"{'Yesterday' if days else 'Today'} {local:%H:%M}"
    return f"{local.day} {local:%b %Y}"


def plural(count: int, noun: str) -> str:
    """``1 file``, ``3 files``, with thousands separated."""
    return f"{count:,}{NBSP}{noun}" + ("" if count == 1 else "s")


def size(count: int) -> str:
    """Bytes as ``214 B``, ``6.1 kB`` or ``2.4 MB`` (powers of ten)."""
    if count < 1000:
        return f"{count}{NBSP}B"
    return (
        f"{count / 1000:.1f}{NBSP}kB" if count < 1_000_000 else f"{count / 1_000_000:.1f}{NBSP}MB"
    )
