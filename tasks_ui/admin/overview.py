"""The operators' overview: throughput, times, failures and their reasons, queues, workers.

Figures over time come from ``tasks_ui.runs.trends``, so a look costs the same however many runs
there are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

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
SERIES = 4
"""Kinds that have a color of their own; the others share one."""
FAILURES_READ, REASONS_SHOWN = 100, 3
"""Of each kind, the latest."""
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
class Reason:
    """Failures of one kind with the same error code, and the latest of them."""

    code: str
    count: int
    last: TaskRun


@dataclass(frozen=True, kw_only=True)
class FailureRow:
    name: str
    label: str
    failed: int
    finished: int
    retries: int
    reasons: list[Reason]

    @property
    def percent(self) -> str:
        return _percent(self.failed, self.finished)


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
    by = "kind" if request.GET.get("by") == "kind" else ""
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
        "by": by,
        "throughput": _by_kind(trend) if by else _by_outcome(trend),
        "legend": _kinds_legend(trend) if by else _outcomes_legend(trend),
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
        "failures_read": FAILURES_READ,
        "may_read": may_read(request.user),
    }
    return TemplateResponse(request, "admin/tasks_ui/overview.html", context)


def _totals(trend: Trend) -> dict[str, Any]:
    counts: Counter[str] = sum(trend.kinds.values(), Counter())
    finished, failed = counts.total(), counts[State.FAILURE]
    return {
        "finished": finished,
        "failed": failed,
        "failed_percent": _percent(failed, finished) if finished else "",
    }


def _percent(part: int, whole: int) -> str:
    share = 100 * part / whole
    return f"{share:.1f}" if share < 10 else f"{share:.0f}"


def _by_outcome(trend: Trend) -> Chart:
    """Runs per minute, by how they ended."""
    labels = {str(state): wording.state_word(state).lower() for state in OUTCOMES}
    return _throughput(trend, trend.states, labels=labels)


def _outcomes_legend(trend: Trend) -> list[tuple[str, str, int]]:
    counts: Counter[str] = sum(trend.states.values(), Counter())
    return [(str(each), wording.state_word(each), counts[each]) for each in reversed(OUTCOMES)]


def _by_kind(trend: Trend) -> Chart:
    """Runs per minute, by kind: the busiest have a color each."""
    series = _series(trend)
    counts: dict[datetime, Counter[str]] = defaultdict(Counter)
    for at, by_name in trend.kinds_at.items():
        for name, count in by_name.items():
            counts[at][series.get(name, "other")] += count
    labels = {each: kinds.label(name).lower() for name, each in series.items()}
    return _throughput(trend, counts, labels={**labels, "other": "of other kinds"})


def _kinds_legend(trend: Trend) -> list[tuple[str, str, int]]:
    series = _series(trend)
    shown = [(each, kinds.label(name), trend.kinds[name].total()) for name, each in series.items()]
    rest = sum(counts.total() for name, counts in trend.kinds.items() if name not in series)
    return [*shown, ("other", "Other kinds", rest)] if rest else shown


def _series(trend: Trend) -> dict[str, str]:
    """The color of each of the busiest kinds, the busiest first."""
    busiest = sorted(trend.kinds, key=lambda name: (-trend.kinds[name].total(), name))
    return {name: f"series-{number}" for number, name in enumerate(busiest[:SERIES], start=1)}


def _throughput(
    trend: Trend, counts: Mapping[datetime, Counter[str]], *, labels: Mapping[str, str]
) -> Chart:
    """Runs per minute by the names in ``labels``, from the bottom up."""
    minutes = trend.range.slot_s / 60
    found = {at: counts.get(at, Counter()) for at in trend.times}
    rates = {at: {name: each[name] / minutes for name in labels} for at, each in found.items()}

    def words(at: datetime, rate: Mapping[str, float]) -> str:
        parts = [f"{found[at][name]:,} {label}" for name, label in labels.items() if rate[name]]
        return f"{_slot_words(trend.range, at)}: {', '.join(parts) or 'none finished'}"

    return charts.stacked(trend.times, rates, names=list(labels), words=words, height=CHART_PX)


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
    """The kinds of which a run failed or was retried, with the most frequent error codes."""
    named = [
        name for name, counts in trend.kinds.items() if counts[State.FAILURE] or trend.retries[name]
    ]
    failed = [name for name in named if trend.kinds[name][State.FAILURE]]
    reasons = _reasons(_latest_failures(failed, since=trend.times[0]))
    rows = [
        FailureRow(
            name=name,
            label=kinds.label(name),
            failed=trend.kinds[name][State.FAILURE],
            finished=trend.kinds[name].total(),
            retries=trend.retries[name],
            reasons=reasons.get(name, []),
        )
        for name in named
    ]
    return sorted(rows, key=lambda row: (-row.failed, -row.retries, row.label))


def _latest_failures(names: Iterable[str], *, since: datetime) -> list[TaskRun]:
    """At most FAILURES_READ of each kind, in one query along an index."""
    failed = TaskRun.objects.filter(state=State.FAILURE, finished_at__gte=since)
    parts = [failed.filter(kind=name).order_by("-finished_at")[:FAILURES_READ] for name in names]
    if not parts:
        return []
    found = parts[0].union(*parts[1:], all=True) if parts[1:] else parts[0]
    return sorted(found, key=lambda run: str(run.finished_at), reverse=True)


def _reasons(failures: list[TaskRun]) -> dict[str, list[Reason]]:
    """The most frequent error codes by kind, of ``failures`` from the latest to the earliest."""
    counts = Counter((run.kind, run.error_code) for run in failures)
    last: dict[tuple[str, str], TaskRun] = {}
    for run in failures:
        last.setdefault((run.kind, run.error_code), run)
    found: dict[str, list[Reason]] = defaultdict(list)
    for (kind, code), count in counts.most_common():
        if len(found[kind]) < REASONS_SHOWN:
            found[kind].append(Reason(code=code, count=count, last=last[kind, code]))
    return found


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
