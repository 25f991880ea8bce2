"""Sockets while Valkey or PostgreSQL is away, and clients that do not read. Each test has its own
web process, and no other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from websockets.exceptions import ConnectionClosed

from tasks_ui.models import TaskEvent, TaskRun
from tasks_ui.runs.transitions import emit
from tests.servers import Servers
from tests.stack import Stack, new_stack
from tests.tasks_ui.sockets import greeted
from tests.tasks_ui.test_socket import all_seqs, key_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User


pytestmark = pytest.mark.slow


@pytest.fixture
def web(alone: None, servers: Servers, tmp_path: Path) -> Iterator[Stack]:
    stack = new_stack(servers, tmp_path / "stack", only={"web"})
    try:
        yield stack.start()
    finally:
        stack.stop()


def test_sockets_outlive_valkey_and_postgresql(
    web: Stack, queue_probe: Callable[..., TaskRun], alice: User
) -> None:
    token = key_of(alice)
    run = queue_probe()  # without a worker it isn't final, and nothing else changes it
    with greeted(web, token=token) as socket:
        socket.subscribe(run.pk)
        socket.hear_until("event", event="task.queued")
        web.servers.valkey.stop()
        emit(run, "probe.noted", {"n": 1}, attempt=None)
        begun = time.monotonic()
        assert socket.hear_until("event", timeout_s=10)["data"] == {"n": 1}
        assert time.monotonic() - begun < 3
        with greeted(web, token=token) as late:  # a socket can be opened in the meantime
            late.subscribe(run.pk)
            late.hear_until("caught_up", timeout_s=5)
            assert late.seqs(run.pk) == all_seqs(run.pk)
        web.servers.valkey.start()
        connection.close()
        web.servers.postgres.stop()
        socket.say(type="ping")
        assert socket.hear()["type"] == "pong"
        socket.subscribe(run.pk)
        assert socket.hear(timeout_s=20)["code"] == "temporarily_unavailable"
        web.servers.postgres.start()
        emit(run, "probe.noted", {"n": 2}, attempt=None)
        socket.hear_until("event", timeout_s=15)
        assert socket.seqs(run.pk) == all_seqs(run.pk)


def test_a_client_that_never_reads_is_dropped_and_harms_nobody(
    web: Stack, queue_probe: Callable[..., TaskRun], alice: User
) -> None:
    token = key_of(alice)
    run = queue_probe()
    TaskEvent.objects.bulk_create(
        TaskEvent(task=run, seq=seq, type="probe.noted", data={"text": "x" * 20_000})
        for seq in range(10_001, 12_001)
    )
    TaskRun.objects.filter(pk=run.pk).update(last_seq=12_000)  # 40 MB of events
    process = web["web"].family()[-1]
    before = process.memory_info().rss
    with greeted(web, token=token) as deaf, greeted(web, token=token) as other:
        deaf.subscribe(
            run.pk
        )  # and reads nothing: after a few frames its library stops reading, too
        for _ in range(14):
            other.say(type="ping")
            assert other.hear(timeout_s=2)["type"] == "pong"
            time.sleep(0.5)
        assert process.memory_info().rss - before < 30e6
        with pytest.raises(ConnectionClosed):
            for _ in range(100_000):
                deaf.connection.recv(timeout=5)
