"""When the parts of a run were waiting and working."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.contrib import admin

from tasks_ui.admin import TaskRunAdmin
from tasks_ui.models import State, TaskRun
from tasks_ui.runs.waterfall import waterfall

BEGIN = datetime(2026, 11, 25, 12, tzinfo=UTC)


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else BEGIN + timedelta(seconds=seconds)


def run(queued: float, started: float | None, finished: float | None) -> TaskRun:
    state = State.SUCCESS if finished else State.PROGRESS
    begin = BEGIN + timedelta(seconds=queued)
    return TaskRun(state=state, queued_at=begin, started_at=at(started), finished_at=at(finished))


def seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def test_parts_lie_where_they_waited_and_ran() -> None:
    shown = waterfall(run(0, 2, 20), [run(4, 5, 15), run(4, 10, 20)])
    assert seconds(shown.took) == 20
    whole, first, second = shown.steps
    assert (whole.wait_at, whole.wait_width, whole.run_at, whole.run_width) == (0, 10, 10, 90)
    assert (first.wait_at, first.wait_width, first.run_at, first.run_width) == (20, 5, 25, 50)
    assert [seconds(each) for each in (second.offset, second.waited, second.ran)] == [10, 6, 10]


def test_what_goes_on_reaches_until_now_and_what_waits_has_not_run() -> None:
    now = BEGIN + timedelta(seconds=40)
    shown = waterfall(run(0, 0, None), [run(10, 20, None), run(10, None, None)], now=now)
    whole, working, waiting = shown.steps
    assert (whole.run_width, working.run_at, working.run_width) == (100, 50, 50)
    assert (waiting.ran, waiting.run_width, waiting.wait_width) == (None, 0, 75)
    assert whole.is_open and waiting.is_open


def test_clocks_that_differ_give_no_negative_time() -> None:
    shown = waterfall(run(0, -1, 0), [run(-3, -2, -4)])
    assert all(step.run_width >= 0 and step.wait_width >= 0 for step in shown.steps)


def test_a_part_in_the_list_says_when_it_started(queue_probe: Callable[..., TaskRun]) -> None:
    whole = queue_probe(kind="probe_family")
    part = TaskRun(
        parent=whole,
        owner=whole.owner,
        queued_at=whole.queued_at + timedelta(seconds=3),
        started_at=whole.queued_at + timedelta(seconds=5),
        finished_at=whole.queued_at + timedelta(seconds=65),
    )
    cell = TaskRunAdmin(TaskRun, admin.site).took(part).replace("\N{NO-BREAK SPACE}", " ")
    assert ">1 min<" in cell
    assert "started +5.0 s, waited 2.0 s" in cell
