"""HEAD has headers and no body.

Daphne sends the body of a response in several parts (Django's parts are 64 KB) even to HEAD; the
client mistakes it for the response to its next request on that connection.
"""

from __future__ import annotations

from typing import Any

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope


def without_body(application: ASGI3Application) -> ASGI3Application:
    """``application``, with responses to HEAD that end after the headers."""

    async def answer(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        async def send_headers(message: Any) -> None:
            if message["type"] != "http.response.body":
                await send(message)
            elif not message.get("more_body"):
                await send({**message, "body": b""})

        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        await application(scope, receive, send_headers if is_head else send)

    return answer
