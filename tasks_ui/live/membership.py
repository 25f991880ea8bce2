"""The groups of the channel layer that one socket listens to.

An unreachable or frozen layer costs half a second; joining is retried with each look at the
database, which finds whatever the layer did not deliver.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress
from typing import Any
from uuid import uuid4

from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)

LAYER_PATIENCE_S = 0.5


class Membership:
    def __init__(self, *wanted: str) -> None:
        self._layer = get_channel_layer()
        self._channel = f"infra_mind.socket.{uuid4().hex}"
        self._wanted = set(wanted)
        self._joined: set[str] = set()

    @property
    def is_complete(self) -> bool:
        return self._wanted <= self._joined

    async def receive(self) -> dict[str, Any]:
        """The next message to any of the groups. Raises whatever the layer raises."""
        message: dict[str, Any] = await self._layer.receive(self._channel)
        return message

    async def join(self, *more: str) -> None:
        """Join the groups that are wanted, and ``more``, as far as the layer allows."""
        self._wanted |= set(more)
        for group in list(self._wanted - self._joined):
            try:
                async with asyncio.timeout(LAYER_PATIENCE_S):
                    await self._layer.group_add(group, self._channel)
            except Exception as error:  # whatever the layer raises; the poll does without
                logger.debug("Group %s could not be joined yet: %s", group, error)
                return
            self._joined.add(group)

    async def leave(self, *groups: str) -> None:
        self._wanted -= set(groups)
        self._joined -= set(groups)
        await self._discard(groups)

    async def leave_all(self) -> None:
        await self.leave(*self._joined)

    async def _discard(self, groups: Collection[str]) -> None:
        for group in groups:
            with suppress(Exception):
                async with asyncio.timeout(LAYER_PATIENCE_S):
                    await self._layer.group_discard(group, self._channel)
