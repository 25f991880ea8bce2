"""What the server sends over the socket."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from tasks_ui.protocol.client import Ref, Scope
from tasks_ui.protocol.tasks import TaskEventOut, TaskOut

SOCKET_PATH = "/ws/v1/"
HEARTBEAT_S = 20


class ServerFrame(BaseModel):
    v: Literal[1] = 1


class Welcome(ServerFrame):
    """The first frame. Ping every ``heartbeat_s`` seconds; if no pong arrives within the same time,
    reconnect."""

    type: Literal["welcome"] = "welcome"
    user: str
    heartbeat_s: int = HEARTBEAT_S
    server_time: datetime


class Snapshot(ServerFrame):
    """A task and its children at one moment, at which the task's newest event was ``last_seq``."""

    type: Literal["snapshot"] = "snapshot"
    task: TaskOut
    children: list[TaskOut]
    last_seq: int


class Event(ServerFrame, TaskEventOut):
    """A durable event: in order, without gaps, exactly once. A task's log includes its
    children's."""

    type: Literal["event"] = "event"


class Progress(ServerFrame):
    """Volatile: the latest frame wins, and some may be missing. ``children`` holds the finished
    units by child, for those that changed."""

    type: Literal["progress"] = "progress"
    task_id: UUID
    parent_id: UUID | None = None
    attempt: int
    current: int
    total: int
    message: str
    children: dict[UUID, int]


class CaughtUp(ServerFrame):
    """You have everything up to now: of the task, up to ``last_seq``, or (``task_id`` null) of the
    scope."""

    type: Literal["caught_up"] = "caught_up"
    task_id: UUID | None
    scope: Scope | None = None
    last_seq: int


class ResyncRequired(ServerFrame):
    """Your state of the task differs from the server's. ``ahead``: your ``after_seq`` is past its
    newest event; discard your state, the snapshot is the truth. ``gone``: the task no longer
    exists, and the subscription has ended."""

    type: Literal["resync_required"] = "resync_required"
    task_id: UUID
    reason: Literal["ahead", "gone"]


class Revoked(ServerFrame):
    """The subscription has ended: you may no longer see the task, or (``task_id`` null) the
    scope."""

    type: Literal["revoked"] = "revoked"
    task_id: UUID | None


class Pong(ServerFrame):
    type: Literal["pong"] = "pong"
    ref: Ref | None = None


class Error(ServerFrame):
    """The frame with ``ref`` was not processed. The socket stays open."""

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
    1013: "The server can't reach its database right now; reconnect in a few seconds.",
    4401: "Not signed in, or the session or token has ended.",
    4403: "The page that opened the socket belongs to another site.",
    4408: "The client reads too slowly.",
    4429: "Too many messages, or too many sockets of one user.",
}
