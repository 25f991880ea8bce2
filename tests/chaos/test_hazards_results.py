"""What Celery would write about a run, or do to it, apart from the row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from celery import states
from django_celery_results.models import TaskResult

from infra_mind.celery import app
from tasks_ui.models import TaskRun
from tests.chaos.harm import ended
from tests.stack import Process, Stack, wait_until

Queue = Callable[..., TaskRun]
pytestmark = pytest.mark.chaos


@pytest.mark.parametrize("manner", ["ok", "hopeless"])
def test_a_late_write_never_changes_a_final_result(
    harmed: Stack, queue_probe: Queue, manner: str
) -> None:
    run = ended(queue_probe(manner=manner))
    before = TaskResult.objects.filter(task_id=str(run.pk)).values().get()
    for late in ("PROGRESS", states.STARTED, states.RETRY):
        app.backend.store_result(str(run.pk), {"current": 1}, late)
    app.backend.mark_as_failure(str(run.pk), RuntimeError("late"))
    app.backend.store_result(str(run.pk), "another", states.SUCCESS)
    assert TaskResult.objects.filter(task_id=str(run.pk)).values().get() == before


def test_a_worker_with_a_coroutine_for_a_task_does_not_start(harmed: Stack, tmp_path: Path) -> None:
    command = ["celery", "-A", "infra_mind", "worker", "-n", "eager@%h", "-Q", "default", "-c", "1"]
    worker = Process(
        "worker9",
        command,
        env={**harmed.env, "EXTRA_APPS": "tests.probe,tests.chaos.coroutine"},
        log_path=tmp_path / "log",
    )
    worker.start()
    try:
        wait_until(
            lambda: not worker.running,
            timeout_s=60,
            what="the worker to refuse",
            details=worker.log,
        )
    finally:
        worker.kill()
    assert worker.process is not None
    assert worker.process.returncode != 0
    assert "Task tests.awaits_nothing is a coroutine" in worker.log()
    assert " ready." not in worker.log()
