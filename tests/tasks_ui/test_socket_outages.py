"""Sockets while Valkey or PostgreSQL is away, and clients that do not read. Each test has its own
processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from tasks_ui.models import TaskEvent, TaskRun
from tasks_ui.runs import queues
from tasks_ui.runs.transitions import emit
from tests.stack import Stack
from tests.tasks_ui.sockets import greeted
from tests.tasks_ui.test_socket import all_seqs, key_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User


pytestmark = pytest.mark.slow


def test_sockets_outlive_valkey_and_postgresql(
    stack: Stack, queue_probe: Callable[..., TaskRun], alice: User
) -> None:
    from django.db import connection

    token = key_of(alice)
    queues.pause("default", by=alice)  # a run that isn't final, and which nothing else changes
    run = queue_probe()
    with greeted(stack, token=token) as socket:
        socket.subscribe(run.pk)
        socket.hear_until("event", event="task.queued")
        stack.servers.valkey.stop()
        emit(run, "probe.noted", {"n": 1}, attempt=None)
        begun = time.monotonic()
        assert socket.hear_until("event", timeout_s=10)["data"] == {"n": 1}
        assert time.monotonic() - begun < 3
        with greeted(stack, token=token) as late:  # a socket can be opened in the meantime
            late.subscribe(run.pk)
            late.hear_until("caught_up", timeout_s=5)
            assert late.seqs(run.pk) == all_seqs(run.pk)
        stack.servers.valkey.start()
        connection.close()
        stack.servers.postgres.stop()
        socket.say(type="ping")
        assert socket.hear()["type"] == "pong"
        socket.subscribe(run.pk)
        assert socket.hear(timeout_s=20)["code"] == "temporarily_unavailable"
        stack.servers.postgres.start()
        emit(run, "probe.noted", {"n": 2}, attempt=None)
        socket.hear_until("event", timeout_s=15)
        assert socket.seqs(run.pk) == all_seqs(run.pk)


def test_a_client_that_never_reads_is_dropped_and_harms_nobody(
    stack: Stack, queue_probe: Callable[..., TaskRun], alice: User
) -> None:
    token = key_of(alice)
    run = queue_probe()
    TaskEvent.objects.bulk_create(
        TaskEvent(task=run, seq=seq, type="probe.noted", data={"text": "x" * 20_000})
        for seq in range(10_001, 12_001)
    )
    TaskRun.objects.filter(pk=run.pk).update(last_seq=12_000)  # 40 MB of events
    web = psutil.Process(stack["web"].pid)
    web = web.children()[0] if web.children() else web
    before = web.memory_info().rss
    with greeted(stack, token=token) as deaf, greeted(stack, token=token) as other:
        deaf.subscribe(
            run.pk
        )  # and reads nothing: after a few frames its library stops reading, too
        for _ in range(14):
            other.say(type="ping")
            assert other.hear(timeout_s=2)["type"] == "pong"
            time.sleep(0.5)
        assert web.memory_info().rss - before < 30e6
        with pytest.raises(ConnectionClosed):
            for _ in range(100_000):
                deaf.connection.recv(timeout=5)
