"""A cache in Valkey, which all web processes share, that falls back to this process's memory while
Valkey is down.

Its content protects accounts: the number of attempts, and which codes were used. Losing it must
neither lock everyone out nor allow unlimited attempts.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import redis
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

logger = logging.getLogger(__name__)

LEAVE_ALONE_S = 5.0
"""After a failure Valkey isn't asked for so long, so that a frozen one does not cost each request
its timeout."""

_leave_alone_until = 0.0  # for all threads: each has a cache object of its own


class PatientCache(BaseCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._shared = RedisCache(server, params)
        self._own = LocMemCache("accounts", {})

    def add(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> bool:
        return bool(self._do("add", key, value, timeout, version))

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return self._do("get", key, default, version)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> Any:
        return self._do("set", key, value, timeout, version)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        return bool(self._do("touch", key, timeout, version))

    def delete(self, key: Any, version: Any = None) -> bool:
        return bool(self._do("delete", key, version))

    def incr(self, key: Any, delta: int = 1, version: Any = None) -> int:
        return int(self._do("incr", key, delta, version))

    def clear(self) -> Any:
        return self._do("clear")

    def _do(self, name: str, *args: Any) -> Any:
        global _leave_alone_until
        if time.monotonic() >= _leave_alone_until:
            try:
                return getattr(self._shared, name)(*args)
            except redis.RedisError as error:
                logger.warning("Valkey is unreachable; attempts are counted in memory: %s", error)
                _leave_alone_until = time.monotonic() + LEAVE_ALONE_S
        return getattr(self._own, name)(*args)
