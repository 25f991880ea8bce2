"""The WebSocket URLs."""

from __future__ import annotations

from typing import Any

from channels.routing import URLRouter
from django.urls import path, re_path

from tasks_ui.live.consumers import consumer
from tasks_ui.protocol import SOCKET_PATH


async def nowhere(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Any other URL is refused before the handshake, with a 403, which is what servers turn a close
    into at that point."""
    await receive()
    await send({"type": "websocket.close"})


websocket = URLRouter([path(SOCKET_PATH.removeprefix("/"), consumer), re_path("", nowhere)])  # type: ignore[arg-type]
