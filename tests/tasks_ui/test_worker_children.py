"""Pool processes are replaced when they have grown, and not before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks_ui.models import State, TaskRun
from tests.probe.models import Start
from tests.servers import Servers
from tests.stack import Stack, new_stack
from tests.tasks_ui.test_life_of_a_run import ended

Queue = Callable[..., TaskRun]


@pytest.fixture
def one_worker(alone: None, servers: Servers, tmp_path: Path) -> Iterator[Stack]:
    stack = new_stack(servers, tmp_path / "stack", only={"worker1"})
    for process in stack.processes.values():
        process.env = {**process.env, "WORKER_MEMORY_MB": "250"}
    try:
        yield stack.start()
    finally:
        stack.stop()


def test_a_process_that_has_grown_is_replaced_after_its_task_and_no_other_is(
    one_worker: Stack, queue_probe: Queue
) -> None:
    before = {process_of(ended(queue_probe())) for _ in range(120)}
    assert len(before) == 1
    grown = ended(queue_probe(manner="grow"))
    after = ended(queue_probe())
    assert {(run.state, run.attempt) for run in (grown, after)} == {(State.SUCCESS, 1)}
    assert process_of(grown) in before and process_of(after) not in before


def process_of(run: TaskRun) -> str:
    """The worker, and the pid of its pool process that ran the body."""
    return Start.objects.get(run_id=run.pk).worker
