"""What it takes to create a run in a full table, and for an idle worker to start it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection

from tasks_ui.models import FINAL, TaskRun
from tests.bench.conftest import IS_FULL
from tests.bench.measure import ms, percentile, timed
from tests.probe.runs import queue_noop
from tests.servers import Servers
from tests.stack import Stack, wait_until
from tests.tasks_ui.rows import finished_rows

MOST_TO_CREATE_S = 0.005
MOST_TO_START_S = 0.015


@pytest.mark.usefixtures("transactional_db")
def test_creating_a_run_takes_no_longer_in_a_full_table(
    servers: Servers, alone: None, alice: User, bob: User, size: Callable[[int, int], int]
) -> None:
    """With what it finds about the owner: a full window, and runs waiting ahead of it."""
    rows = size(20_000, 1_000_000)
    finished_rows(owner=alice, other=bob, rows=rows)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE tasks_ui_taskrun")
    queue_noop(owner=alice)
    seconds = timed(lambda: queue_noop(owner=alice), times=size(50, 500))
    p95 = percentile(seconds, 95)
    print(f"\n{rows} rows, creating a run: p50 {ms(percentile(seconds, 50))}, p95 {ms(p95)}")
    assert p95 < (MOST_TO_CREATE_S if IS_FULL else 1)


def test_an_idle_worker_starts_a_run_at_once(
    shared_stack: Stack, alice: User, size: Callable[[int, int], int]
) -> None:
    """From the row's creation to the claim, both as recorded in the row."""
    waits = sorted(seconds_to_start(alice) for _ in range(size(5, 100)))
    p50 = percentile(waits, 50)
    print(f"\nenqueue to start: p50 {ms(p50)}, p95 {ms(percentile(waits, 95))}")
    assert p50 < (MOST_TO_START_S if IS_FULL else 5)


def seconds_to_start(owner: User) -> float:
    run = queue_noop(owner=owner)
    is_over = TaskRun.objects.filter(pk=run.pk, state__in=FINAL)
    wait_until(is_over.exists, timeout_s=20, what="the end of the run", step_s=0.02)
    time.sleep(0.05)  # both workers are idle again
    run.refresh_from_db()
    assert run.started_at
    return (run.started_at - run.created_at).total_seconds()
