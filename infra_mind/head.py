"""HEAD has headers and no body.

Daphne sends the body of an answer that comes in several parts (Django's parts are 64 KB) to HEAD as
well; the client takes it for the answer to its next request on that connection.
"""

from __future__ import annotations

from typing import Any

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope


def without_body(application: ASGI3Application) -> ASGI3Application:
    """``application``, whose answers to HEAD end with their headers."""

    async def answer(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        async def send_headers(message: Any) -> None:
            if message["type"] != "http.response.body":
                await send(message)
            elif not message.get("more_body"):
                await send({**message, "body": b""})

        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        await application(scope, receive, send_headers if is_head else send)

    return answer
