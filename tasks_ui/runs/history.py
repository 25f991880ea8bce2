"""A run's history, line by line: its events, and what operators did to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from tasks_ui.models import TaskRun
from tasks_ui.models.states import VERBS
from tasks_ui.runs import wording

if TYPE_CHECKING:
    from tasks_ui.models import TaskEvent

EVENTS_MAX = 500
ACTS_MAX = 100
STATES = {verb: state for state, verb in VERBS.items()}
"""The second half of an event's name, and the state that it leads to."""


@dataclass(frozen=True)
class Line:
    """``offset`` is the time since the run was queued; ``state`` is "" if it doesn't change; ``by``
    is who did it."""

    at: datetime
    offset: str
    state: str
    text: str
    by: str = ""
    detail: str = ""


def history(run: TaskRun) -> list[Line]:
    """The first 500 events and the last 100 operator actions, in order of time."""
    events = run.events.order_by("seq")[:EVENTS_MAX]
    entries = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(TaskRun), object_id=str(run.pk)
    )
    acts = entries.select_related("user").order_by("-action_time")[:ACTS_MAX]
    lines = [
        *(_event_line(run, event) for event in events),
        *(_act_line(run, entry) for entry in acts),
    ]
    return sorted(lines, key=lambda line: line.at)


def _event_line(run: TaskRun, event: TaskEvent) -> Line:
    subject, _, verb = event.type.partition(".")
    state = str(STATES.get(verb, "")) if subject in {"task", "child"} else ""
    text, detail = _WORDS.get(event.type, _other)(event.type, event.data)
    return Line(
        event.created_at,
        _offset(run, event.created_at),
        state,
        text,
        _who_asked(run, event),
        detail,
    )


def _act_line(run: TaskRun, entry: LogEntry) -> Line:
    return Line(
        entry.action_time,
        _offset(run, entry.action_time),
        "",
        entry.get_change_message(),
        entry.user.get_username(),
    )


def _who_asked(run: TaskRun, event: TaskEvent) -> str:
    """A requested cancellation names who asked for it; without a name, it follows from another
    run's end."""
    if event.type not in {"task.cancelling", "task.revoked"} or run.cancel_requested_by is None:
        return str(event.data.get("by", ""))
    return run.cancel_requested_by.get_username()


def _offset(run: TaskRun, at: datetime) -> str:
    return f"+{wording.duration(max(0.0, (at - run.created_at).total_seconds()))}"


Words = Callable[[str, dict[str, Any]], tuple[str, str]]


def _started(type: str, data: dict[str, Any]) -> tuple[str, str]:
    return f"Started on {data['worker']}", f"Attempt {data['attempt']} of {data['max_attempts']}"


def _retrying(type: str, data: dict[str, Any]) -> tuple[str, str]:
    return f"Attempt {data['attempt']} of {data['max_attempts']} failed; it will be retried", data[
        "error"
    ]


def _failed(type: str, data: dict[str, Any]) -> tuple[str, str]:
    code = f"{data['error_code']}: " if data["error_code"] else ""
    return "Failed", f"{code}{data['error']}"


def _child(type: str, data: dict[str, Any]) -> tuple[str, str]:
    return f"{data['title']}: {wording.state_word(data['state']).lower()}", data["error"] or data[
        "message"
    ]


def _stage_started(type: str, data: dict[str, Any]) -> tuple[str, str]:
    count = len(data.get("children", ()))
    return f"Stage {data['stage']} started", f"{count} part{'' if count == 1 else 's'}"


def _stage_finished(type: str, data: dict[str, Any]) -> tuple[str, str]:
    return (
        f"Stage {data['stage']} finished",
        f"{data['parent_current']}{wording.NBSP}% of the whole",
    )


def _expedited(type: str, data: dict[str, Any]) -> tuple[str, str]:
    return f"Moved to the queue {data['queue']}", f"from {data['from_queue']}"


def _other(type: str, data: dict[str, Any]) -> tuple[str, str]:
    """An app's own event: its name and the values that are not empty."""
    if type.startswith("child."):
        return _child(type, data)
    said = ", ".join(
        f"{key} {value}" for key, value in data.items() if value not in ("", None, [], {})
    )
    return type.replace(".", " ").capitalize(), said[:300]


def _plain(text: str) -> Words:
    return lambda type, data: (text, said if (said := data.get("message", "")) != text else "")


_WORDS: dict[str, Words] = {
    "task.queued": _plain("Queued"),
    "task.started": _started,
    "task.progressing": _plain("Running"),
    "task.retrying": _retrying,
    "task.cancelling": _plain("Cancelling"),
    "task.revoked": _plain("Cancelled"),
    "task.succeeded": _plain("Done"),
    "task.failed": _failed,
    "task.expedited": _expedited,
    "stage.started": _stage_started,
    "stage.finished": _stage_finished,
}
