"""A channel layer that loses what it is configured to lose."""

from __future__ import annotations

import logging
import os
import random
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer

logger = logging.getLogger(__name__)

SHARE_LOST = float(os.environ.get("LOSE_LAYER_MESSAGES") or 0)


class LossyLayer(RedisPubSubChannelLayer):
    """A fraction of the messages for this process's sockets never arrives."""

    async def receive(self, channel: str) -> Any:
        while True:
            message = await self._get_layer().receive(channel)
            if random.random() >= SHARE_LOST:
                return message
            logger.warning("Lost on purpose: %s %s", message["type"], message.get("seq", ""))
