"""One thread of a worker process watches over the currently running attempt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tasks_ui.models import State, TaskRun
from tasks_ui.runs.services import request_cancel
from tasks_ui.runs.transitions import Cancelled, claim, transition
from tasks_ui.worker.watch import WATCH_EVERY_S, watched
from tasks_ui.worker.work import Work
from tests.stack import wait_until

pytestmark = pytest.mark.usefixtures("transactional_db")
Queue = Callable[..., TaskRun]


def started(run: TaskRun) -> Work:
    taken = claim(run.pk, attempt=0, worker="w")
    assert taken
    return Work(taken)


def watchers() -> int:
    return sum(thread.name == "watcher" for thread in threading.enumerate())


def test_attempts_one_after_another_share_one_thread(alone: None, queue_probe: Queue) -> None:
    for _ in range(20):
        with watched(started(queue_probe())):
            assert watchers() == 1


def test_a_cancel_reaches_an_attempt_long_before_the_next_look(
    alone: None, queue_probe: Queue
) -> None:
    waits = sorted(seconds_to_stop(started(queue_probe())) for _ in range(5))
    assert waits[2] < WATCH_EVERY_S / 2, waits


def seconds_to_stop(work: Work) -> float:
    with watched(work):
        time.sleep(0.1)
        asked_at = time.monotonic()
        request_cancel(work.run, by=work.run.owner)
        wait_until(lambda: work.is_stopped, timeout_s=3, what="the stop", step_s=0.005)
        waited_s = time.monotonic() - asked_at
        with pytest.raises(Cancelled):
            work.check()
    return waited_s


def test_no_progress_is_stored_once_an_attempt_has_ended(alone: None, queue_probe: Queue) -> None:
    work = started(queue_probe())
    with watched(work):
        work.report(1, 10, "one")
        stored = TaskRun.objects.filter(pk=work.run.pk, state=State.PROGRESS)
        wait_until(stored.exists, timeout_s=5, what="progress in the row")
        work.report(9, 10, "nine")
    row = TaskRun.objects.get(pk=work.run.pk)
    time.sleep(WATCH_EVERY_S * 1.5)
    after = TaskRun.objects.get(pk=work.run.pk)
    assert (after.current, after.message) == (row.current, row.message)
    assert transition(work.run, State.SUCCESS, attempt=1)


def test_an_attempt_that_lasts_keeps_its_lease(
    alone: None, queue_probe: Queue, settings: object
) -> None:
    settings.TASKS_HEARTBEAT_S = 0.5  # type: ignore[attr-defined]
    work = started(queue_probe())
    with watched(work):
        first = TaskRun.objects.get(pk=work.run.pk).lease_until
        assert first
        renewed = TaskRun.objects.filter(pk=work.run.pk, lease_until__gt=first)
        wait_until(renewed.exists, timeout_s=5, what="a renewed lease")


def test_an_attempt_whose_stop_fails_leaves_the_next_one_watched(
    alone: None, queue_probe: Queue
) -> None:
    def fail() -> None:
        raise ValueError("stopping failed")

    with watched(work := started(queue_probe())), work.stopping(fail):
        request_cancel(work.run, by=work.run.owner)
        wait_until(lambda: work.is_stopped, timeout_s=3, what="the stop")
    assert seconds_to_stop(started(queue_probe())) < 3
