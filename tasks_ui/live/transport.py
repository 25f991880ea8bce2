"""What ASGI doesn't expose about a socket under Daphne: how much its client has not read, and how
large a frame may be.

Daphne's ``send`` returns immediately and buffers what the client does not read (we measured 210 MB
for a client that never reads). Its protocol object is the first argument of the ``send`` that it
passes in; under another server the functions here find none, and ``send`` itself waits for the
client.
"""

from __future__ import annotations

from typing import Any

MESSAGE_MAX_BYTES = 8 * 1024 * 1024


def limit_frames(send: Any, *, size: int) -> None:
    """Close the connection with 1009 as soon as a frame declares a larger size, before reading its
    bytes.

    A message in many small frames is cut off at 8 MiB; the protocol object applies that limit to
    outgoing messages, too.
    """
    if (protocol := _protocol(send)) is not None:
        protocol.maxFramePayloadSize = size
        protocol.maxMessagePayloadSize = MESSAGE_MAX_BYTES
        protocol.failByDrop = False  # say 1009 before the connection goes


def unread_bytes(send: Any) -> int:
    """Bytes that are waiting in this process for the client to read. The kernel's buffers are not
    counted."""
    transport = getattr(_protocol(send), "transport", None)
    return len(getattr(transport, "dataBuffer", b"")) + int(getattr(transport, "_tempDataLen", 0))


def _protocol(send: Any) -> Any:
    protocol = next(iter(getattr(send, "args", ())), None)
    return protocol if hasattr(protocol, "maxMessagePayloadSize") else None
