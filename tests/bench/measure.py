"""Timing helpers: sorted seconds, and a percentile of them."""

from __future__ import annotations

import time
from collections.abc import Callable


def timed(call: Callable[[], object], *, times: int) -> list[float]:
    """Seconds that ``call`` took, each time, sorted."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return sorted(seconds)


def percentile(seconds: list[float], percent: float) -> float:
    return seconds[min(len(seconds) - 1, int(len(seconds) * percent / 100))]


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.3f} ms"
