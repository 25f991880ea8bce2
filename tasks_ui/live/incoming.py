"""Messages from a client: how many it may send, and what its frames mean."""

from __future__ import annotations

import time
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from tasks_ui import protocol as p
from tasks_ui.live.outgoing import Closed

MESSAGES_PER_S = 20.0
MESSAGES_BURST = 60.0


class Allowance:
    """How many messages a client may send: bursts of 60, 20 per second on average."""

    def __init__(self) -> None:
        self._left = MESSAGES_BURST
        self._at = time.monotonic()

    def spend(self) -> None:
        """Count a message. Raises Closed(4429) if it is one too many."""
        now = time.monotonic()
        self._left = min(MESSAGES_BURST, self._left + (now - self._at) * MESSAGES_PER_S) - 1
        self._at = now
        if self._left < 0:
            raise Closed(4429)


def text_of(message: dict[str, Any]) -> str:
    """The text of an ASGI message. Raises Closed(1009) if it is too large."""
    text: str = message.get("text") or (message.get("bytes") or b"").decode(errors="replace")
    if len(text.encode()) > p.MESSAGE_MAX_BYTES:
        raise Closed(1009)
    return text


def parse(text: str) -> p.Subscribe | p.Unsubscribe | p.Ping | p.Error:
    """The message in a frame, or the error to reply with."""
    ref: Any = None
    try:
        content = from_json(text)
        ref = content.get("ref") if isinstance(content, dict) else None
        ref = ref if isinstance(ref, (str, int)) and len(str(ref)) <= 64 else None
        return p.client_message.validate_python(content)
    except ValidationError as error:
        return p.Error(code="invalid_message", message=_words(error), ref=ref)
    except (ValueError, RecursionError):
        return p.Error(code="invalid_json", message="A frame must be one JSON object.", ref=None)


def _words(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}"[:300] if where else str(first["msg"])[:300]
