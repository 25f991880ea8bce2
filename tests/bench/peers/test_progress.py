"""One progress step of a task: ours, what people write by hand, and celery-progress."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from asgiref.sync import async_to_sync
from celery import current_app
from channels.layers import get_channel_layer

from tasks_ui import groups
from tasks_ui.models import State, TaskRun
from tasks_ui.worker.work import Work
from tests.bench.measure import ms, percentile, timed
from tests.bench.peers.peer import APPS, BIN
from tests.servers import Servers


def test_a_step(servers: Servers, queue_probe: Callable[..., TaskRun], tmp_path: Path) -> None:
    run = queue_probe()
    TaskRun.objects.filter(pk=run.pk).update(state=State.PROGRESS, attempt=1)
    work = Work(TaskRun.objects.get(pk=run.pk))
    layer = get_channel_layer()
    frame = {"type": "task.progress", "task_id": str(run.pk), "current": 1, "total": 100}

    def by_hand() -> None:
        async_to_sync(layer.group_send)(groups.task(run.pk), frame)
        current_app.backend.store_result(str(run.pk), {"current": 1, "total": 100}, "PROGRESS")

    work.report(0, 100)
    ours = percentile(timed(lambda: work.report(1, 100, "main.tf"), times=5000), 50)
    plain = percentile(timed(by_hand, times=300), 50)
    done = subprocess.run(
        [str(BIN / "python"), "celery_progress_step.py"],
        cwd=APPS,
        env={"PEERS_REDIS_URL": servers.valkey.url.rsplit("/", 1)[0] + "/9"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = float(done.stdout)
    print(
        f"\na progress step: ours {ms(ours)}; group_send and update_state {ms(plain)},"
        f" {plain / ours:.0f} times; celery-progress {ms(theirs)}, {theirs / ours:.0f} times"
    )
    assert ours < plain
