"""What it costs a task to report its progress."""

from __future__ import annotations

from collections.abc import Callable

from asgiref.sync import async_to_sync
from celery import current_app
from channels.layers import get_channel_layer
from django.contrib.auth.models import User

from tasks_ui import groups
from tasks_ui.models import State, TaskRun
from tasks_ui.worker.work import Work
from tests.bench.measure import ms, percentile, timed
from tests.servers import Servers


def test_reporting_progress_costs_a_task_next_to_nothing(
    servers: Servers,
    alice: User,
    queue_probe: Callable[..., TaskRun],
    size: Callable[[int, int], int],
) -> None:
    """``report()`` compared with what it replaces in a plain task: a group_send and a results row
    for each step."""
    run = queue_probe()
    TaskRun.objects.filter(pk=run.pk).update(state=State.PROGRESS, attempt=1)
    work = Work(TaskRun.objects.get(pk=run.pk))
    layer = get_channel_layer()
    frame = {"type": "task.progress", "task_id": str(run.pk), "current": 1, "total": 100}

    def plainly() -> None:
        async_to_sync(layer.group_send)(groups.task(run.pk), frame)
        current_app.backend.store_result(str(run.pk), {"current": 1, "total": 100}, "PROGRESS")

    work.report(0, 100)  # starts the publisher
    ours = timed(lambda: work.report(1, 100, "main.tf"), times=size(2000, 20_000))
    plain = timed(plainly, times=size(50, 500))
    ratio = percentile(plain, 50) / percentile(ours, 50)
    print(
        f"\nreport(): median {ms(percentile(ours, 50))}, p99 {ms(percentile(ours, 99))}; ", end=""
    )
    print(
        f"group_send and update_state: median {ms(percentile(plain, 50))}; {ratio:.0f} times as"
        " much"
    )
    assert percentile(ours, 50) < 0.001
    assert ratio > 10
