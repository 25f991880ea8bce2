"""The AsyncAPI 3 document of the WebSocket API, generated from the types in ``tasks_ui.protocol``.

Structure: AsyncAPI specification 3.0.0, sections "Channel Object", "Operation Object" and "Message
Object".
"""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

from django.conf import settings
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from tasks_ui import protocol as p
from tasks_ui.rest.examples import EXAMPLES

ABOUT = """Follow tasks live. Every frame is a JSON object with a `type`.

Open the socket with a session cookie (from a page of this site), with
`Authorization: Bearer <token>`, or with `?ticket=` and a ticket of `POST /api/v1/ws-tickets/`
(single use, 60 s). Then subscribe. Events are durable: each has a `seq` that counts 1, 2, 3 ...
within its task, none is missing and none comes twice. After a lost connection, subscribe again
with `after_seq` = the last `seq` you have. Progress is volatile: the latest frame wins.

Limits: 16 KiB per message, 20 messages per second (bursts of 60), 100 tasks per socket, 50 sockets
per user and server process.
"""


def document(*, host: str, is_secure: bool) -> dict[str, Any]:
    """The document for the server that clients reach as ``host``."""
    server = {"host": host, "protocol": "wss" if is_secure else "ws", "security": _SECURITY}
    return {**_common(), "servers": {"infra_mind": server}}


_SECURITY = [
    {"$ref": f"#/components/securitySchemes/{name}"} for name in ("token", "ticket", "session")
]


@cache
def _common() -> dict[str, Any]:
    frames: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((frame, "validation") for frame in p.CLIENT_FRAMES),
        *((frame, "serialization") for frame in p.SERVER_FRAMES),
    ]
    _, definitions = models_json_schema(frames, ref_template="#/components/schemas/{model}")
    p.name_event_data(definitions["$defs"], of="Event")
    codes = "\n".join(f"- {code}: {meaning}" for code, meaning in p.CLOSE_CODES.items())
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": settings.TASKS_SITE_NAME,
            "version": "1",
            "description": f"{ABOUT}\nClose codes:\n{codes}\n",
        },
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "address": p.SOCKET_PATH,
                "messages": {
                    f.__name__: {"$ref": f"#/components/messages/{f.__name__}"} for f, _ in frames
                },
                "bindings": {
                    "ws": {
                        "query": {"type": "object", "properties": {"ticket": {"type": "string"}}}
                    }
                },
            }
        },
        "operations": {
            "receiveFromClient": _operation("receive", p.CLIENT_FRAMES),
            "sendToClient": _operation("send", p.SERVER_FRAMES),
        },
        "components": {
            "messages": {f.__name__: _message(f) for f, _ in frames},
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "ticket": {"type": "httpApiKey", "in": "query", "name": "ticket"},
                "session": {"type": "httpApiKey", "in": "cookie", "name": "sessionid"},
            },
        },
    }


def _operation(action: str, frames: tuple[type[BaseModel], ...]) -> dict[str, Any]:
    """``action`` is the server's: it receives what clients send."""
    messages = [{"$ref": f"#/channels/socket/messages/{frame.__name__}"} for frame in frames]
    return {"action": action, "channel": {"$ref": "#/channels/socket"}, "messages": messages}


def _message(frame: type[BaseModel]) -> dict[str, Any]:
    (name,) = get_args(frame.model_fields["type"].annotation)
    summary = (frame.__doc__ or f"A {name}.").split("\n\n")[0].replace("\n", " ")
    schema = {"$ref": f"#/components/schemas/{frame.__name__}"}
    shown = [{"payload": example} for example in EXAMPLES[frame.__name__]]
    words = " ".join(summary.split())
    return {
        "name": name,
        "title": frame.__name__,
        "summary": words,
        "payload": schema,
        "examples": shown,
    }
