"""A client of Infra Mind's APIs, in plain Python: REST by httpx, live events by websockets.

    with Client("https://infra.example", token="im_...") as client:
        assessment = client.create_assessment(name="shop", files=[("main.tf", b"...")])
        for frame in client.follow(client.analyze(assessment["id"])["task_id"]):
            ...

Connections may break: requests that are safe to repeat are repeated, and the events of a task come
each once and in order, over however many sockets, or over HTTP where a proxy lets no WebSocket
through.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

FINAL = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
BACKOFF_S = 0.25
BACKOFF_MAX_S = 15.0
POLL_S = 2.0
RECOMMENDATIONS_POLL_S = 0.25
UNFINISHED = frozenset({"pending", "running", "recommending"})
POLL_FOR_S = 30.0  # then the socket is tried again
REFUSALS_TO_POLL = 2
FAILURES_TO_POLL = 6
FRAME_MAX_BYTES = 8 * 1024 * 1024
ENDED_FOR_GOOD = {
    4401: "The token is not valid, or no longer.",
    4403: "The server does not take this origin.",
}

Frame = dict[str, Any]


class ApiError(Exception):
    """The server refused a request: ``status`` of HTTP, ``problem`` is the body (RFC 9457)."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        errors = "".join(
            f"\n  {each.get('path')}{':' + str(each['line']) if each.get('line') else ''}:"
            f" {each.get('message')}"
            for each in problem.get("errors", [])
        )
        super().__init__(
            f"{problem.get('detail') or problem.get('title') or f'HTTP {status}'}{errors}"
        )


class UnreachableError(Exception):
    """The server did not answer for as long as the client's patience lasts."""


