"""Pushes events and progress to sockets without holding up the caller.

One thread per process owns an event loop and a connection to the channel layer for as long as the
process lives. Reporting hands a value to it and returns in microseconds. Progress is coalesced: the
latest value of each run, at most one push every 100 ms. A push that fails is dropped: the socket is
a hint, and readers catch up from the database.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from channels.layers import get_channel_layer
from channels_redis.pubsub import RedisPubSubChannelLayer

from tasks_ui import groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tasks_ui.models import TaskEvent, TaskRun

logger = logging.getLogger(__name__)

PUSH_EVERY_S = 0.1
PUSH_TIMEOUT_S = 2.0
KEEP_UNSENT = 10_000
BATCH = 100
GATHER_S = 0.01
"""How long an event waits for others to leave with; a short task has two in a few milliseconds."""


class Publisher:
    """The publishing thread of this process. ``send`` and ``progress`` may be called from any
    thread."""

    def __init__(self) -> None:
        self._messages: deque[tuple[str, dict[str, Any]]] = deque(maxlen=KEEP_UNSENT)
        self._progress: dict[tuple[str, str], dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._has_messages = asyncio.Event()
        self._has_progress = asyncio.Event()
        threading.Thread(target=self._run, name="publisher", daemon=True).start()

    def send(self, groups: Iterable[str], message: dict[str, Any]) -> None:
        """Queue a message to some groups; messages leave in the order of the calls."""
        self._messages.extend((group, message) for group in groups)
        if not self._has_messages.is_set():  # else the loop has yet to look
            self._loop.call_soon_threadsafe(self._has_messages.set)

    def progress(self, group: str, key: str, message: dict[str, Any]) -> None:
        """Offer the latest progress of ``key``; an earlier value that was not sent yet is
        discarded."""
        with self._lock:  # between the look and the write the loop must not take the value away
            is_new = (group, key) not in self._progress
            self._progress[group, key] = message
        if is_new:
            self._loop.call_soon_threadsafe(self._has_progress.set)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._push_for_ever())

    async def _push_for_ever(self) -> None:
        layer = get_channel_layer()
        await asyncio.gather(self._push_messages(layer), self._push_progress(layer))

    async def _push_messages(self, layer: Any) -> None:
        while True:
            await self._has_messages.wait()
            await asyncio.sleep(GATHER_S)
            self._has_messages.clear()
            while batch := self._taken(BATCH):
                await _push(layer, batch)

    def _taken(self, most: int) -> list[tuple[str, dict[str, Any]]]:
        return [self._messages.popleft() for _ in range(min(most, len(self._messages)))]

    async def _push_progress(self, layer: Any) -> None:
        """Send each value immediately, or, if one of the same key was just sent, the latest after
        ``PUSH_EVERY_S``."""
        left_at: dict[tuple[str, str], float] = {}
        while True:
            await self._has_progress.wait()
            self._has_progress.clear()
            now = self._loop.time()
            left_at = {key: at for key, at in left_at.items() if at > now - PUSH_EVERY_S}
            with self._lock:
                due = {
                    key: self._progress.pop(key)
                    for key in list(self._progress)
                    if key not in left_at
                }
                waiting = [left_at[key] for key in self._progress]
            left_at |= dict.fromkeys(due, now)
            await _push(layer, [(group, message) for (group, _), message in due.items()])
            if waiting:
                self._loop.call_at(min(waiting) + PUSH_EVERY_S, self._has_progress.set)


async def _push(layer: Any, batch: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Send in order. Messages that the layer does not accept in time are dropped: a lost hint
    changes nothing."""
    try:
        async with asyncio.timeout(PUSH_TIMEOUT_S):
            if isinstance(layer, RedisPubSubChannelLayer):
                await _push_at_once(layer, batch)
            else:
                for group, message in batch:
                    await layer.group_send(group, message)
    except Exception as error:
        logger.debug("%s messages were dropped: %s", len(batch), error)


async def _push_at_once(
    layer: RedisPubSubChannelLayer, batch: Sequence[tuple[str, dict[str, Any]]]
) -> None:
    """Does what ``group_send`` does, but for all messages in one round trip: an event goes to three
    groups, and sending it three times took a third of a short task's time."""
    inner = layer._get_layer()
    by_shard: dict[Any, list[tuple[str, bytes]]] = {}
    packed: dict[int, bytes] = {}
    for group, message in batch:
        channel = inner._get_group_channel_name(group)
        data = packed.get(id(message)) or layer.serialize(message)
        packed[id(message)] = data  # the same message goes to several groups
        by_shard.setdefault(inner._get_shard(channel), []).append((channel, data))
    for shard, sent in by_shard.items():
        async with shard._lock:
            shard._ensure_redis()
            async with shard._redis.pipeline(transaction=False) as pipeline:
                for channel, data in sent:
                    pipeline.publish(channel, data)
                await pipeline.execute()


_publisher: Publisher | None = None
_publisher_pid = 0
_starting = threading.Lock()


def publisher() -> Publisher:
    """This process's publisher; a forked child starts its own."""
    global _publisher, _publisher_pid
    if _publisher is None or _publisher_pid != os.getpid():
        with _starting:
            if _publisher is None or _publisher_pid != os.getpid():
                _publisher, _publisher_pid = Publisher(), os.getpid()
    return _publisher


def publish_event(run: TaskRun, event: TaskEvent) -> None:
    """Push a durable event to the run's readers and, for a run without a parent, to its owner's and
    the staff's."""
    message = {
        "type": "task.event",
        "task_id": str(run.pk),
        "owner_id": run.owner_id,
        "seq": event.seq,
        "event": event.type,
        "at": event.created_at.isoformat(),
        "data": event.data,
    }
    publisher().send(audience(run), message)


def audience(run: TaskRun) -> list[str]:
    """The groups that receive a run's messages."""
    if run.parent_id:
        return [groups.task(run.pk)]
    return [groups.task(run.pk), groups.user(run.owner_id), groups.STAFF]
