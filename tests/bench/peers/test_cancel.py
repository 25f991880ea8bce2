"""From the call that cancels a running task to the moment when the database shows that it was
cancelled. django-tasks-db and dramatiq can't cancel a running task."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks_ui.models import State, TaskRun
from tasks_ui.runs.services import request_cancel
from tests.bench.measure import ms, percentile
from tests.bench.peers.peer import working
from tests.servers import Servers
from tests.stack import Stack, wait_until

COUNT = 20


@pytest.mark.parametrize("name", ["plain_celery", "procrastinate_app"])
def test_a_peer(name: str, servers: Servers, tmp_path: Path) -> None:
    with working(name, servers, tmp_path) as peer:
        report(name, json.loads(peer.run("python", "cancel.py", name, str(COUNT))))


def test_ours(stack: Stack, queue_probe: Callable[..., TaskRun]) -> None:
    report("ours", [seconds_to_cancel(queue_probe(duration_s=60)) for _ in range(COUNT)])


def seconds_to_cancel(run: TaskRun) -> float:
    rows = TaskRun.objects.filter(pk=run.pk)
    works = rows.filter(state=State.PROGRESS)
    wait_until(works.exists, timeout_s=30, what="the start", step_s=0.02)
    time.sleep(0.3)
    started = time.perf_counter()
    request_cancel(rows.get(), by=run.owner)
    revoked = rows.filter(state=State.REVOKED)
    wait_until(revoked.exists, timeout_s=30, what="the end", step_s=0.005)
    return time.perf_counter() - started


def report(name: str, seconds: list[float]) -> None:
    seconds = sorted(seconds)
    p50, p95 = ms(percentile(seconds, 50)), ms(percentile(seconds, 95))
    print(f"\ncancel to confirmed, {name}: p50 {p50}, p95 {p95}")
    assert len(seconds) == COUNT
