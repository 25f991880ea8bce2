"""A run's events as sentences, newest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from assessments.agents import AGENTS
from assessments.stages import STAGES
from tasks_ui.models import State
from tasks_ui.runs import wording

if TYPE_CHECKING:
    from tasks_ui.models import TaskEvent

LABELS = {stage.name: stage.label for stage in STAGES}


@dataclass(frozen=True)
class Entry:
    """One line. ``offset`` is the time since the run was queued; a ``minor`` line is shown only
    when all lines are requested."""

    seq: int
    offset: str
    at: datetime
    state: str
    text: str
    more: str = ""
    minor: bool = False


def timeline(events: Sequence[TaskEvent], *, began: datetime) -> list[Entry]:
    entries = []
    for event in events:
        state, text, more, minor = _WORDS.get(event.type, _any)(event)
        offset = wording.duration(max(0.0, (event.created_at - began).total_seconds()))
        entries.append(Entry(event.seq, offset, event.created_at, state, text, more, minor))
    return entries


Words = tuple[str, str, str, bool]


def _queued(event: TaskEvent) -> Words:
    return State.PENDING, "Queued", "", False


def _started(event: TaskEvent) -> Words:
    attempt = event.data["attempt"]
    again = f"Attempt {attempt} of {event.data['max_attempts']}. " if attempt > 1 else ""
    return State.STARTED, f"Started on {event.data['worker']}", again, False


def _progressing(event: TaskEvent) -> Words:
    return State.PROGRESS, event.data["message"] or "Running", "", True


def _retrying(event: TaskEvent) -> Words:
    return (
        State.RETRY,
        f"Attempt {event.data['attempt']} failed",
        wording.first_line(event.data["error"]),
        False,
    )


def _cancelling(event: TaskEvent) -> Words:
    return State.CANCELLING, "Cancel requested", "Running work is being stopped", False


def _revoked(event: TaskEvent) -> Words:
    return State.REVOKED, "Cancelled", "", False


def _succeeded(event: TaskEvent) -> Words:
    return State.SUCCESS, "Done", "", False


def _failed(event: TaskEvent) -> Words:
    return State.FAILURE, "Failed", wording.first_line(event.data["error"]), False


def _stage_started(event: TaskEvent) -> Words:
    children = event.data["children"]
    count = f"{len(children)} tasks" if len(children) > 1 else ""
    return State.STARTED, f"{_stage(event)} started", count, len(children) < 2


def _stage_finished(event: TaskEvent) -> Words:
    said = ("files", "shards", "checks", "resources", "not_assessed")
    parts = [f"{event.data[key]:,} {key.replace('_', ' ')}" for key in said if event.data.get(key)]
    return State.SUCCESS, f"{_stage(event)} finished", ", ".join(parts), False


def _child(state: State, verb: str, *, minor: bool) -> Callable[[TaskEvent], Words]:
    def words(event: TaskEvent) -> Words:
        data = event.data
        more = wording.first_line(data["error"]) if state in {State.RETRY, State.FAILURE} else ""
        return (
            state,
            f"{data['title']} {verb}",
            more,
            minor or (state == State.SUCCESS and data["stage"] != "agents"),
        )

    return words


def _agent_finished(event: TaskEvent) -> Words:
    label = event.data["label"]
    if event.data["status"] == "not_assessed":
        return "SKIPPED", f"{label} not assessed", event.data["reason"], False
    score = event.data["score"]
    return State.SUCCESS, f"{label} finished", f"Score {score}" if score is not None else "", False


def _findings_found(event: TaskEvent) -> Words:
    count, agent = event.data["count"], event.data["agent"]
    label = AGENTS[agent].label if agent in AGENTS else agent
    return State.PROGRESS, f"{count:,} finding{'' if count == 1 else 's'} from {label}", "", False


def _stage(event: TaskEvent) -> str:
    name = str(event.data["stage"])
    return LABELS.get(name, name)


def _any(event: TaskEvent) -> Words:
    return State.PROGRESS, event.type, "", True


_WORDS: dict[str, Callable[[TaskEvent], Words]] = {
    "task.queued": _queued,
    "task.started": _started,
    "task.progressing": _progressing,
    "task.retrying": _retrying,
    "task.cancelling": _cancelling,
    "task.revoked": _revoked,
    "task.succeeded": _succeeded,
    "task.failed": _failed,
    "stage.started": _stage_started,
    "stage.finished": _stage_finished,
    "child.queued": _child(State.PENDING, "queued", minor=True),
    "child.started": _child(State.STARTED, "started", minor=True),
    "child.progressing": _child(State.PROGRESS, "counted its work", minor=True),
    "child.retrying": _child(State.RETRY, "will be retried", minor=False),
    "child.cancelling": _child(State.CANCELLING, "is being stopped", minor=True),
    "child.revoked": _child(State.REVOKED, "was cancelled", minor=True),
    "child.succeeded": _child(State.SUCCESS, "is done", minor=True),
    "child.failed": _child(State.FAILURE, "failed", minor=False),
    "agent.finished": _agent_finished,
    "findings.found": _findings_found,
}
