"""What ASGI doesn't say of a socket under Daphne: how much its client has not read, and how large a
frame may be.

Daphne's ``send`` returns at once and keeps what the client does not take (210 MB of it were
measured for a client that never reads). Its protocol object is the first argument of the ``send``
that it hands out; under another server the functions here find none, and ``send`` itself waits for
the client.
"""

from __future__ import annotations

from typing import Any

MESSAGE_MAX_BYTES = 8 * 1024 * 1024


def limit_frames(send: Any, *, size: int) -> None:
    """Let the connection fail with 1009 as soon as a frame says it is larger, before its bytes are
    taken in.

    What comes in many small frames is cut at 8 MiB; that limit of the protocol object's holds for
    what is sent, too.
    """
    if (protocol := _protocol(send)) is not None:
        protocol.maxFramePayloadSize = size
        protocol.maxMessagePayloadSize = MESSAGE_MAX_BYTES
        protocol.failByDrop = False  # say 1009 before the connection goes


def unread_bytes(send: Any) -> int:
    """Bytes that wait in this process for the client to read. What the kernel holds is not
    counted."""
    transport = getattr(_protocol(send), "transport", None)
    return len(getattr(transport, "dataBuffer", b"")) + int(getattr(transport, "_tempDataLen", 0))


def _protocol(send: Any) -> Any:
    protocol = next(iter(getattr(send, "args", ())), None)
    return protocol if hasattr(protocol, "maxMessagePayloadSize") else None
