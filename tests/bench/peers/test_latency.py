"""From the call that queues a task to its first statement, on an idle system."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks_ui.models import TaskRun
from tests.bench.measure import ms, percentile
from tests.bench.peers.peer import WORKERS, working
from tests.probe.models import Start
from tests.servers import Servers
from tests.stack import Stack, wait_until

COUNT, PAUSE_S = 20, 0.4
LATENCY = """SELECT extract(epoch FROM s.at - q.at)::float FROM queued q JOIN started s
             USING (peer, number) WHERE number > 0"""


@pytest.mark.parametrize("name", WORKERS)
def test_a_peer(name: str, servers: Servers, tmp_path: Path) -> None:
    with working(name, servers, tmp_path) as peer:
        peer.enqueue(COUNT, pause_s=PAUSE_S)
        wait_until(lambda: len(peer.effects()) == COUNT, timeout_s=60, what="all effects")
        tell(name, sorted(seconds for (seconds,) in peer.rows(LATENCY)))


def test_ours(stack: Stack, queue_probe: Callable[..., TaskRun]) -> None:
    """To the claim in the row; the body's first statement follows within the same transaction's
    end."""
    runs = []
    for _ in range(COUNT):
        runs.append(queue_probe())
        time.sleep(PAUSE_S)
    wait_until(lambda: Start.objects.count() == COUNT, timeout_s=60, what="all starts")
    rows = TaskRun.objects.filter(started_at__isnull=False)
    tell(
        "ours",
        sorted((row.started_at - row.created_at).total_seconds() for row in rows if row.started_at),
    )


def tell(name: str, seconds: list[float]) -> None:
    p50, p95 = ms(percentile(seconds, 50)), ms(percentile(seconds, 95))
    print(f"\nenqueue to start, {name}: p50 {p50}, p95 {p95}")
