"""The vocabulary of tasks that apps extend: error codes, and events with their data.

``tasks_ui`` registers its own here; an app adds to them when it is ready. Kinds of task have a
registry of their own, ``tasks_ui.kinds``.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from tasks_ui.models.states import VERBS, State

ERROR_CODES: dict[str, str] = {
    "": "It has not failed, or failed without giving a reason.",
    "error": "The code raised an error that retrying won't fix.",
    "time_limit": "It exceeded the time limit.",
    "worker_lost": "The worker stopped answering in every attempt.",
    "no_subject": "The object it was to work on has been deleted.",
    "no_such_task": "Its function no longer exists.",
    "bad_result": "Its return value is not JSON.",
}
"""Why a run failed: the code and what it means."""


class StateData(BaseModel):
    """The state that a run has just entered, with enough to draw it."""

    state: State
    attempt: int
    max_attempts: int
    current: int
    total: int
    message: str
    worker: str
    next_retry_at: str | None
    error_code: str
    error: str


class PartData(StateData):
    """A part of a task in its parent's log."""

    task_id: UUID
    kind: str
    title: str
    stage: str
    weight: float


class ChildData(PartData):
    """A part that changed its state. ``parent_current`` is the whole task's progress after that."""

    parent_current: int


class StageStarted(BaseModel):
    """The parts of a stage, all queued."""

    stage: str
    children: list[PartData]


class StageFinished(BaseModel):
    """``parent_current`` is the whole task's progress. Everything else depends on the kind of
    task."""

    model_config = ConfigDict(extra="allow")

    stage: str
    parent_current: int


class Expedited(BaseModel):
    """An operator moved the task to another queue."""

    by: str
    from_queue: str
    queue: str


EVENTS: dict[str, type[BaseModel]] = {
    **{f"task.{verb}": StateData for verb in VERBS.values()},
    **{f"child.{verb}": ChildData for verb in VERBS.values()},
    "stage.started": StageStarted,
    "stage.finished": StageFinished,
    "task.expedited": Expedited,
}
"""What an event's ``data`` holds, by the event's name."""


def register_error_codes(codes: Mapping[str, str]) -> None:
    ERROR_CODES.update(codes)


def register_events(events: Mapping[str, type[BaseModel]]) -> None:
    EVENTS.update(events)
