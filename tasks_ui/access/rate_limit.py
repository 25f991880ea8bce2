"""Limits how many requests per minute one token, or one signed-in person, may send to the REST API.

The count is in Valkey, which all web processes share, by fixed windows of a minute (INCR and
EXPIRE). It guards against programs stuck in a loop, not against attackers. While Valkey is down
nothing is counted, and everything else keeps working.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import redis
from django.conf import settings

if TYPE_CHECKING:
    from django.http import HttpRequest

logger = logging.getLogger(__name__)

WINDOW_S = 60
PATIENCE_S = 0.1
LEAVE_ALONE_S = 5.0
"""After a failure Valkey isn't asked for so long: a frozen one costs a request in five seconds its
patience."""

_client: redis.Redis | None = None
_leave_alone_until = 0.0


class TooManyRequestsError(Exception):
    """The minute's requests are used up; ``retry_after_s`` whole seconds until the next."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"More than {settings.RATE_LIMIT_PER_MINUTE} requests in a minute.")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What remains of this minute's requests; ``reset_s``: whole seconds until the next minute."""

    limit: int
    remaining: int
    reset_s: int

    @property
    def headers(self) -> dict[str, str]:
        """``RateLimit-*`` as in draft-ietf-httpapi-ratelimit-headers-07, section 5."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
        }


def spend(request: HttpRequest, who: str) -> None:
    """Count a request of ``who`` and attach what remains. Raises TooManyRequestsError."""
    now = time.time()
    window = int(now // WINDOW_S)
    count = _count(key(who, window=window))
    limit, reset_s = settings.RATE_LIMIT_PER_MINUTE, max(1, round((window + 1) * WINDOW_S - now))
    if count:
        left = Allowance(limit=limit, remaining=max(0, limit - count), reset_s=reset_s)
        request.allowance = left  # type: ignore[attr-defined]
    if count > limit:
        raise TooManyRequestsError(reset_s)


def key(who: str, *, window: int) -> str:
    return f"infra_mind.requests.{who}.{window}"


def _count(name: str) -> int:
    """The requests counted under ``name``, including this one; 0 while Valkey is down."""
    global _client, _leave_alone_until
    if time.monotonic() < _leave_alone_until:
        return 0
    try:
        if _client is None:
            _client = redis.Redis.from_url(
                settings.CHANNEL_REDIS_URL,
                socket_timeout=PATIENCE_S,
                socket_connect_timeout=PATIENCE_S,
                retry=None,
            )
        both = _client.pipeline(transaction=False)
        both.incr(name)
        both.expire(name, 2 * WINDOW_S)
        return int(both.execute()[0])
    except redis.RedisError as error:
        logger.debug("Requests can't be counted right now: %s", error)
        _leave_alone_until = time.monotonic() + LEAVE_ALONE_S
        return 0
