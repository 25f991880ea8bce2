"""The WebSocket API v1 (``tasks_ui.protocol`` has its messages).

A socket follows tasks. For each it holds the ``seq`` of the newest event that it has sent. An event
that comes through the channel layer goes out only if it is the next one; whatever is missing is
read from the database first. So the client gets each event once and in order, though messages of
the layer may be lost, doubled or late.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from channels.layers import get_channel_layer
from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from pydantic import ValidationError
from pydantic_core import from_json

from tasks_ui import groups
from tasks_ui import protocol as p
from tasks_ui.access import auth
from tasks_ui.live import transport
from tasks_ui.live.poll import DATABASE_ERRORS, Look, in_database, poll
from tasks_ui.models import ACTIVE, FINAL, TaskEvent, TaskRun, TaskRunQuerySet

logger = logging.getLogger(__name__)

SUBSCRIPTIONS_MAX = 100
SCOPE_TASKS_MAX = 200  # the newest; older ones of a scope are no longer followed
MESSAGES_PER_S = 20.0
MESSAGES_BURST = 60.0
MAILBOX_MAX = 200
UNREAD_MAX_BYTES = 1024 * 1024
UNREAD_PATIENCE_S = 5.0
LAYER_PATIENCE_S = 0.5
REPLAY_BATCH = 200

type Send = Callable[[dict[str, Any]], Awaitable[None]]
type Receive = Callable[[], Awaitable[dict[str, Any]]]


async def consumer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """The ASGI application of ``/ws/v1/``. A socket is accepted before it is refused, so that pages
    see the code."""
    await receive()  # websocket.connect
    transport.limit_frames(send, size=p.MESSAGE_MAX_BYTES)
    try:
        credential = await in_database(lambda: auth.identify(scope))
        if poll.count(credential.user.pk) >= settings.SOCKETS_PER_USER:
            raise auth.Refused(4429)
    except (*DATABASE_ERRORS, auth.Refused) as error:
        await send({"type": "websocket.accept"})
        await send(
            {
                "type": "websocket.close",
                "code": error.code if isinstance(error, auth.Refused) else 1013,
            }
        )
        return
    await send({"type": "websocket.accept"})
    await Socket(credential, receive, send).run()


class Closed(Exception):
    """The socket is to be closed with ``code``."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Followed:
    """A task that a socket follows. ``seq`` is the newest event sent; ``by_scope`` is "" for one
    that was asked for."""

    seq: int
    by_scope: str = ""
    is_final: bool = False
    done_children: set[str] = field(default_factory=set)


