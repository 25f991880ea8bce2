"""When workers are notified of a waiting run again: soon enough that a lost message costs little,
not so often that it floods the broker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from tasks_ui import reconciler
from tasks_ui.models import State, TaskRun

Queue = Callable[..., TaskRun]


def waiting(queue_probe: Queue, *, rung_s_ago: float, rings: int, **changes: object) -> TaskRun:
    run = queue_probe()
    rung_at = Now() - timedelta(seconds=rung_s_ago)
    TaskRun.objects.filter(pk=run.pk).update(rung_at=rung_at, rings=rings, **changes)
    return run


def at_work(queue_probe: Queue) -> TaskRun:
    """A long run that was queued earlier: its queue is healthy, as far as anyone can see."""
    run = queue_probe()
    lease = Now() + timedelta(seconds=10)
    long_ago = Now() - timedelta(hours=1)
    rows = TaskRun.objects.filter(pk=run.pk)
    rows.update(
        state=State.PROGRESS, attempt=1, lease_until=lease, started_at=long_ago, queued_at=long_ago
    )
    return run


@pytest.mark.parametrize(
    ("rung_s_ago", "rings", "is_rung_for"), [(20, 1, False), (35, 1, True), (35, 2, False)]
)
def test_a_run_behind_long_work_is_rung_for_after_half_a_minute_then_ever_less_often(
    queue_probe: Queue, rung_s_ago: float, rings: int, is_rung_for: bool
) -> None:
    at_work(queue_probe)
    run = waiting(queue_probe, rung_s_ago=rung_s_ago, rings=rings)
    assert reconciler.unheard().filter(pk=run.pk).exists() is is_rung_for


def test_a_retry_whose_message_was_lost_behind_long_work_is_rung_for(queue_probe: Queue) -> None:
    at_work(queue_probe)
    due = Now() - timedelta(seconds=36)
    run = waiting(
        queue_probe, rung_s_ago=35, rings=1, state=State.RETRY, attempt=1, next_retry_at=due
    )
    assert reconciler.unheard().filter(pk=run.pk).exists()


def test_a_run_whose_queue_stands_still_is_rung_for_after_ten_seconds(queue_probe: Queue) -> None:
    run = waiting(queue_probe, rung_s_ago=11, rings=1)
    assert reconciler.unheard().filter(pk=run.pk).exists()
    assert (
        not reconciler.unheard().filter(pk=waiting(queue_probe, rung_s_ago=5, rings=1).pk).exists()
    )


def test_a_run_that_a_later_one_overtook_is_rung_for_after_ten_seconds(queue_probe: Queue) -> None:
    at_work(queue_probe)
    run = waiting(queue_probe, rung_s_ago=11, rings=1)
    assert not reconciler.unheard().filter(pk=run.pk).exists()
    later = queue_probe()
    TaskRun.objects.filter(pk=later.pk).update(state=State.SUCCESS, started_at=Now())
    assert reconciler.unheard().filter(pk=run.pk).exists()
