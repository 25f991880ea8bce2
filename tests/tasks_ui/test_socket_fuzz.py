"""Malformed frames: each gets an error or a close code, the process neither fails nor grows."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psutil
from websockets.exceptions import ConnectionClosed
from websockets.typing import Data

from tasks_ui.models import TaskRun
from tests.stack import Stack
from tests.tasks_ui.sockets import Conversation, greeted
from tests.tasks_ui.test_socket import key_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PER_SOCKET = 50  # below the burst limit
CLEAN_CODES = {1003, 1007, 1009, 4429}
KEYS = ["type", "task_id", "scope", "after_seq", "ref", "v", "__proto__", ""]
TYPES = [
    "subscribe",
    "unsubscribe",
    "ping",
    "snapshot",
    "event",
    "progress",
    "welcome",
    "Ping",
    "ping\0",
    "",
]


def malformed(source: random.Random) -> Data:
    """A frame that is not a valid message: not JSON, not an object, or an object with something
    wrong in it."""
    makers: list[Callable[[], Data]] = [
        lambda: source.randbytes(source.randrange(1, 400)),
        lambda: "".join(source.choices(string.printable, k=source.randrange(1, 400))),
        lambda: json.dumps(value(source, depth=4)),
        lambda: "[" * source.randrange(1, 8000),
        lambda: '{"type":"ping","ref":' + "9" * source.randrange(70, 5000) + "}",
        lambda: json.dumps(
            {"type": "subscribe", "task_id": str(value(source, depth=1)), "scope": "mine"}
        ),
        lambda: json.dumps(
            {"type": source.choice(TYPES), source.choice(KEYS[5:]): value(source, depth=2)}
        ),
        lambda: json.dumps(
            {"type": "subscribe", "scope": "mine", "after_seq": value(source, depth=1) or -1}
        ),
        lambda: json.dumps({"type": "ping"})[: source.randrange(1, 15)],
        lambda: json.dumps(
            {"type": "ping", "ref": ["\ud800", {}, [], 1.5, True][source.randrange(5)]}
        ),
    ]
    return source.choice(makers)()


def value(source: random.Random, *, depth: int) -> Any:
    if depth and source.random() < 0.5:
        inner = [value(source, depth=depth - 1) for _ in range(source.randrange(4))]
        return inner if source.random() < 0.5 else {source.choice(KEYS): each for each in inner}
    return source.choice(
        [None, True, -1, 2**63, 1e308, "", "\0", "x" * 300, source.choice(TYPES), "é\u202e"]
    )


def fuzz(stack: Stack, *, token: str, frames: int, seed: int) -> int:
    """Send this many frames over as many sockets as needed. Returns the errors that came back."""
    source = random.Random(seed)
    errors = 0
    for _ in range(0, frames, PER_SOCKET):
        with greeted(stack, token=token) as socket:
            for _ in range(PER_SOCKET):
                frame = malformed(source)
                socket.connection.send(frame)
                try:
                    errors += _is_error(socket)
                except ConnectionClosed as closed:
                    assert closed.rcvd and closed.rcvd.code in CLEAN_CODES, (frame, closed)
                    break
    return errors


def _is_error(socket: Conversation) -> bool:
    """The response to one frame: an error message, or what a frame that happens to be valid
    gets."""
    frame = socket.hear(timeout_s=5)
    if frame["type"] == "error":
        assert frame["code"] in {"invalid_json", "invalid_message"}, frame
        assert len(frame["message"]) <= 300
        return True
    assert frame["type"] in {"pong", "caught_up"}, frame
    return False


def harmless(stack: Stack, *, token: str, frames: int, seed: int) -> None:
    web = psutil.Process(stack["web"].pid)
    web = web.children()[0] if web.children() else web
    fuzz(stack, token=token, frames=PER_SOCKET, seed=seed + 1)  # loads what is loaded only once
    before, log_before = web.memory_info().rss, len(stack["web"].log())
    assert fuzz(stack, token=token, frames=frames, seed=seed) > frames * 0.7
    grown = web.memory_info().rss - before
    log = stack["web"].log()[log_before:]
    assert "Traceback" not in log and "A socket failed" not in log, log[-2000:]
    assert grown < 20e6, f"{grown / 1e6:.1f} MB more after {frames} frames"
    with greeted(stack, token=token) as socket:
        socket.say(type="ping")
        assert socket.hear()["type"] == "pong"
    assert not TaskRun.objects.exists()


def test_three_hundred_malformed_frames_do_no_harm(shared_stack: Stack, alice: User) -> None:
    harmless(shared_stack, token=key_of(alice), frames=300, seed=1)
