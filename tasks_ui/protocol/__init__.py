"""The types of both APIs, defined once: REST, WebSocket, OpenAPI and AsyncAPI are all built from
these.

The socket carries JSON text frames. A client sends a ``ClientMessage``, the server a
``ServerMessage``. Progress is in finished and known units of work; ``percent`` is 0 to 100. Times
are ISO 8601 in UTC.
"""

from __future__ import annotations

from tasks_ui.protocol.client import (
    CLIENT_FRAMES,
    MESSAGE_MAX_BYTES,
    ClientFrame,
    ClientMessage,
    Ping,
    Ref,
    Scope,
    Seq,
    Subscribe,
    Unsubscribe,
    client_message,
)
from tasks_ui.protocol.names import AskedKind, AskedQueue, OneOf, name_event_data
from tasks_ui.protocol.problems import FieldError, Problem, Words
from tasks_ui.protocol.server import (
    CLOSE_CODES,
    HEARTBEAT_S,
    SERVER_FRAMES,
    SOCKET_PATH,
    CaughtUp,
    Error,
    Event,
    Pong,
    Progress,
    ResyncRequired,
    Revoked,
    ServerFrame,
    ServerMessage,
    Snapshot,
    Welcome,
)
from tasks_ui.protocol.tasks import (
    BulkOut,
    BulkResult,
    CancelOut,
    EventPage,
    RetryOut,
    TaskDetail,
    TaskEventOut,
    TaskOut,
    TaskPage,
    TaskResultOut,
    TaskStatus,
    TicketOut,
    tasks_out,
)

__all__ = [
    "CLIENT_FRAMES",
    "CLOSE_CODES",
    "HEARTBEAT_S",
    "MESSAGE_MAX_BYTES",
    "SERVER_FRAMES",
    "SOCKET_PATH",
    "AskedKind",
    "AskedQueue",
    "BulkOut",
    "BulkResult",
    "CancelOut",
    "CaughtUp",
    "ClientFrame",
    "ClientMessage",
    "Error",
    "Event",
    "EventPage",
    "FieldError",
    "OneOf",
    "Ping",
    "Pong",
    "Problem",
    "Progress",
    "Ref",
    "ResyncRequired",
    "RetryOut",
    "Revoked",
    "Scope",
    "Seq",
    "ServerFrame",
    "ServerMessage",
    "Snapshot",
    "Subscribe",
    "TaskDetail",
    "TaskEventOut",
    "TaskOut",
    "TaskPage",
    "TaskResultOut",
    "TaskStatus",
    "TicketOut",
    "Unsubscribe",
    "Welcome",
    "Words",
    "client_message",
    "name_event_data",
    "tasks_out",
]
