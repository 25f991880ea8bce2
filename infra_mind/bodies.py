"""How large a request may be, and how long it may take to arrive.

Daphne reads a whole body before it calls the application, and passes it on in memory: a single 1.2
GB post to the sign-in page left the web process 1 GB larger. So bodies are refused here, in the
server, based on Content-Length and on counting the bytes that arrive. ``infra_mind.asgi`` installs
this; Daphne imports that module before it listens.

===========================  ==============================  ========================
to                           at most                         within
===========================  ==============================  ========================
an upload route, signed in   twice ``UPLOAD_MAX_BYTES``      10 times BODY_DEADLINE_S
anything else                1 MB                            ``BODY_DEADLINE_S``
===========================  ==============================  ========================

An upload is multipart or JSON, whose escapes and boundaries may double the size of the files.
Whether an upload's session or token is valid is known only after a database query; until then the
client is paused after the first megabyte.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from http import HTTPStatus
from typing import Any

from channels.db import database_sync_to_async
from daphne import http_protocol
from django.conf import settings
from twisted.web import http

from tasks_ui.access.auth import is_signed_in
from tasks_ui.runs.patience import DATABASE_ERRORS

logger = logging.getLogger(__name__)

BODY_MAX_BYTES = 1_000_000
LINGER_S = 5
"""How long what a refused client still sends is read and thrown away, so that it gets to see the
answer: a connection that is closed on unread bytes is reset."""

ID = rb"[0-9a-f-]{36}"
UPLOADS = re.compile(
    rb"/(assessments/new|assessments/%b/versions/new"
    rb"|api/v1/assessments(/analyze|/%b/versions)?(/upload)?)/?(\?|$)" % (ID, ID)
)


def bound_bodies() -> None:
    """Make Daphne use ``BoundedRequest`` for all requests of this process, and respond to those
    whose request or header line is too long for Twisted (16 kB), which would just hang up."""
    http_protocol.WebRequest = BoundedRequest  # it offers no other way to choose the class
    http.HTTPChannel.lineLengthExceeded = _line_too_long  # type: ignore[method-assign]


class BoundedRequest(http_protocol.WebRequest):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Twisted would parse forms a second time, for nobody: Django reads the body itself. Its
        # parser raises at some malformed ones, which closes the connection without an answer.
        self._parsePOSTFormSubmission = False
        self._received = 0
        self._most = BODY_MAX_BYTES
        self._most_once_signed_in = BODY_MAX_BYTES
        self._is_refused = False
        self._is_checking = False
        self._deadline = self.channel.callLater(settings.BODY_DEADLINE_S, self._too_slow)

    def gotLength(self, length: int | None) -> None:
        """All headers have arrived; ``length`` is the Content-Length, None for a chunked body."""
        super().gotLength(length)
        is_upload = self.channel._command == b"POST" and UPLOADS.match(self.channel._path)
        if is_upload and (length is None or length > self._most):
            self._most_once_signed_in = 2 * settings.UPLOAD_MAX_BYTES
            self._deadline.reset(10 * settings.BODY_DEADLINE_S)
            self._is_checking = True
        if length is not None and length > self._most_once_signed_in:
            return self._refuse_size()
        if self._is_checking:
            self._checking = asyncio.ensure_future(self._check())

    def handleContentChunk(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._received += len(data)
        if self._received > self._most_once_signed_in:
            return self._refuse_size()
        super().handleContentChunk(data)
        if self._received > self._most:
            if self._is_checking:
                self.channel.pauseProducing()
            else:
                self._refuse_unknown()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        self._stop_clock()
        if not self._is_refused:
            super().requestReceived(command, path, version)

    def connectionLost(self, reason: Any) -> None:
        self._stop_clock()
        super().connectionLost(reason)

    async def _check(self) -> None:
        headers = [
            (name.lower(), b",".join(values))
            for name, values in self.requestHeaders.getAllRawHeaders()
        ]
        try:
            look = database_sync_to_async(is_signed_in, thread_sensitive=False)
            self._checked(await look(headers))
        except DATABASE_ERRORS as error:
            logger.warning("Whether an upload is signed in can't be checked: %s", error)
            self._checked(False)

    def _checked(self, is_signed_in: bool) -> None:
        self._is_checking = False
        if is_signed_in:
            self._most = self._most_once_signed_in
        elif self._received > self._most:
            self._refuse_unknown()
        if self.channel is not None:
            self.channel.resumeProducing()

    def _refuse_unknown(self) -> None:
        self._refuse(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"Without a valid session or token at most {_mb(BODY_MAX_BYTES)} can be sent. Sign in"
            " first.",
        )

    def _refuse_size(self) -> None:
        self._refuse(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The request is larger than the {_mb(self._most_once_signed_in)} that can be sent"
            " here. Send less, or fewer files at once.",
        )

    def _too_slow(self) -> None:
        self._refuse(
            HTTPStatus.REQUEST_TIMEOUT,
            "The request took too long to arrive. Send it again over a faster connection, or send"
            " less.",
        )

    def _refuse(self, status: HTTPStatus, words: str) -> None:
        """Respond, close our side, and keep reading for a moment so that the client sees the
        response."""
        if self.channel is None or self._is_refused:
            return
        self._is_refused = True
        self._stop_clock()
        self.requestHeaders.removeHeader(b"expect")  # no "100 Continue" after the answer
        self.content.close()
        transport = self.channel.transport
        transport.write(_response(status, words, path=self.channel._path))
        if hasattr(transport, "loseWriteConnection"):
            transport.loseWriteConnection()
        self.channel.callLater(LINGER_S, transport.abortConnection)

    def _stop_clock(self) -> None:
        if self._deadline.active():
            self._deadline.cancel()


def _line_too_long(channel: Any, line: bytes) -> None:
    is_address = channel._HTTPChannel__first_line
    if is_address:
        status, words = HTTPStatus.REQUEST_URI_TOO_LONG, "The URL is too long. Shorten it."
    else:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        words = "A header is too long. Shorten it."
    path = line.split(b" ")[1] if is_address and line.count(b" ") else b""
    channel.transport.write(_response(status, words, path=path))
    channel.transport.loseConnection()


def _mb(size: int) -> str:
    return f"{size / 1_000_000:.0f} MB"


def _response(status: HTTPStatus, words: str, *, path: bytes) -> bytes:
    """problem+json for programs, a sentence for people."""
    kind, body = "text/plain; charset=utf-8", words.encode()
    if path.startswith(b"/api/"):
        kind = "application/problem+json"
        problem = {"type": "about:blank", "title": status.phrase, "status": status.value}
        body = json.dumps({**problem, "detail": words}).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
