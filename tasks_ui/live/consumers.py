"""The WebSocket API v1 (``tasks_ui.protocol`` has its messages).

``following`` tracks what a socket follows, ``outgoing`` what it sends, ``subscriptions`` handles
the conversation about tasks; ``Socket`` connects them to the client, the channel layer and the
poll.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from tasks_ui import groups
from tasks_ui import protocol as p
from tasks_ui.access import auth
from tasks_ui.live import counters, incoming, transport
from tasks_ui.live.membership import Membership
from tasks_ui.live.outgoing import Closed, Outgoing, Send
from tasks_ui.live.poll import poll
from tasks_ui.live.reading import Look, in_database
from tasks_ui.live.subscriptions import Subscriptions
from tasks_ui.runs.patience import DATABASE_ERRORS

logger = logging.getLogger(__name__)

MAILBOX_MAX = 200

type Receive = Callable[[], Awaitable[dict[str, Any]]]
type Action = Callable[[], Awaitable[None]]


async def consumer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """The ASGI application at ``/ws/v1/``. A socket is accepted before it is refused, so that pages
    can see the close code."""
    await receive()  # websocket.connect
    transport.limit_frames(send, size=p.MESSAGE_MAX_BYTES)
    try:
        credential = await in_database(lambda: auth.identify(scope))
        if poll.count(credential.user.pk) >= settings.SOCKETS_PER_USER:
            raise auth.Refused(4429)
    except (*DATABASE_ERRORS, auth.Refused) as error:
        code = error.code if isinstance(error, auth.Refused) else 1013
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": code})
        counters.CLOSES.labels(code).inc()
        return
    await send({"type": "websocket.accept"})
    await Socket(credential, receive, send).run()


class Socket:
    """One open socket. A single asyncio task sends everything about tasks, in order."""

    def __init__(self, credential: auth.Credential, receive: Receive, send: Send) -> None:
        self.credential = credential
        self._receive = receive
        self._outgoing = Outgoing(send)
        self._membership = Membership(groups.user(credential.user.pk))
        self._subscriptions = Subscriptions(
            credential, outgoing=self._outgoing, membership=self._membership
        )
        self._following = self._subscriptions.following
        self._allowance = incoming.Allowance()
        self._mailbox: asyncio.Queue[Action] = asyncio.Queue(MAILBOX_MAX)
        self._look: Look | None = None
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve the client until it leaves or its access ends."""
        poll.add(self)
        parts = (self._read(), self._listen(), self._serve())
        work: list[asyncio.Future[Any]] = [asyncio.create_task(part) for part in parts]
        try:
            name = self.credential.user.get_username()
            await self._outgoing.send(p.Welcome(user=name, server_time=timezone.now()))
            done, _ = await asyncio.wait([*work, self._ended], return_when=asyncio.FIRST_COMPLETED)
            await self._close(_close_code(done, self._ended))
        except Closed as closed:
            await self._close(closed.code)
        finally:
            poll.remove(self)
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await self._membership.leave_all()

    @property
    def tasks(self) -> Collection[UUID]:
        return self._following.tasks

    @property
    def scopes(self) -> Collection[str]:
        return self._following.scopes

    def look(self, look: Look) -> None:
        """Take a look at the database, and queue it if it contains anything new."""
        self._look = look
        if not self._membership.is_complete or self._following.has_news(look):
            self._offer(self._catch_up)

    @property
    def is_reading(self) -> bool:
        """Whether it follows tasks of other people, whose pages staff read."""
        return bool(self._following.read)

    def stop_reading(self) -> None:
        self._offer(self._subscriptions.revoke_reading)

    def leave_scope(self, scope: str) -> None:
        self._offer(lambda: self._subscriptions.revoke_scope(scope))

    def end(self, code: int) -> None:
        """Close the socket: its access has ended."""
        if not self._ended.done():
            self._ended.set_result(code)

    async def _read(self) -> None:
        """Put the client's messages into the mailbox."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            self._allowance.spend()
            text = incoming.text_of(message)
            await self._mailbox.put(lambda text=text: self._answer(text))  # type: ignore[misc]

    async def _listen(self) -> None:
        """Put the layer's messages into the mailbox."""
        joining = asyncio.create_task(
            self._membership.join()
        )  # begins once receive() below has made the channel
        try:
            while True:
                try:
                    message = await self._membership.receive()
                except Exception as error:  # whatever the layer raises; the poll does without
                    logger.debug("The channel layer is unreachable: %s", error)
                    await asyncio.sleep(1)
                    continue
                self._sort_in(message)
        finally:
            joining.cancel()

    def _sort_in(self, message: dict[str, Any]) -> None:
        if message["type"] == "task.event":
            self._offer(lambda: self._subscriptions.pass_on(message))
        elif message["type"] == "task.progress":
            if self._outgoing.keep_progress(message):
                self._offer(_nothing)  # progress is sent after whatever is served
        elif message["type"] == "access.changed":
            poll.look_soon()

    def _offer(self, action: Action) -> None:
        """Queue ``action``. While the client is slow, hints are dropped: the poll finds what is
        missing."""
        with suppress(asyncio.QueueFull):
            self._mailbox.put_nowait(action)

    async def _serve(self) -> None:
        while True:
            action = await self._mailbox.get()
            try:
                await action()
            except DATABASE_ERRORS as error:
                logger.debug("The database is unreachable: %s", error)
            await self._outgoing.send_progress(
                lambda frame, owner_id: self._following.takes(frame, owner_id=owner_id)
            )

    async def _catch_up(self) -> None:
        if self._look is not None:
            await self._subscriptions.catch_up(self._look)

    async def _answer(self, text: str) -> None:
        """Do what a client's frame asks for."""
        message = incoming.parse(text)
        try:
            match message:
                case p.Error():
                    await self._outgoing.send(message)
                case p.Ping():
                    await self._outgoing.send(p.Pong(ref=message.ref))
                case p.Subscribe():
                    await self._subscriptions.subscribe(message)
                case p.Unsubscribe():
                    await self._subscriptions.unsubscribe(message)
        except DATABASE_ERRORS:
            words = "The database can't be reached right now. Try again in a few seconds."
            await self._outgoing.send(
                p.Error(code="temporarily_unavailable", message=words, ref=message.ref)
            )

    async def _close(self, code: int | None) -> None:
        """Report what has ended, and close. ``code`` is None if the client has left."""
        counters.CLOSES.labels(code or "client").inc()
        if code is None:
            return
        ended: list[UUID | None] = []
        if code == 4401:
            ended = [*self._following.asked_for, *([None] if self._following.scopes else [])]
        await self._outgoing.close(code, ended=ended)


def _close_code(done: set[asyncio.Future[Any]], ended: asyncio.Future[int]) -> int | None:
    """The close code, by what ended first; None if the client has left."""
    if ended in done:
        return ended.result()
    for task in done:
        error = task.exception()
        if isinstance(error, Closed):
            return error.code
        if error is not None:
            logger.error("A socket failed.", exc_info=error)
            return 1011
    return None


async def _nothing() -> None:
    return None
