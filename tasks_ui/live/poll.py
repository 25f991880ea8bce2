"""One loop per web process that checks the database for all of its sockets.

What the channel layer delivers is a hint that can be lost. Once a second this loop asks which
followed tasks have events that their followers lack, which new tasks a scope has, and whose access
has ended. This takes at most seven queries, however many sockets there are. So an event is about a
second late at worst, whether Valkey is up or not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Any, Protocol
from uuid import UUID

from tasks_ui.access import auth
from tasks_ui.live import counters, reading
from tasks_ui.live.reading import Look, in_database
from tasks_ui.runs.patience import DATABASE_ERRORS

logger = logging.getLogger(__name__)

EVERY_S = 1.0


class Follower(Protocol):
    """Someone who follows tasks: who it is, what it follows, and how to notify it."""

    @property
    def credential(self) -> auth.Credential: ...

    @property
    def tasks(self) -> Collection[UUID]: ...

    @property
    def scopes(self) -> Collection[str]: ...

    @property
    def is_reading(self) -> bool: ...

    def look(self, look: Look) -> None: ...

    def stop_reading(self) -> None: ...

    def leave_scope(self, scope: str) -> None: ...

    def end(self, code: int) -> None: ...


class Poll:
    """The followers in this process. Use it only from the event loop."""

    def __init__(self) -> None:
        self._followers: set[Follower] = set()
        self._soon = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def add(self, follower: Follower) -> None:
        self._followers.add(follower)
        counters.SOCKETS.set(len(self._followers))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_for_ever())

    def remove(self, follower: Follower) -> None:
        self._followers.discard(follower)
        counters.SOCKETS.set(len(self._followers))

    def count(self, user_id: Any) -> int:
        return sum(follower.credential.user.pk == user_id for follower in self._followers)

    def look_soon(self) -> None:
        self._soon.set()

    async def _look_for_ever(self) -> None:
        while self._followers:
            try:
                async with asyncio.timeout(EVERY_S):
                    await self._soon.wait()
            except TimeoutError:
                pass
            self._soon.clear()
            try:
                await look_for(list(self._followers))
            except DATABASE_ERRORS as error:
                logger.warning("The database is unreachable; sockets wait: %s", error)
            except Exception:
                logger.exception("A look at the database failed; the next one follows.")


async def look_for(followers: Collection[Follower]) -> None:
    """One look for all ``followers``: end those whose access has ended, and let the others know."""
    credentials = {follower.credential for follower in followers}
    valid = await in_database(lambda: auth.still_valid(credentials))
    for follower in followers:
        if follower.credential not in valid:
            follower.end(4401)
    asked = frozenset(task_id for follower in followers for task_id in follower.tasks)
    owners = {each.credential.user.pk for each in followers if "mine" in each.scopes}
    staff = {each.credential.user.pk for each in followers if "all" in each.scopes}
    permitted = await in_database(lambda: auth.may_see_everything(staff)) if staff else set()
    readers = {each.credential.user.pk for each in followers if each.is_reading}
    may_read = await in_database(lambda: auth.may_read_runs(readers)) if readers else set()
    look = await in_database(lambda: reading.look(asked, owners=owners, everyone=bool(permitted)))
    for follower in followers:
        if "all" in follower.scopes and follower.credential.user.pk in staff - permitted:
            follower.leave_scope("all")
        if follower.is_reading and follower.credential.user.pk in readers - may_read:
            follower.stop_reading()
        follower.look(look)


poll = Poll()
