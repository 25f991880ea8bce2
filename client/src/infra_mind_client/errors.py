"""What can go wrong between this machine and a server, and how long to wait before retrying."""

from __future__ import annotations

import random
from typing import Any

BACKOFF_S = 0.25
BACKOFF_MAX_S = 15.0


class ApiError(Exception):
    """The server refused a request: ``status`` is HTTP's, ``problem`` the body (RFC 9457)."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        errors = "".join(
            f"\n  {each.get('path')}{':' + str(each['line']) if each.get('line') else ''}:"
            f" {each.get('message')}"
            for each in problem.get("errors", [])
        )
        super().__init__(
            f"{problem.get('detail') or problem.get('title') or f'HTTP {status}'}{errors}"
        )


class UnreachableError(Exception):
    """The server did not respond within the client's patience."""


class CannotAssessError(Exception):
    """Nothing was assessed: the message says why, and what to do."""


def backoff_s(tries: int) -> float:
    """Seconds, doubling up to 15, with half of it random, so that a thousand clients don't return
    at once."""
    return min(BACKOFF_MAX_S, BACKOFF_S * 2.0 ** min(tries, 10)) * random.uniform(0.5, 1)  # noqa: S311
