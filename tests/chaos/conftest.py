"""Processes that are killed and frozen at will, and mended between tests, so that not every test starts its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.harm import empty_the_broker, revive
from tests.servers import Servers
from tests.stack import Stack
from tests.tasks_ui.conftest import alice, bob, queue_probe

__all__ = ["alice", "bob", "queue_probe"]

SOFT_SHUTDOWN_S = "2"


@pytest.fixture(scope="session")
def _harmed_stacks() -> Iterator[list[Stack]]:
    kept: list[Stack] = []
    yield kept
    for stack in kept:
        stack.stop()


@pytest.fixture
def harmed(
    transactional_db: None, servers: Servers, _harmed_stacks: list[Stack], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Three workers of one process each, web, priority and reconciler: all alive, on an empty queue.

    What a test kills is started again for the next one.
    """
    from django.db import connection

    empty_the_broker(servers)
    if not _harmed_stacks:
        stack = Stack(servers, tmp_path_factory.mktemp("harmed"), database=connection.settings_dict["NAME"], workers=3)
        for process in stack.processes.values():
            process.env = {**stack.env, "SOFT_SHUTDOWN_S": SOFT_SHUTDOWN_S}
        _harmed_stacks.append(stack)
        stack.start()
    stack = _harmed_stacks[0]
    revive(stack)
    yield stack
    for process in stack.processes.values():
        process.thaw()
    servers.restore()
    connection.close()  # of a database that was stopped