class Client:
    """``url`` is the server's, without a path. ``patience_s``: how long an outage may last, in
    seconds."""

    def __init__(self, url: str, *, token: str, patience_s: float = 120) -> None:
        self.url = url.rstrip("/")
        self.patience_s = patience_s
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=f"{self.url}/api/v1", headers=self._headers, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    # --- REST

    def create_assessment(
        self,
        *,
        name: str,
        files: Iterable[tuple[str, bytes]],
        requirements: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Upload ``files`` ((path, content); archives are unpacked). Raises ApiError,
        UnreachableError."""
        listed = list(files)
        form: dict[str, Any] = {"name": name, "paths": [path for path, _ in listed]}
        if requirements:
            form["requirements"] = json.dumps(requirements)
        parts = [("files", (path.rsplit("/", 1)[-1], content)) for path, content in listed]
        return self._json(
            "POST",
            "/assessments/",
            data=form,
            files=parts,
            timeout=120,
            headers={"Idempotency-Key": uuid4().hex},
            is_safe=True,
        )

    def analyze(self, assessment_id: str) -> dict[str, Any]:
        """Start a run; a key of its own makes it one run however often the request has to be
        sent."""
        return self._json(
            "POST",
            f"/assessments/{assessment_id}/analyze",
            headers={"Idempotency-Key": uuid4().hex},
            is_safe=True,
        )

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """``path`` is below /api/v1."""
        return self._json("GET", path, params=params, is_safe=True)

    def cancel(self, task_id: str) -> dict[str, Any]:
        return self._json("POST", f"/tasks/{task_id}/cancel", is_safe=True)

    def status(self, task_id: str) -> dict[str, Any]:
        return self.get(f"/tasks/{task_id}/status")

    def findings(self, assessment_id: str) -> Iterator[dict[str, Any]]:
        """All findings of the newest run, gravest first."""
        offset = 0
        while True:
            page = self.get(f"/assessments/{assessment_id}/findings", limit=1000, offset=offset)
            yield from page["findings"]
            offset += len(page["findings"])
            if offset >= page["total"] or not page["findings"]:
                return

    def completed_run(self, assessment_id: str, number: int) -> dict[str, Any]:
        """A run whose task has ended, with its recommendations: they follow the findings by a
        moment. Raises ApiError, and UnreachableError after ``patience_s`` without them."""
        give_up_at = time.monotonic() + self.patience_s
        while True:
            run = self.get(f"/assessments/{assessment_id}/runs/{number}")
            if run["status"] not in UNFINISHED:
                return run
            if time.monotonic() > give_up_at:
                raise UnreachableError("The recommendations were not written in time.")
            time.sleep(RECOMMENDATIONS_POLL_S)

    def report(self, assessment_id: str, *, kind: str, format: str) -> bytes:
        """Have a report of the newest run written, wait for it, and return it. Raises ApiError."""
        wanted = self._json(
            "POST", f"/assessments/{assessment_id}/reports", json={"kind": kind, "format": format}
        )
        for _ in self.follow(wanted["task_id"]):
            pass
        ended = self.status(wanted["task_id"])
        if ended["state"] != "SUCCESS":
            raise ApiError(
                409,
                {"detail": f"The report was not written: {ended.get('error') or ended['status']}"},
            )
        return self._request("GET", wanted["url"].removeprefix("/api/v1"), is_safe=True).content

    # --- live

    def follow(self, task_id: str, *, after_seq: int = 0) -> Iterator[Frame]:
        """Frames of a task, to its end: ``snapshot`` and ``progress`` as they come, each ``event``
        once, in order.

        After a ``resync_required`` the snapshot before it is the truth, and events begin anew.
        Raises ApiError (404 where there is no such task, 401 where the token has ended) and
        UnreachableError.
        """
        following = _Following(task_id, after_seq)
        contact_at, tries, refusals = time.monotonic(), 0, 0
        while not following.is_done:
            try:
                if refusals >= REFUSALS_TO_POLL or tries >= FAILURES_TO_POLL:
                    yield from self._poll(following)
                    contact_at, tries, refusals = time.monotonic(), 0, REFUSALS_TO_POLL - 1
                else:
                    for frame in self._listen(following):
                        contact_at, tries, refusals = time.monotonic(), 0, 0
                        yield frame
            except InvalidStatus:
                refusals += 1
            except (OSError, WebSocketException, UnreachableError):
                pass
            if following.is_done:
                return
            tries += 1
            if time.monotonic() - contact_at > self.patience_s:
                raise UnreachableError(f"{self.url} has not answered for {self.patience_s:.0f} s.")
            time.sleep(_backoff(tries))

    def _listen(self, following: _Following) -> Iterator[Frame]:
        """One socket, until it breaks (returns or raises) or the task has ended (returns)."""
        address = "ws" + self.url.removeprefix("http") + "/ws/v1/"
        with connect(
            address,
            additional_headers=self._headers,
            open_timeout=10,
            close_timeout=1,
            max_size=FRAME_MAX_BYTES,
        ) as socket:
            heartbeat_s = float(_receive(socket, 10)["heartbeat_s"])
            socket.send(
                json.dumps(
                    {
                        "type": "subscribe",
                        "task_id": following.task_id,
                        "after_seq": following.last_seq,
                    }
                )
            )
            while not following.is_done:
                frame = _receive(socket, heartbeat_s)
                if frame["type"] == "error" and frame["code"] == "temporarily_unavailable":
                    return
                if following.takes(frame):
                    yield frame

    def _poll(self, following: _Following) -> Iterator[Frame]:
        """The same over HTTP, for half a minute."""
        give_up_at = time.monotonic() + POLL_FOR_S
        while not following.is_done and time.monotonic() < give_up_at:
            task = self.get(f"/tasks/{following.task_id}")
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
                page = self.get(f"/tasks/{following.task_id}/events", after_seq=following.last_seq)
                for event in page["events"]:
                    frame = {"type": "event", **event}
                    if following.takes(frame):
                        yield frame
            following.caught_up()
            if not following.is_done:
                time.sleep(POLL_S)

    # --- requests

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._request(method, path, **options).json()
        return found

    def _request(
        self, method: str, path: str, *, is_safe: bool = False, **options: Any
    ) -> httpx.Response:
        """Send a request, again after an outage where it ``is_safe`` to repeat it, or was not taken
        (429, 503)."""
        give_up_at = time.monotonic() + self.patience_s
        tries = 0
        while True:
            tries += 1
            wait_s = _backoff(tries)
            try:
                response = self._http.request(method, path, **options)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                problem: Exception = UnreachableError(f"{self.url} can't be reached: {error}")
            except httpx.TransportError as error:
                problem = UnreachableError(f"{self.url} broke off: {error}")
                if not is_safe:
                    raise problem from error
            else:
                if response.is_success:
                    return response
                problem = ApiError(response.status_code, _problem(response))
                if response.status_code not in {429, 502, 503} or (
                    response.status_code == 502 and not is_safe
                ):
                    raise problem
                wait_s = max(wait_s, _retry_after_s(response))
            if time.monotonic() + wait_s > give_up_at:
                raise problem
            time.sleep(wait_s)


class _Following:
    """How far a task has been followed, whichever way its frames come."""

    def __init__(self, task_id: str, after_seq: int) -> None:
        self.task_id = str(task_id)
        self.last_seq = after_seq
        self.is_done = False
        self._is_final = False

    def takes(self, frame: Frame) -> bool:
        """Whether ``frame`` is news. Raises ApiError for what ends the following, _Gap for an event
        too far on."""
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
            raise _Gap(f"event {self.last_seq + 1} did not come")
        self.last_seq = frame["seq"]
        if frame["event"].startswith("task."):
            self.is_done = frame["data"].get("state") in FINAL
        return True


class _Gap(WebSocketException):
    """A server that keeps the protocol never leaves one; connecting anew fills it."""


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


def _backoff(tries: int) -> float:
    """Seconds: doubling to 15, of which a random half, so that a thousand clients don't come back
    at once."""
    return min(BACKOFF_MAX_S, BACKOFF_S * 2.0 ** min(tries, 10)) * random.uniform(0.5, 1)  # noqa: S311


def _retry_after_s(response: httpx.Response) -> float:
    try:
        return min(300.0, max(0.0, float(response.headers.get("Retry-After", "0"))))
    except ValueError:
        return 0.0


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    return (
        body
        if isinstance(body, dict)
        else {"title": f"HTTP {response.status_code} {response.reason_phrase}"}
    )
