"""Everything that crosses the two APIs, typed once: REST, WebSocket, OpenAPI and AsyncAPI are made
from these.

The socket carries JSON text frames. A client sends a ``ClientMessage``, the server a
``ServerMessage``. Numbers of progress are finished and known units of work; ``percent`` is 0 to
100. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from tasks_ui import kinds
from tasks_ui.models import State

if TYPE_CHECKING:
    from tasks_ui.models import TaskEvent, TaskRun

MESSAGE_MAX_BYTES = 16 * 1024
HEARTBEAT_S = 20

Scope = Literal["mine", "all"]
Ref = Annotated[str, Field(max_length=64)] | int
Seq = Annotated[int, Field(ge=0, le=2**31 - 1)]
Words = Annotated[str, Field(pattern=r"^[^\x00-\x1f]*$")]
"""One line of text. PostgreSQL can't store NUL."""


# --- tasks -------------------------------------------------------------------------------------


class TaskOut(BaseModel):
    """One run of one task. ``weight`` is its percent of its parent's work; ``url`` is the page of
    what it works on; ``again_of_id`` is the earlier task that it repeats."""

    task_id: UUID
    parent_id: UUID | None
    again_of_id: UUID | None
    owner: str
    kind: str
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
    queue: str
    priority: int
    worker: str
    created_at: datetime
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    next_retry_at: datetime | None
    cancel_requested_at: datetime | None
    error_code: str
    error: str
    last_seq: int
    url: str | None

    @classmethod
    def of(cls, run: TaskRun, *, url: str | None) -> Self:
        """From a row whose owner is read along."""
        own = {
            name: getattr(run, name)
            for name in cls.model_fields
            if name not in {"task_id", "owner", "url"}
        }
        return cls(task_id=run.pk, owner=run.owner.get_username(), url=url, **own)


def tasks_out(runs: Sequence[TaskRun]) -> list[TaskOut]:
    """The runs with the pages that their apps give them, in a number of queries that does not grow
    with them."""
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
    event: str = Field(examples=["task.started", "child.succeeded", "stage.finished"])
    at: datetime
    data: dict[str, Any]

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

    ``counts`` has, by state, the newest 10,000 of the tasks that match all of the filter but its
    states.
    """

    total: int
    counts: dict[State, int]
    tasks: list[TaskOut]
    next_cursor: UUID | None


class TaskStatus(BaseModel):
    """``status`` is a sentence for people. ``result`` is there once the task is done, ``error``
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
    """``done``: the request was taken, ``state`` is the state after it, and ``new_task_id`` is that
    of a retry. ``refused``: ``message`` says why. ``not_found``: you have no such task."""

    task_id: UUID
    outcome: Literal["done", "refused", "not_found"]
    message: str
    state: State | None = None
    new_task_id: UUID | None = None


class BulkOut(BaseModel):
    """One result for each task, in the order asked for. ``remaining`` tasks match a filter and were
    not reached; ask again for those."""

    results: list[BulkResult]
    remaining: int


class EventPage(BaseModel):
    """``last_seq`` is the newest event there is. Ask again, ``after_seq`` the last one that you
    have, to reach it."""

    events: list[TaskEventOut]
    last_seq: int


class TicketOut(BaseModel):
    """Opens one socket, once: ``/ws/v1/?ticket=``."""

    ticket: str
    expires_at: datetime


class FieldError(BaseModel):
    """One thing that is wrong. ``path`` is that of a field (``files.0.path``) or of a file;
    ``line`` counts from 1."""

    path: str
    message: str
    line: int | None = None


