"""Sixty tasks of 0.4 s on two workers, while workers are killed and frozen and the broker loses its
data: how many leave no effect, and how many more than one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tasks_ui.models import TaskRun
from tests.bench.peers.peer import WORKERS, working
from tests.probe.models import Effect
from tests.servers import Servers
from tests.stack import Process, Stack, empty_the_broker

COUNT, DURATION_S = 60, 0.4
FROZEN_S, QUIET_S, LONGEST_S = 14, 30, 150


@pytest.mark.parametrize("name", WORKERS)
def test_a_peer(name: str, servers: Servers, tmp_path: Path) -> None:
    with working(name, servers, tmp_path) as peer:
        time.sleep(4)
        peer.enqueue(COUNT, duration_s=DURATION_S)
        harm(peer.workers, servers)
        judge(name, peer.effects)


def test_ours(stack: Stack, servers: Servers, queue_probe: Callable[..., TaskRun]) -> None:
    for _ in range(COUNT):
        queue_probe(duration_s=DURATION_S)
    harm(stack.workers, servers)
    judge("ours", lambda: Counter(Effect.objects.values_list("run_id", flat=True)))


def harm(workers: Sequence[Process], servers: Servers) -> None:
    """The same for all: kill, freeze for longer than any timeout here, flush, kill, thaw, kill."""
    first, second = workers
    time.sleep(2)
    revive(first)
    second.freeze()
    time.sleep(2)
    empty_the_broker(servers)
    revive(first)
    time.sleep(FROZEN_S)
    second.thaw()
    time.sleep(2)
    revive(second)


def revive(worker: Process) -> None:
    worker.kill()
    worker.start()


def judge[Key](name: str, effects: Callable[[], dict[Key, int]]) -> None:
    """Wait until all are there, or nothing has arrived for QUIET_S."""
    began = moved = time.monotonic()
    seen = -1
    while time.monotonic() - moved < QUIET_S and time.monotonic() - began < LONGEST_S:
        found = effects()
        if len(found) >= COUNT:
            time.sleep(3)  # a second effect may follow
            break
        if (total := sum(found.values())) != seen:
            seen, moved = total, time.monotonic()
        time.sleep(0.5)
    found = effects()
    doubled = sum(count > 1 for count in found.values())
    print(f"\nstorm, {name}: {COUNT - len(found)} of {COUNT} lost, {doubled} doubled")
    if name == "ours":
        assert (len(found), doubled) == (COUNT, 0)
