"""The operators' overview: what is done and how long it takes, what fails, what waits, who works.

Figures over time come from ``tasks_ui.runs.trends``, so a look costs the same however many runs
there are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse
from django.utils import timezone

from tasks_ui import kinds
from tasks_ui.access.permissions import may_read
from tasks_ui.admin import charts
from tasks_ui.models import State, TaskRun
from tasks_ui.runs import queues, trends, wording, workers
from tasks_ui.templatetags import ui

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
    from django.http import HttpRequest, HttpResponse

    from tasks_ui.admin.charts import Chart
    from tasks_ui.models import Worker
    from tasks_ui.runs.queues import Queue
    from tasks_ui.runs.trends import Range, Trend

EVERY_S = 10
"""How often the page is read again while it is looked at."""
CHART_PX, SMALL_PX = 150, 36
OUTCOMES = (State.SUCCESS, State.REVOKED, State.FAILURE)
"""From the bottom of a bar to its top."""
HELD_READ, HELD_SHOWN = 400, 3
SHARES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, kw_only=True)
class Times:
    """Percentiles in seconds, with their places on the plots' common scale."""

    values: list[float]
    places: list[float]


@dataclass(frozen=True, kw_only=True)
class KindRow:
    """A kind's runs in the range; ``waited`` and ``took`` are None where none was started."""

    name: str
    label: str
    count: int
    waited: Times | None
    took: Times | None


@dataclass(frozen=True, kw_only=True)
class FailureRow:
    name: str
    label: str
    failed: int
    finished: int
    retries: int
    last: TaskRun | None

    @property
    def percent(self) -> str:
        share = 100 * self.failed / self.finished
        return f"{share:.1f}" if share < 10 else f"{share:.0f}"


@dataclass(frozen=True, kw_only=True)
class WorkerRow:
    worker: Worker
    held: list[TaskRun]
    more: int

    @property
    def busy(self) -> int:
        return len(self.held) + self.more


def show(model_admin: ModelAdmin[TaskRun], request: HttpRequest) -> HttpResponse:
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    chosen = trends.RANGES.get(request.GET.get("range", ""), trends.RANGES["1h"])
    trend, now = trends.read(chosen), queues.overview()
    seen = _workers()
    up = [row for row in seen if row.worker.is_up]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Overview",
        "opts": model_admin.opts,
        "media": model_admin.media,
        "every_s": EVERY_S,
        "ranges": [(each, each == chosen) for each in trends.RANGES.values()],
        "range": chosen,
        "trend": trend,
        "totals": _totals(trend),
        "throughput": _throughput(trend),
        "queues": [(queue, _depth(trend, queue)) for queue in now],
        "waiting": sum(queue.waiting for queue in now),
        "oldest_at": min((q.oldest_at for q in now if q.oldest_at), default=None),
        "running": sum(queue.running for queue in now),
        "workers": seen,
        "workers_up": len(up),
        "workers_taking": sum(bool(row.worker.queues) for row in up),
        "slots": sum(row.worker.concurrency for row in up),
        "kinds": _kinds(trend),
        "failures": _failures(trend),
        "may_read": may_read(request.user),
    }
    return TemplateResponse(request, "admin/tasks_ui/overview.html", context)


def _totals(trend: Trend) -> dict[str, int]:
    counts: Counter[str] = sum(trend.kinds.values(), Counter())
    return {"finished": counts.total(), **{state.lower(): counts[state] for state in OUTCOMES}}


def _throughput(trend: Trend) -> Chart:
    """Runs per minute, by how they ended."""
    minutes = trend.range.slot_s / 60
    rates = {
        at: {str(state): trend.states[at][state] / minutes for state in OUTCOMES}
        for at in trend.times
    }

    def words(at: datetime, rate: Mapping[str, float]) -> str:
        counts = trend.states[at]
        parts = [
            f"{counts[state]:,} {wording.state_word(state).lower()}"
            for state in OUTCOMES
            if counts[state]
        ]
        return f"{_slot_words(trend.range, at)}: {', '.join(parts) or 'none finished'}"

    names = [str(state) for state in OUTCOMES]
    return charts.stacked(trend.times, rates, names=names, words=words, height=CHART_PX)


def _depth(trend: Trend, queue: Queue) -> Chart:
    """What waited in a queue, over time."""
    seen = trend.waiting.get(queue.name, {})
    values = {at: {str(State.PENDING): float(count)} for at, count in seen.items()}

    def words(at: datetime, value: Mapping[str, float]) -> str:
        return f"{_slot_words(trend.range, at)}: {ui.plural(seen[at], 'task')} at most"

    return charts.stacked(
        trend.times, values, names=[State.PENDING], words=words, height=SMALL_PX, least_top=5
    )


def _slot_words(chosen: Range, at: datetime) -> str:
    local = timezone.localtime(at)
    return f"{local:%a %H:%M}" if chosen.slot_s > 900 else f"{local:%H:%M}"


def _kinds(trend: Trend) -> list[KindRow]:
    """The busiest kind first."""
    counted = {
        name: [_percentiles(counts[name]) for counts in (trend.waits, trend.runs)]
        for name in trend.kinds
    }
    most = max((values[-1] for pair in counted.values() for values in pair if values), default=1.0)
    rows = [
        KindRow(
            name=name,
            label=kinds.label(name),
            count=trend.kinds[name].total(),
            waited=_times(waited, most=most),
            took=_times(took, most=most),
        )
        for name, (waited, took) in counted.items()
    ]
    return sorted(rows, key=lambda row: (-row.count, row.label))


def _percentiles(counts: Counter[int]) -> list[float]:
    found = [trends.percentile(counts, share) for share in SHARES]
    return [value for value in found if value is not None]


def _times(values: list[float], *, most: float) -> Times | None:
    if not values:
        return None
    places = [charts.on_log_scale(each, least=trends.LEAST_S, most=most) for each in values]
    return Times(values=values, places=places)


def _failures(trend: Trend) -> list[FailureRow]:
    """The kinds of which a run failed or had to be tried again, with the latest failure of each."""
    named = [
        name for name, counts in trend.kinds.items() if counts[State.FAILURE] or trend.retries[name]
    ]
    last = _last_failures(name for name in named if trend.kinds[name][State.FAILURE])
    rows = [
        FailureRow(
            name=name,
            label=kinds.label(name),
            failed=trend.kinds[name][State.FAILURE],
            finished=trend.kinds[name].total(),
            retries=trend.retries[name],
            last=last.get(name),
        )
        for name in named
    ]
    return sorted(rows, key=lambda row: (-row.failed, -row.retries, row.label))


def _last_failures(names: Iterable[str]) -> dict[str, TaskRun]:
    """By kind; each is one step of an index."""
    parts = [
        TaskRun.objects.filter(kind=name, state=State.FAILURE).order_by("-finished_at")[:1]
        for name in names
    ]
    if not parts:
        return {}
    found = parts[0].union(*parts[1:], all=True) if parts[1:] else parts[0]
    return {run.kind: run for run in found}


def _workers() -> list[WorkerRow]:
    """The workers that are up or were lately, with what they work on."""
    by_worker: dict[str, list[TaskRun]] = defaultdict(list)
    for run in TaskRun.objects.held().order_by("lease_until")[:HELD_READ]:
        by_worker[run.worker].append(run)
    rows = []
    for worker in workers.seen():
        held = sorted(by_worker[worker.hostname], key=lambda run: run.pk)
        more = max(0, len(held) - HELD_SHOWN)
        rows.append(WorkerRow(worker=worker, held=held[:HELD_SHOWN], more=more))
    return rows
