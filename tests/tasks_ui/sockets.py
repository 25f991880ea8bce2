"""A client of the WebSocket API for tests: conversations through the real server."""

from __future__ import annotations

import json
import time
from types import TracebackType
from typing import Any, Self

import pydantic
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tasks_ui.protocol import ServerMessage
from tests.stack import Stack

_server_message: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(ServerMessage)


class Conversation:
    """One socket. Every frame received is checked against the published types and kept in
    ``heard``."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.heard: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connection.close()

    def say(self, **message: Any) -> None:
        self.connection.send(json.dumps(message))

    def subscribe(self, task_id: Any, **more: Any) -> None:
        self.say(type="subscribe", task_id=str(task_id), **more)

    def hear(self, *, timeout_s: float = 10) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(self.connection.recv(timeout=timeout_s))
        _server_message.validate_python(frame)
        self.heard.append(frame)
        return frame

    def hear_until(self, type: str, *, event: str = "", timeout_s: float = 30) -> dict[str, Any]:
        """The first frame of this type (and event); those before it are in ``heard``."""
        give_up_at = time.monotonic() + timeout_s
        while True:
            frame = self.hear(timeout_s=max(0.01, give_up_at - time.monotonic()))
            if frame["type"] == type and (not event or frame["event"] == event):
                return frame

    def closes(self, *, within_s: float = 5) -> int:
        """The code that the server closes with."""
        give_up_at = time.monotonic() + within_s
        try:
            while True:
                self.hear(timeout_s=max(0.01, give_up_at - time.monotonic()))
        except ConnectionClosed as closed:
            assert closed.rcvd is not None, "the connection was cut without a close frame"
            return closed.rcvd.code

    def seqs(self, task_id: Any) -> list[int]:
        return [
            f["seq"] for f in self.heard if f["type"] == "event" and f["task_id"] == str(task_id)
        ]


def converse(
    stack: Stack, *, token: str = "", cookie: str = "", origin: str | None = None, ticket: str = ""
) -> Conversation:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    headers |= {"Cookie": f"sessionid={cookie}"} if cookie else {}
    url = stack.ws_url + (f"?ticket={ticket}" if ticket else "")
    by = Origin(origin) if origin else None
    return Conversation(
        connect(url, additional_headers=headers, origin=by, proxy=None, legacy=True)
    )


def greeted(stack: Stack, **by: str) -> Conversation:
    """A socket that has been welcomed."""
    conversation = converse(stack, **by)
    assert conversation.hear()["type"] == "welcome"
    return conversation
