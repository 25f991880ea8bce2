"""When each part of a run waited and worked, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

if TYPE_CHECKING:
    from tasks_ui.models import TaskRun


@dataclass(frozen=True, kw_only=True)
class Step:
    """One run. ``offset`` is from the queuing of the whole to the run's own start, or to its
    queuing where it has not started; ``ran`` is None then. Places and widths are percent of the
    whole's time."""

    run: TaskRun
    offset: timedelta
    waited: timedelta
    ran: timedelta | None
    wait_at: float
    wait_width: float
    run_at: float
    run_width: float

    @property
    def is_open(self) -> bool:
        """It counts on."""
        return self.run.finished_at is None


@dataclass(frozen=True, kw_only=True)
class Waterfall:
    """The whole first, then its parts. ``took`` is from its queuing to its end, or until now."""

    took: timedelta
    steps: list[Step]


def waterfall(run: TaskRun, parts: Sequence[TaskRun], *, now: datetime | None = None) -> Waterfall:
    now = now or timezone.now()
    ends = [each.finished_at or now for each in (run, *parts)]
    took = max(ends) - run.queued_at
    steps = [_step(each, begin=run.queued_at, took=took, now=now) for each in (run, *parts)]
    return Waterfall(took=took, steps=steps)


def times(run: TaskRun, *, now: datetime | None = None) -> tuple[timedelta, timedelta | None]:
    """How long a run waited for its first start, and how long it ran, so far."""
    now = now or timezone.now()
    end = run.finished_at or now
    if run.started_at is None:
        return _span(run.queued_at, end), None
    return _span(run.queued_at, run.started_at), _span(run.started_at, end)


def _step(run: TaskRun, *, begin: datetime, took: timedelta, now: datetime) -> Step:
    waited, ran = times(run, now=now)
    queued_at = _span(begin, run.queued_at)
    return Step(
        run=run,
        offset=queued_at + waited if ran is not None else queued_at,
        waited=waited,
        ran=ran,
        wait_at=_percent(queued_at, took),
        wait_width=_percent(waited, took),
        run_at=_percent(queued_at + waited, took),
        run_width=_percent(ran or timedelta(), took),
    )


def _span(begin: datetime, end: datetime) -> timedelta:
    """Never negative: the clocks of two machines may differ."""
    return max(timedelta(), end - begin)


def _percent(span: timedelta, whole: timedelta) -> float:
    return round(min(100.0, 100 * (span / whole)), 2) if whole else 0.0
