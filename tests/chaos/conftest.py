"""Processes that are killed and frozen at will, and repaired between tests, so that not every test
starts its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from tests.chaos.harm import revive
from tests.servers import Servers
from tests.stack import Kept, Stack, empty_the_broker, new_stack
from tests.tasks_ui.conftest import alice, bob, queue_probe

__all__ = ["alice", "bob", "queue_probe"]

SOFT_SHUTDOWN_S = "2"


@pytest.fixture
def harmed(
    transactional_db: None, servers: Servers, kept: Kept, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Three workers of one process each, web, priority and reconciler: all alive, on an empty
    queue.

    Whatever a test kills is restarted for the next one.
    """

    def make() -> Stack:
        stack = new_stack(servers, tmp_path_factory.mktemp("harmed"), workers=3)
        for process in stack.processes.values():
            process.env = {**stack.env, "SOFT_SHUTDOWN_S": SOFT_SHUTDOWN_S}
        return stack

    empty_the_broker(servers)
    stack = kept.have("harmed", make)
    revive(stack)
    yield stack
    for process in stack.processes.values():
        process.thaw()
    servers.restore()
    connection.close()  # of a database that was stopped
