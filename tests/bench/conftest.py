"""Benchmarks print their figures. As they run on noisy machines, they assert only ratios, and those
generously.

``make bench`` sets BENCH=full; without it the same benchmarks run small, within ``make test``.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.tasks_ui.conftest import alice, bob, queue_probe

__all__ = ["alice", "bob", "queue_probe"]

IS_FULL = os.environ.get("BENCH") == "full"
collect_ignore = [] if IS_FULL else ["test_fuzz.py"]


@pytest.fixture(scope="session")
def size() -> Callable[[int, int], int]:
    """``size(small, full)``: the one that applies to this run."""
    return lambda small, full: full if IS_FULL else small
