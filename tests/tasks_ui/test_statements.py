"""What one tracked task costs in SQL: from the row's creation to the end of the Celery task."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from celery import current_app
from celery.app.trace import build_tracer
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tasks_ui.models import State, TaskEvent, TaskRun
from tasks_ui.runs.transitions import claim, retry_at, state_data, transition
from tests.probe.runs import queue_noop
from tests.servers import Servers

MOST = 10
"""Statements of one tracked no-op, each a round trip, with every BEGIN and COMMIT. It used to be
25."""


@pytest.mark.usefixtures("transactional_db")
def test_a_tracked_no_op_takes_few_statements(servers: Servers, alone: None, alice: User) -> None:
    run_it(queue_noop(owner=alice))  # opens the connection
    with CaptureQueriesContext(connection) as queries:
        run = queue_noop(owner=alice)
        run_it(run)
    fresh = TaskRun.objects.get(pk=run.pk)
    assert (fresh.state, fresh.attempt) == (State.SUCCESS, 1)
    assert list(TaskEvent.objects.filter(task=run).values_list("seq", flat=True)) == [1, 2, 3]
    sent = [query["sql"] for query in queries]
    assert len(sent) <= MOST, "\n".join(sent)


def test_an_event_says_of_its_run_what_the_row_says(
    alice: User, queue_probe: Callable[..., TaskRun]
) -> None:
    """PostgreSQL writes an event's data from the row; ``state_data`` does so from the model."""
    run = queue_probe(title="Ünïcode \\ 'quoted' % \"title\"")
    agrees(run)
    started = claim(run.pk, attempt=0, worker="worker1@host")
    assert started
    agrees(started)
    retrying = retry_at(started, attempt=1, delay_s=0.5, error='Line 1\nLine "2" %s')
    assert retrying
    agrees(retrying)
    TaskRun.objects.filter(pk=run.pk).update(next_retry_at=None)
    again = claim(run.pk, attempt=1, worker="worker2@host")
    assert again
    done = transition(again, State.SUCCESS, attempt=2, current=3, total=7, message="Done")
    assert done
    agrees(done)


def agrees(run: TaskRun) -> None:
    event = TaskEvent.objects.get(task=run, seq=run.last_seq)
    fresh = TaskRun.objects.get(pk=run.pk)
    assert in_time(event.data) == in_time(state_data(fresh)) == in_time(state_data(run))


def in_time(data: dict[str, Any]) -> dict[str, Any]:
    """The same moment may be written with different digits."""
    at = data["next_retry_at"]
    return {**data, "next_retry_at": datetime.fromisoformat(at) if at else None}


def run_it(run: TaskRun) -> None:
    """Run the Celery task of ``run`` as a pool process does, in this process."""
    if "tests.noop" not in current_app.tasks:
        current_app.loader.import_default_modules()
    task = current_app.tasks["tests.noop"]
    trace = build_tracer(task.name, task, app=current_app)
    request = {"id": str(run.pk), "task": task.name, "hostname": "test", "is_eager": False}
    trace(str(run.pk), [str(run.pk), 0], {}, request)
