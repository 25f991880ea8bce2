"""One loop a web process that looks into the database for all its sockets.

What the channel layer brings is a hint that can be lost. Once a second this loop asks, in a handful
of queries however many sockets there are, which of the tasks that are followed have events that
their followers lack, which new tasks a scope has, and whose access has ended. So an event is about
a second late at worst, with Valkey away or not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError
from django.db.models import Q
from django.utils import timezone

from tasks_ui.access import auth
from tasks_ui.models import TaskRun

logger = logging.getLogger(__name__)

EVERY_S = 1.0
NEW_WITHIN_S = 60  # a row shows up when its transaction commits, which is later than its created_at
NEW_MAX = 500
DATABASE_ERRORS = (OperationalError, InterfaceError)

_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="sockets")


async def in_database[T](call: Callable[[], T]) -> T:
    """Run ``call`` in one of the four threads in which this process's sockets ask the database."""
    return await database_sync_to_async(call, thread_sensitive=False, executor=_threads)()  # type: ignore[no-any-return]


class Seen(NamedTuple):
    """What the database says of a task."""

    owner_id: Any
    last_seq: int


@dataclass(frozen=True)
class Look:
    """One look: ``asked`` are the tasks it was about; one that is not among ``tasks`` is no more.

    ``new`` are the latest tasks of the scopes that are followed, with their owners.
    """

    asked: frozenset[UUID]
    tasks: dict[UUID, Seen]
    new: dict[UUID, Any]


class Follower(Protocol):
    """An open socket, as the poll sees it: what it follows, and how to let it know."""

    @property
    def credential(self) -> auth.Credential: ...

    @property
    def followed(self) -> Mapping[UUID, object]: ...

    @property
    def scopes(self) -> Collection[str]: ...

    def end(self, code: int) -> None: ...

    def leave_scope(self, scope: str) -> None: ...

    def look(self, look: Look) -> None: ...


class Poll:
    """The open sockets of this process. Used from its event loop alone."""

    def __init__(self) -> None:
        self._sockets: set[Follower] = set()
        self._soon = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def add(self, socket: Follower) -> None:
        self._sockets.add(socket)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_for_ever())

    def remove(self, socket: Follower) -> None:
        self._sockets.discard(socket)

    def count(self, user_id: Any) -> int:
        return sum(socket.credential.user.pk == user_id for socket in self._sockets)

    def look_soon(self) -> None:
        self._soon.set()

    async def _look_for_ever(self) -> None:
        while self._sockets:
            try:
                async with asyncio.timeout(EVERY_S):
                    await self._soon.wait()
            except TimeoutError:
                pass
            self._soon.clear()
            try:
                await self._end_the_invalid()
                await self._look()
            except DATABASE_ERRORS as error:
                logger.warning("The database is away; sockets wait: %s", error)
            except Exception:
                logger.exception("A look failed; the next one follows.")

    async def _end_the_invalid(self) -> None:
        sockets = list(self._sockets)
        credentials = {socket.credential for socket in sockets}
        valid = await in_database(lambda: auth.still_valid(credentials))
        for socket in sockets:
            if socket.credential not in valid:
                socket.end(4401)

    async def _look(self) -> None:
        sockets = list(self._sockets)
        asked = frozenset(task_id for socket in sockets for task_id in socket.followed)
        owners = {socket.credential.user.pk for socket in sockets if "mine" in socket.scopes}
        for_staff = {socket.credential for socket in sockets if "all" in socket.scopes}
        look = await in_database(lambda: _look(asked, owners, everyone=bool(for_staff)))
        staff = (
            await in_database(lambda: {c for c in for_staff if _is_staff_still(c)})
            if for_staff
            else set()
        )
        for socket in sockets:
            if "all" in socket.scopes and socket.credential in for_staff - staff:
                socket.leave_scope("all")
            socket.look(look)


def _look(asked: frozenset[UUID], owners: set[Any], *, everyone: bool) -> Look:
    tasks: dict[UUID, Seen] = {}
    if asked:
        rows = TaskRun.objects.filter(pk__in=asked).values_list("pk", "owner_id", "last_seq")
        tasks = {pk: Seen(owner_id, last_seq) for pk, owner_id, last_seq in rows}
    new: dict[UUID, Any] = {}
    if owners or everyone:
        whose = Q() if everyone else Q(owner_id__in=owners)
        since = timezone.now() - timedelta(seconds=NEW_WITHIN_S)
        latest = TaskRun.objects.roots().filter(whose, created_at__gt=since).order_by("-id")
        new = dict(latest.values_list("pk", "owner_id")[:NEW_MAX])
    return Look(asked=asked, tasks=tasks, new=new)


def _is_staff_still(credential: auth.Credential) -> bool:
    user = type(credential.user)._default_manager.filter(pk=credential.user.pk).first()
    return user is not None and auth.Credential(user=user).may_see_everything


poll = Poll()
