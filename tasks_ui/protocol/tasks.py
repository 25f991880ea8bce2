"""Tasks and their events, and what operations on them return."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel

from tasks_ui import kinds
from tasks_ui.models import State
from tasks_ui.protocol.names import ErrorCode, EventData, EventName, KindName, QueueName

if TYPE_CHECKING:
    from tasks_ui.models import TaskEvent, TaskRun


class TaskOut(BaseModel):
    """One run of one task. ``weight`` is its percentage of its parent's work; ``url`` is the page
    of the object it works on; ``again_of_id`` is the earlier task that it repeats."""

    task_id: UUID
    parent_id: UUID | None
    again_of_id: UUID | None
    owner: str
    kind: KindName
    title: str
    stage: str
    state: State
    partial: bool
    attempt: int
    max_attempts: int
    weight: float
    current: int
    total: int
    percent: int
    message: str
    queue: QueueName
    worker: str
    created_at: datetime
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    next_retry_at: datetime | None
    cancel_requested_at: datetime | None
    error_code: ErrorCode
    error: str
    last_seq: int
    url: str | None

    @classmethod
    def of(cls, run: TaskRun, *, url: str | None) -> Self:
        """From a row that was read with its owner."""
        own = {
            name: getattr(run, name)
            for name in cls.model_fields
            if name not in {"task_id", "owner", "url"}
        }
        return cls(task_id=run.pk, owner=run.owner.get_username(), url=url, **own)


def tasks_out(runs: Sequence[TaskRun]) -> list[TaskOut]:
    """The runs with their pages, with a fixed number of queries."""
    by_kind: dict[str, list[TaskRun]] = defaultdict(list)
    for run in runs:
        by_kind[run.kind].append(run)
    urls: dict[UUID, str] = {}
    for name, of_kind in by_kind.items():
        kind = kinds.find(name)
        if kind is not None and kind.describe is not None:
            urls |= {task_id: facts.link for task_id, facts in kind.describe(of_kind).items()}
        elif kind is not None and kind.link is not None:
            urls |= {run.pk: kind.link(run.subject) for run in of_kind if run.subject is not None}
    return [TaskOut.of(run, url=urls.get(run.pk) or None) for run in runs]


class TaskEventOut(BaseModel):
    """A durable event. ``seq`` counts 1, 2, 3 ... within its task, without a gap."""

    task_id: UUID
    seq: int
    event: EventName
    at: datetime
    data: EventData

    @classmethod
    def of(cls, event: TaskEvent) -> Self:
        return cls(
            task_id=event.task_id,
            seq=event.seq,
            event=event.type,
            at=event.created_at,
            data=event.data,
        )


class TaskDetail(TaskOut):
    children: list[TaskOut]


class TaskPage(BaseModel):
    """``total`` counts the tasks that match, up to 10,000. ``next_cursor`` is None on the last
    page.

    ``counts`` is by state, for the newest 10,000 tasks that match the filter apart from its states.
    ``is_cut``: only the newest 10,000 tasks were searched, and there are older ones.
    """

    total: int
    counts: dict[State, int]
    tasks: list[TaskOut]
    next_cursor: UUID | None
    is_cut: bool = False


class TaskStatus(BaseModel):
    """``status`` is a sentence for people. ``result`` is present once the task is done, ``error``
    once it has failed."""

    task_id: UUID
    state: State
    current: int
    total: int
    status: str
    result: Any = None
    error: str | None = None


class TaskResultOut(BaseModel):
    task_id: UUID
    state: State
    result: Any


class CancelOut(BaseModel):
    """``status`` is the state after the request: CANCELLING becomes REVOKED once the work has
    stopped."""

    task_id: UUID
    status: State
    message: str


class RetryOut(BaseModel):
    """``task_id`` is a new task, which repeats ``again_of``; the old one stays as it is."""

    task_id: UUID
    again_of: UUID
    status: Literal["queued"] = "queued"
    message: str
    check_status_url: str


class BulkResult(BaseModel):
    """``done``: the request was accepted, ``state`` is the state after it, and ``new_task_id`` is
    that of a retry. ``refused``: ``message`` says why. ``not_found``: you have no such task."""

    task_id: UUID
    outcome: Literal["done", "refused", "not_found"]
    message: str
    state: State | None = None
    new_task_id: UUID | None = None


class BulkOut(BaseModel):
    """One result per task, in the requested order. ``remaining`` tasks match the filter but were
    not reached; repeat the request for those."""

    results: list[BulkResult]
    remaining: int


class EventPage(BaseModel):
    """``last_seq`` is the newest event. To reach it, repeat the request with ``after_seq`` set to
    the last one that you have."""

    events: list[TaskEventOut]
    last_seq: int


class TicketOut(BaseModel):
    """Opens one socket, once: ``/ws/v1/?ticket=``."""

    ticket: str
    expires_at: datetime
