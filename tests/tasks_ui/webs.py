"""One more web process beside a stack's, with its own environment, on the same database and
Valkey."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.stack import Stack, new_stack, wait_until


@contextmanager
def another_web(beside: Stack, folder: Path, **env: str) -> Iterator[Stack]:
    """Only the web process of the returned Stack is started."""
    stack = new_stack(beside.servers, folder)
    stack["web"].env = {**stack.env, **env}
    stack["web"].start()
    try:
        wait_until(
            lambda: _answers(stack), timeout_s=60, what="the web process", details=stack["web"].log
        )
        yield stack
    finally:
        stack.stop()


def _answers(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.url}/health/live", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