class Socket:
    """One open socket. All that is sent about tasks is sent by one task of asyncio, in order."""

    def __init__(self, credential: auth.Credential, receive: Receive, send: Send) -> None:
        self.credential = credential
        self.followed: dict[UUID, Followed] = {}
        self.scopes: set[str] = set()
        self._receive = receive
        self._send_message = send
        self._mailbox: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(MAILBOX_MAX)
        self._progress: dict[str, dict[str, Any]] = {}
        self._look: Look | None = None
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._allowance = MESSAGES_BURST
        self._allowance_at = time.monotonic()
        self._layer = get_channel_layer()
        self._channel = f"infra_mind.socket.{uuid4().hex}"
        self._groups = {groups.user(credential.user.pk)}
        self._joined: set[str] = set()

    async def run(self) -> None:
        """Serve the client until it goes, or until its access ends."""
        poll.add(self)
        parts = (self._read(), self._listen(), self._serve())
        work: list[asyncio.Future[Any]] = [asyncio.create_task(part) for part in parts]
        try:
            await self._send(
                p.Welcome(user=self.credential.user.get_username(), server_time=timezone.now())
            )
            done, _ = await asyncio.wait([*work, self._ended], return_when=asyncio.FIRST_COMPLETED)
            await self._close(_close_code(done, self._ended))
        except Closed as closed:
            await self._close(closed.code)
        finally:
            poll.remove(self)
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await self._leave(self._joined)

    # --- what the poll says; called from its loop

    def end(self, code: int) -> None:
        """Close the socket: its access has ended."""
        if not self._ended.done():
            self._ended.set_result(code)

    def look(self, look: Look) -> None:
        """Take what the database says, and have it served if anything in it is news."""
        self._look = look
        if self._groups - self._joined or self._has_news(look):
            self._offer(self._catch_up)

    def leave_scope(self, scope: str) -> None:
        self._offer(lambda: self._revoke_scope(scope))

    # --- reading: the client's messages, and the layer's

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            self._spend_allowance()
            text = message.get("text") or (message.get("bytes") or b"").decode(errors="replace")
            if len(text.encode()) > p.MESSAGE_MAX_BYTES:
                raise Closed(1009)
            await self._mailbox.put(lambda text=text: self._answer(text))  # type: ignore[misc]

    async def _listen(self) -> None:
        joining = asyncio.create_task(
            self._join()
        )  # begins once receive() below has made the channel
        try:
            while True:
                try:
                    message = await self._layer.receive(self._channel)
                except Exception as error:  # whatever the layer raises; the poll does without
                    logger.debug("The channel layer is away: %s", error)
                    await asyncio.sleep(1)
                    continue
                self._sort_in(message)
        finally:
            joining.cancel()

    def _sort_in(self, message: dict[str, Any]) -> None:
        if message["type"] == "task.event":
            self._offer(lambda: self._pass_on(message))
        elif message["type"] == "task.progress":
            was_empty = not self._progress
            self._progress[message["task_id"]] = message
            if was_empty:
                self._offer(_nothing)  # progress is sent after whatever is served
        elif message["type"] == "access.changed":
            poll.look_soon()

    def _offer(self, deed: Callable[[], Awaitable[None]]) -> None:
        """Have ``deed`` served. While the client is slow, hints are dropped: the poll finds out
        what is missing."""
        with suppress(asyncio.QueueFull):
            self._mailbox.put_nowait(deed)

    def _spend_allowance(self) -> None:
        now = time.monotonic()
        self._allowance = (
            min(MESSAGES_BURST, self._allowance + (now - self._allowance_at) * MESSAGES_PER_S) - 1
        )
        self._allowance_at = now
        if self._allowance < 0:
            raise Closed(4429)

    # --- serving

    async def _serve(self) -> None:
        while True:
            deed = await self._mailbox.get()
            try:
                await deed()
            except DATABASE_ERRORS as error:
                logger.debug("The database is away: %s", error)
            await self._send_progress()

    async def _answer(self, text: str) -> None:
        """Do what a client's frame asks for."""
        ref: Any = None
        try:
            content = from_json(text)
            ref = content.get("ref") if isinstance(content, dict) else None
            ref = ref if isinstance(ref, (str, int)) and len(str(ref)) <= 64 else None
            message = p.client_message.validate_python(content)
        except ValidationError as error:
            await self._send(p.Error(code="invalid_message", message=_words(error), ref=ref))
            return
        except (ValueError, RecursionError):
            await self._send(
                p.Error(code="invalid_json", message="A frame must be one JSON object.", ref=None)
            )
            return
        try:
            await self._do(message)
        except DATABASE_ERRORS:
            words = "The database can't be reached just now. Try again in a few seconds."
            await self._send(
                p.Error(code="temporarily_unavailable", message=words, ref=message.ref)
            )

    async def _do(self, message: p.Subscribe | p.Unsubscribe | p.Ping) -> None:
        if isinstance(message, p.Ping):
            await self._send(p.Pong(ref=message.ref))
        elif isinstance(message, p.Unsubscribe):
            await self._unsubscribe(message)
        elif message.task_id is not None:
            await self._follow_task(message, message.task_id)
        else:
            await self._follow_scope(message, str(message.scope))

    async def _follow_task(self, message: p.Subscribe, task_id: UUID) -> None:
        """Authorise, join, snapshot, replay, caught up; then live. Another's task is as unknown as
        none."""
        asked_for = sum(not followed.by_scope for followed in self.followed.values())
        if asked_for >= SUBSCRIPTIONS_MAX:
            words = (
                f"A socket follows at most {SUBSCRIPTIONS_MAX} tasks. Unsubscribe from one first."
            )
            await self._send(p.Error(code="too_many_subscriptions", message=words, ref=message.ref))
            return
        snapshot = None
        if await in_database(lambda: self._visible().filter(pk=task_id).exists()):
            await self._join(groups.task(task_id))
            snapshot = await in_database(lambda: self._snapshot(task_id))
        if snapshot is None:
            await self._send(
                p.Error(code="not_found", message="You have no such task.", ref=message.ref)
            )
            return
        await self._send(snapshot)
        if message.after_seq > snapshot.last_seq:
            await self._send(p.ResyncRequired(task_id=task_id, reason="ahead"))
        self.followed[task_id] = Followed(seq=min(message.after_seq, snapshot.last_seq))
        await self._fill(task_id)
        followed = self.followed[task_id]
        followed.is_final = snapshot.task.state in FINAL
        await self._send(p.CaughtUp(task_id=task_id, last_seq=followed.seq))

    async def _follow_scope(self, message: p.Subscribe, scope: str) -> None:
        if scope == "all" and not await in_database(lambda: self.credential.may_see_everything):
            words = "Only staff who may view and operate everyone's tasks can follow them."
            await self._send(p.Error(code="forbidden", message=words, ref=message.ref))
            return
        self.scopes.add(scope)
        if scope == "all":
            await self._join(groups.STAFF)
        for task_id in await in_database(lambda: self._unfinished(scope)):
            await self._introduce(task_id, scope)
        await self._send(p.CaughtUp(task_id=None, scope=message.scope, last_seq=0))

    async def _unsubscribe(self, message: p.Unsubscribe) -> None:
        if message.task_id is not None:
            await self._forget(message.task_id)
            return
        await self._drop_scope(str(message.scope))

    async def _introduce(self, task_id: UUID, scope: str) -> None:
        """Begin to follow a task of a scope."""
        if task_id in self.followed:
            return
        snapshot = await in_database(lambda: self._snapshot(task_id))
        if snapshot is None or snapshot.task.parent_id is not None:
            return
        is_final = snapshot.task.state in FINAL
        self.followed[task_id] = Followed(seq=snapshot.last_seq, by_scope=scope, is_final=is_final)
        await self._send(snapshot)
        of_scopes = sorted(key for key, followed in self.followed.items() if followed.by_scope)
        for oldest in of_scopes[:-SCOPE_TASKS_MAX]:
            del self.followed[oldest]

    async def _pass_on(self, message: dict[str, Any]) -> None:
        """Send an event of the layer on if it is the next one; fill up from the database if it is
        later."""
        task_id = UUID(message["task_id"])
        followed = self.followed.get(task_id)
        if followed is None:
            if scope := self._scope_of(message["owner_id"]):
                await self._introduce(task_id, scope)
            return
        if not self._is_ours(message["owner_id"]):
            await self._revoke(task_id)
        elif message["seq"] == followed.seq + 1:
            fields = {key: message[key] for key in ("seq", "event", "at", "data")}
            await self._send_event(p.Event(task_id=task_id, **fields))
        elif message["seq"] > followed.seq:
            await self._fill(task_id)

    async def _catch_up(self) -> None:
        """Act on the latest look: events that were missed, tasks that are gone or another's, groups
        not joined."""
        look = self._look
        if look is None:
            return
        await self._join()
        for task_id in look.asked & self.followed.keys():
            seen = look.tasks.get(task_id)
            if seen is None:
                await self._send(p.ResyncRequired(task_id=task_id, reason="gone"))
                await self._forget(task_id)
            elif not self._is_ours(seen.owner_id):
                await self._revoke(task_id)
            elif seen.last_seq > self.followed[task_id].seq:
                await self._fill(task_id)
        for task_id in self._new(look):
            await self._introduce(task_id, self._scope_of(look.new[task_id]))

    async def _fill(self, task_id: UUID) -> None:
        """Send the events after ``seq`` from the database, in batches, at the client's pace."""
        while (followed := self.followed.get(task_id)) is not None:
            batch = await in_database(lambda after=followed.seq: _events(task_id, after=after))  # type: ignore[misc]
            for event in batch:
                await self._send_event(event)
            if len(batch) < REPLAY_BATCH:
                return

    async def _send_event(self, event: p.Event) -> None:
        await self._send(event)
        followed = self.followed[event.task_id]
        followed.seq = event.seq
        state = event.data.get("state")
        if event.event.startswith("task."):
            followed.is_final = state in FINAL
        elif event.event.startswith("child."):
            child_id = str(event.data.get("task_id"))
            (followed.done_children.add if state in FINAL else followed.done_children.discard)(
                child_id
            )

    async def _send_progress(self) -> None:
        latest, self._progress = self._progress, {}
        for message in latest.values():
            if self._is_wanted(message):
                await self._send(
                    p.Progress(
                        **{key: message[key] for key in message if key not in {"type", "owner_id"}}
                    )
                )

    def _is_wanted(self, progress: dict[str, Any]) -> bool:
        """Progress of a task that is followed, or of its child; none that comes after the end."""
        if not self._is_ours(progress["owner_id"]):
            return False
        own = self.followed.get(UUID(progress["task_id"]))
        parent = self.followed.get(UUID(progress["parent_id"])) if progress["parent_id"] else None
        if parent is not None and (parent.is_final or progress["task_id"] in parent.done_children):
            return False
        return (own is not None and not own.is_final) or (own is None and parent is not None)

    # --- who may see what; ends of subscriptions

    def _visible(self) -> TaskRunQuerySet:
        return TaskRun.objects.visible_to(self.credential.user)

    def _is_ours(self, owner_id: Any) -> bool:
        return owner_id == self.credential.user.pk or "all" in self.scopes

    def _scope_of(self, owner_id: Any) -> str:
        """The scope that a task of this owner is in, or ""."""
        if "mine" in self.scopes and owner_id == self.credential.user.pk:
            return "mine"
        return "all" if "all" in self.scopes else ""

    def _snapshot(self, task_id: UUID) -> p.Snapshot | None:
        """A task and its children by one statement, hence at one moment; None where there is none
        to see."""
        rows = TaskRun.objects.all() if "all" in self.scopes else self._visible()
        found = list(
            rows.filter(Q(pk=task_id) | Q(parent_id=task_id)).select_related("owner").order_by("id")
        )
        tasks = {task.task_id: task for task in p.tasks_out(found)}
        task = tasks.pop(task_id, None)
        return (
            p.Snapshot(task=task, children=list(tasks.values()), last_seq=task.last_seq)
            if task
            else None
        )

    def _unfinished(self, scope: str) -> list[UUID]:
        rows = (
            TaskRun.objects.all()
            if scope == "all"
            else TaskRun.objects.filter(owner_id=self.credential.user.pk)
        )
        newest = (
            rows.roots()
            .filter(state__in=ACTIVE)
            .order_by("-id")
            .values_list("pk", flat=True)[:SCOPE_TASKS_MAX]
        )
        return list(newest)[::-1]

    def _has_news(self, look: Look) -> bool:
        for task_id in look.asked & self.followed.keys():
            seen = look.tasks.get(task_id)
            if (
                seen is None
                or seen.last_seq > self.followed[task_id].seq
                or not self._is_ours(seen.owner_id)
            ):
                return True
        return bool(self._new(look))

    def _new(self, look: Look) -> list[UUID]:
        """The newest tasks of the socket's scopes that it does not follow yet, oldest first."""
        ours = [task_id for task_id, owner_id in look.new.items() if self._scope_of(owner_id)][
            :SCOPE_TASKS_MAX
        ]
        return [task_id for task_id in reversed(ours) if task_id not in self.followed]

    async def _revoke(self, task_id: UUID) -> None:
        await self._send(p.Revoked(task_id=task_id))
        await self._forget(task_id)

    async def _revoke_scope(self, scope: str) -> None:
        await self._drop_scope(scope)
        await self._send(p.Revoked(task_id=None))

    async def _drop_scope(self, scope: str) -> None:
        self.scopes.discard(scope)
        if scope == "all":
            await self._leave({groups.STAFF})
        for task_id in [
            key for key, followed in self.followed.items() if followed.by_scope == scope
        ]:
            del self.followed[task_id]

    async def _forget(self, task_id: UUID) -> None:
        if self.followed.pop(task_id, None) is not None:
            await self._leave({groups.task(task_id)})

    # A layer that is away or frozen costs half a second; joining is tried again with each look.

    async def _join(self, *more: str) -> None:
        self._groups |= set(more)
        for group in list(self._groups - self._joined):
            try:
                async with asyncio.timeout(LAYER_PATIENCE_S):
                    await self._layer.group_add(group, self._channel)
            except Exception as error:  # whatever the layer raises; the poll does without
                logger.debug("Group %s could not be joined yet: %s", group, error)
                return
            self._joined.add(group)

    async def _leave(self, left: set[str]) -> None:
        self._groups -= left
        for group in list(left):
            self._joined.discard(group)
            with suppress(Exception):
                async with asyncio.timeout(LAYER_PATIENCE_S):
                    await self._layer.group_discard(group, self._channel)

    # --- sending

    async def _send(self, frame: p.ServerFrame) -> None:
        """Send a frame once the client has read enough of what was sent before. Raises
        Closed(4408)."""
        if transport.unread_bytes(self._send_message) > UNREAD_MAX_BYTES:
            await self._wait_for_reader()
        try:
            async with asyncio.timeout(UNREAD_PATIENCE_S):
                await self._send_message(
                    {"type": "websocket.send", "text": frame.model_dump_json()}
                )
        except TimeoutError:
            raise Closed(4408) from None

    async def _wait_for_reader(self) -> None:
        give_up_at = time.monotonic() + UNREAD_PATIENCE_S
        while transport.unread_bytes(self._send_message) > UNREAD_MAX_BYTES:
            if time.monotonic() > give_up_at:
                raise Closed(4408)
            await asyncio.sleep(0.05)

    async def _close(self, code: int | None) -> None:
        """Say what has ended, and close. ``code`` is None where the client has gone."""
        if code is None:
            return
        with suppress(Exception):  # the client may go at the same moment
            if code == 4401:
                asked_for = [
                    task_id for task_id, followed in self.followed.items() if not followed.by_scope
                ]
                for task_id in [*asked_for, *([None] if self.scopes else [])]:
                    frame = p.Revoked(task_id=task_id)
                    await self._send_message(
                        {"type": "websocket.send", "text": frame.model_dump_json()}
                    )
            await self._send_message({"type": "websocket.close", "code": code})


def _close_code(done: set[asyncio.Future[Any]], ended: asyncio.Future[int]) -> int | None:
    """The code to close with, by what ended first; None where the client has gone."""
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


def _events(task_id: UUID, *, after: int) -> list[p.Event]:
    rows = TaskEvent.objects.filter(task_id=task_id, seq__gt=after).order_by("seq")[:REPLAY_BATCH]
    return [p.Event(**p.TaskEventOut.of(row).model_dump()) for row in rows]


async def _nothing() -> None:
    return None


def _words(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}"[:300] if where else str(first["msg"])[:300]
