"""Retries short transactions while the database is unreachable."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, connection

DATABASE_ERRORS = (OperationalError, InterfaceError)
"""The database is away, or went away in the middle of a query."""

DATABASE_PATIENCE_S = 120


def patiently[T](call: Callable[[], T]) -> T:
    """Call, and keep retrying for two minutes while the database is unreachable. Then raise the
    last error."""
    give_up_at = time.monotonic() + DATABASE_PATIENCE_S
    pause_s = 0.1
    while True:
        try:
            return call()
        except DATABASE_ERRORS:
            connection.close()
            if time.monotonic() > give_up_at:
                raise
        time.sleep(pause_s)
        pause_s = min(2.0, pause_s * 2)