class Problem(BaseModel):
    """RFC 9457 problem details, sent as ``application/problem+json``."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


# --- what a client of the socket sends ---------------------------------------------------------


class ClientFrame(BaseModel):
    """``ref`` is yours: an error or a pong that answers this frame repeats it."""

    model_config = ConfigDict(extra="forbid")

    ref: Ref | None = None


class _Target(ClientFrame):
    task_id: UUID | None = None
    scope: Scope | None = None

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.task_id is None) == (self.scope is None):
            raise ValueError("Give either task_id or scope.")
        return self


class Subscribe(_Target):
    """Follow one task, or the tasks of a scope: your own ("mine"), or everyone's ("all", for
    operators).

    Answered for a task by ``snapshot``, the events after ``after_seq`` (0: all there are),
    ``caught_up``, then what happens. For a scope by a ``snapshot`` of each unfinished task,
    ``caught_up``, then a ``snapshot`` of each new task and the events that follow it.
    """

    type: Literal["subscribe"]
    after_seq: Seq = 0


class Unsubscribe(_Target):
    type: Literal["unsubscribe"]


class Ping(ClientFrame):
    type: Literal["ping"]


ClientMessage = Annotated[Subscribe | Unsubscribe | Ping, Field(discriminator="type")]
client_message: TypeAdapter[Subscribe | Unsubscribe | Ping] = TypeAdapter(ClientMessage)


# --- what the server sends over the socket -----------------------------------------------------


class ServerFrame(BaseModel):
    v: Literal[1] = 1


class Welcome(ServerFrame):
    """The first frame. Ping every ``heartbeat_s`` seconds; no pong within as long again means:
    connect anew."""

    type: Literal["welcome"] = "welcome"
    user: str
    heartbeat_s: int = HEARTBEAT_S
    server_time: datetime


class Snapshot(ServerFrame):
    """A task and its children, all at one moment, in which the task's newest event was
    ``last_seq``."""

    type: Literal["snapshot"] = "snapshot"
    task: TaskOut
    children: list[TaskOut]
    last_seq: int


class Event(ServerFrame, TaskEventOut):
    """A durable event: in order, without a gap, each once. A task's log tells of its children,
    too."""

    type: Literal["event"] = "event"


class Progress(ServerFrame):
    """Volatile: the latest wins, and one may be missing. ``children`` holds units done by child,
    where they moved."""

    type: Literal["progress"] = "progress"
    task_id: UUID
    parent_id: UUID | None = None
    attempt: int
    current: int
    total: int
    message: str
    children: dict[UUID, int]


class CaughtUp(ServerFrame):
    """You have all there was until now: of the task, up to ``last_seq``, or (``task_id`` null) of
    the scope."""

    type: Literal["caught_up"] = "caught_up"
    task_id: UUID | None
    scope: Scope | None = None
    last_seq: int


class ResyncRequired(ServerFrame):
    """What you have of the task is not what the server has. ``ahead``: your ``after_seq`` is past
    its newest event; forget what you have, the snapshot is the truth. ``gone``: the task is no
    more, and the subscription has ended."""

    type: Literal["resync_required"] = "resync_required"
    task_id: UUID
    reason: Literal["ahead", "gone"]


class Revoked(ServerFrame):
    """The subscription has ended: the task, or (``task_id`` null) the scope, is no longer yours to
    see."""

    type: Literal["revoked"] = "revoked"
    task_id: UUID | None


class Pong(ServerFrame):
    type: Literal["pong"] = "pong"
    ref: Ref | None = None


class Error(ServerFrame):
    """The frame with ``ref`` was not done. The socket stays open."""

    type: Literal["error"] = "error"
    code: Literal[
        "invalid_json",
        "invalid_message",
        "not_found",
        "forbidden",
        "too_many_subscriptions",
        "temporarily_unavailable",
    ]
    message: str
    ref: Ref | None = None


CLIENT_FRAMES: tuple[type[ClientFrame], ...] = (Subscribe, Unsubscribe, Ping)
SERVER_FRAMES: tuple[type[ServerFrame], ...] = (
    Welcome,
    Snapshot,
    Event,
    Progress,
    CaughtUp,
    ResyncRequired,
    Revoked,
    Pong,
    Error,
)
ServerMessage = Annotated[
    Welcome | Snapshot | Event | Progress | CaughtUp | ResyncRequired | Revoked | Pong | Error,
    Field(discriminator="type"),
]

CLOSE_CODES = {
    1009: "A message was larger than 16 KiB.",
    1013: "The server can't look things up just now; connect again in a few seconds.",
    4401: "Not signed in, or no longer: the session or the token has ended.",
    4403: "The page that opened the socket is of another site.",
    4408: "The client did not read what it was sent.",
    4429: "Too many messages, or too many sockets of one user.",
}
