"""A task's live events: each once and in order, over any number of sockets, or over HTTP if a proxy
blocks WebSockets."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Protocol

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from infra_mind_client.errors import ApiError, UnreachableError, backoff_s

FINAL = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
POLL_S = 2.0
POLL_FOR_S = 30.0  # then the socket is tried again
REFUSALS_TO_POLL = 2
FAILURES_TO_POLL = 6
FRAME_MAX_BYTES = 8 * 1024 * 1024
ENDED_FOR_GOOD = {
    4401: "The token is invalid or has expired.",
    4403: "The server does not accept this origin.",
}

Frame = dict[str, Any]


class Rest(Protocol):
    """The parts of the client that following needs."""

    url: str
    headers: dict[str, str]
    patience_s: float

    def get(self, path: str, **params: Any) -> dict[str, Any]: ...


class Follower:
    """Follows one task through ``client``, to its end."""

    def __init__(self, client: Rest, task_id: str, *, after_seq: int = 0) -> None:
        self._client = client
        self._state = _Following(task_id, after_seq)

    def frames(self) -> Iterator[Frame]:
        """See ``Client.follow``."""
        following, client = self._state, self._client
        contact_at, tries, refusals = time.monotonic(), 0, 0
        while not following.is_done:
            try:
                if refusals >= REFUSALS_TO_POLL or tries >= FAILURES_TO_POLL:
                    yield from self._poll()
                    contact_at, tries, refusals = time.monotonic(), 0, REFUSALS_TO_POLL - 1
                else:
                    for frame in self._listen():
                        contact_at, tries, refusals = time.monotonic(), 0, 0
                        yield frame
            except InvalidStatus:
                refusals += 1
            except (OSError, WebSocketException, UnreachableError):
                pass
            if following.is_done:
                return
            tries += 1
            if time.monotonic() - contact_at > client.patience_s:
                words = f"{client.url} has not responded for {client.patience_s:.0f} s."
                raise UnreachableError(words)
            time.sleep(backoff_s(tries))

    def _listen(self) -> Iterator[Frame]:
        """One socket, until it breaks (returns or raises) or the task has ended (returns)."""
        following = self._state
        with connect(
            "ws" + self._client.url.removeprefix("http") + "/ws/v1/",
            additional_headers=self._client.headers,
            open_timeout=10,
            close_timeout=1,
            max_size=FRAME_MAX_BYTES,
        ) as socket:
            heartbeat_s = float(_receive(socket, 10)["heartbeat_s"])
            socket.send(json.dumps(following.subscription()))
            while not following.is_done:
                frame = _receive(socket, heartbeat_s)
                if frame["type"] == "error" and frame["code"] == "temporarily_unavailable":
                    return
                if following.takes(frame):
                    yield frame

    def _poll(self) -> Iterator[Frame]:
        """The same over HTTP, for half a minute."""
        following, client = self._state, self._client
        give_up_at = time.monotonic() + POLL_FOR_S
        while not following.is_done and time.monotonic() < give_up_at:
            task = client.get(f"/tasks/{following.task_id}")
            children = task.pop("children")
            snapshot = {
                "type": "snapshot",
                "task": task,
                "children": children,
                "last_seq": task["last_seq"],
            }
            if following.takes(snapshot):
                yield snapshot
            page: dict[str, Any] = {"last_seq": task["last_seq"]}
            while following.last_seq < page["last_seq"]:
                page = client.get(
                    f"/tasks/{following.task_id}/events", after_seq=following.last_seq
                )
                for event in page["events"]:
                    frame = {"type": "event", **event}
                    if following.takes(frame):
                        yield frame
            following.caught_up()
            if not following.is_done:
                time.sleep(POLL_S)


class _Following:
    """How far a task has been followed, whether by socket or HTTP."""

    def __init__(self, task_id: str, after_seq: int) -> None:
        self.task_id = str(task_id)
        self.last_seq = after_seq
        self.is_done = False
        self._is_final = False

    def subscription(self) -> Frame:
        return {"type": "subscribe", "task_id": self.task_id, "after_seq": self.last_seq}

    def takes(self, frame: Frame) -> bool:
        """Whether ``frame`` is new. Raises ApiError if it ends the following, _Gap if events before
        it are missing."""
        match frame["type"]:
            case "event":
                return self._takes_event(frame)
            case "snapshot":
                self._is_final = frame["task"]["state"] in FINAL
            case "caught_up":
                self.caught_up()
            case "resync_required" if frame["reason"] == "ahead":
                self.last_seq = 0
            case "resync_required" | "revoked":
                raise ApiError(404, {"detail": "The task is gone, or no longer yours."})
            case "error":
                raise ApiError(
                    404 if frame["code"] == "not_found" else 400, {"detail": frame["message"]}
                )
        return frame["type"] not in {"pong", "welcome"}

    def caught_up(self) -> None:
        self.is_done = self.is_done or self._is_final

    def _takes_event(self, frame: Frame) -> bool:
        if frame["task_id"] != self.task_id or frame["seq"] <= self.last_seq:
            return False
        if frame["seq"] > self.last_seq + 1:
            raise _Gap(f"event {self.last_seq + 1} did not arrive")
        self.last_seq = frame["seq"]
        if frame["event"].startswith("task."):
            self.is_done = frame["data"].get("state") in FINAL
        return True


class _Gap(WebSocketException):
    """A server that follows the protocol never leaves one; reconnecting fills it."""


def _receive(socket: ClientConnection, silence_s: float) -> Frame:
    """The next frame. After ``silence_s`` without any, a ping; after as long again,
    TimeoutError."""
    try:
        text = _text(socket, silence_s)
    except TimeoutError:
        socket.send('{"type":"ping"}')
        text = _text(socket, silence_s)
    frame: Frame = json.loads(text)
    return frame


def _text(socket: ClientConnection, timeout_s: float) -> str | bytes:
    try:
        return socket.recv(timeout=timeout_s)
    except ConnectionClosed as closed:
        if closed.rcvd is not None and closed.rcvd.code in ENDED_FOR_GOOD:
            raise ApiError(401, {"detail": ENDED_FOR_GOOD[closed.rcvd.code]}) from closed
        raise
