"""What goes out on one socket: frames at the client's pace, and only the latest progress of each
task.

Nothing is buffered for a client that does not read: past a limit it gets five seconds, then the
socket is closed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

from tasks_ui import protocol as p
from tasks_ui.live import transport

UNREAD_MAX_BYTES = 1024 * 1024
UNREAD_PATIENCE_S = 5.0

type Send = Callable[[dict[str, Any]], Awaitable[None]]


class Closed(Exception):
    """The socket has to be closed with ``code``."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Outgoing:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._progress: dict[str, dict[str, Any]] = {}

    async def send(self, frame: p.ServerFrame) -> None:
        """Send a frame once the client has read enough of what was sent before. Raises
        Closed(4408)."""
        if self._is_clogged():
            await self._wait_for_reader()
        try:
            async with asyncio.timeout(UNREAD_PATIENCE_S):
                await self._send_text(frame)
        except TimeoutError:
            raise Closed(4408) from None

    def keep_progress(self, message: dict[str, Any]) -> bool:
        """Keep the latest progress message of a task for ``send_progress``. True if none was kept
        before."""
        was_empty = not self._progress
        self._progress[message["task_id"]] = message
        return was_empty

    async def send_progress(self, is_wanted: Callable[[p.Progress, Any], bool]) -> None:
        """Send the progress that was kept, if ``is_wanted`` agrees, given a frame and its owner."""
        kept, self._progress = self._progress, {}
        for message in kept.values():
            fields = {key: message[key] for key in message if key not in {"type", "owner_id"}}
            frame = p.Progress(**fields)
            if is_wanted(frame, message["owner_id"]):
                await self.send(frame)

    async def close(self, code: int, *, ended: Iterable[UUID | None] = ()) -> None:
        """Report the subscriptions that have ``ended`` (None: those of scopes), and close."""
        with suppress(Exception):  # the client may go at the same moment
            for task_id in ended:
                await self._send_text(p.Revoked(task_id=task_id))
            await self._send({"type": "websocket.close", "code": code})

    async def _wait_for_reader(self) -> None:
        give_up_at = time.monotonic() + UNREAD_PATIENCE_S
        while self._is_clogged():
            if time.monotonic() > give_up_at:
                raise Closed(4408)
            await asyncio.sleep(0.05)

    def _is_clogged(self) -> bool:
        return transport.unread_bytes(self._send) > UNREAD_MAX_BYTES

    async def _send_text(self, frame: p.ServerFrame) -> None:
        await self._send({"type": "websocket.send", "text": frame.model_dump_json()})
