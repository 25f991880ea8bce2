"""Hashes passwords without starving everything else.

A hash occupies a core for a third of a second, on purpose. Twenty at once on a two-core machine
took the API's latency from 0.3 to 11 s. So separate threads compute them, on at most half of the
cores and at a lower priority; requests that wait hold no database connection, and are turned away
after a moment.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connections

AT_ONCE = max(1, (os.cpu_count() or 1) // 2)
WAITING_MAX = 40
PATIENCE_S = 5.0
NICENESS = 5

_places = threading.BoundedSemaphore(AT_ONCE + WAITING_MAX)


class HashingBusyError(Exception):
    """Too many passwords are being checked; try again in a few seconds."""

    retry_after_s = 5


class BoundedHasher(PBKDF2PasswordHasher):
    """Django's own hasher, a few at a time. ``verify`` and the rest use ``encode``, which raises
    HashingBusyError."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        if not _places.acquire(blocking=False):
            raise HashingBusyError
        _give_back_connections()
        hashing = _threads().submit(super().encode, password, salt, iterations)
        hashing.add_done_callback(lambda _: _places.release())
        return _result(hashing)


def _result(hashing: Future[str]) -> str:
    try:
        return hashing.result(timeout=PATIENCE_S)
    except TimeoutError:
        if hashing.cancel():
            raise HashingBusyError from None
        return hashing.result()  # its turn has come


def _give_back_connections() -> None:
    """The web process has few, and requests waiting here would hold all of them."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, "hashing", initializer=_stand_back)


def _stand_back() -> None:
    """On Linux each thread has its own priority."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


os.register_at_fork(after_in_child=_threads.cache_clear)  # a child has none of the threads
