"""Queues, runs and workers in ``/metrics``, read from the database when it is scraped.

So the figures cover all processes and outlast each of them, and every web process reports the same
ones. Reading them takes six indexed queries and is cached for a second. What only one process knows
is counted where it happens (``tasks_ui.live.counters``).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import Count, Min, Q
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector

from tasks_ui import kinds
from tasks_ui.models import FINAL, PausedQueue, State, TaskRun, Worker
from tasks_ui.reconciler import LOST, UNCONFIRMED, UNHEARD, lost
from tasks_ui.runs import queues, tallies, workers
from tasks_ui.runs.patience import DATABASE_ERRORS

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

KEPT_S = 1.0
RULES = {LOST: "lost_lease", UNCONFIRMED: "unconfirmed_cancel", UNHEARD: "unheard"}


@dataclass(kw_only=True)
class QueueNow:
    waiting: int = 0
    retrying: int = 0
    running: int = 0
    oldest_s: float = 0.0
    is_paused: bool = False


@dataclass(frozen=True, kw_only=True)
class Look:
    """The figures at one moment."""

    queues: dict[str, QueueNow]
    workers: list[Worker]
    overdue: int
    overdue_s: float
    totals: tallies.Totals
    last: dict[str, datetime]


class DatabaseCollector(Collector):
    """A collector for prometheus_client. If the database is unreachable, it reports only that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[float, list[Metric]] = (-KEPT_S, [])

    def describe(self) -> list[Metric]:
        """None: prometheus_client would ask the database when this is registered."""
        return []

    @property
    def is_up(self) -> bool:
        """Whether the database responded the last time."""
        return len(self._kept[1]) > 1

    def collect(self) -> list[Metric]:
        with self._lock:
            if time.monotonic() - self._kept[0] > KEPT_S:
                self._kept = (time.monotonic(), list(_metrics()))
            return self._kept[1]


def look() -> Look:
    """Raises one of DATABASE_ERRORS."""
    totals, last = tallies.totals()
    expired = lost().aggregate(count=Count("pk"), oldest=Min("lease_until"))
    return Look(
        queues=_queues(),
        workers=[worker for worker in workers.seen() if worker.is_up],
        overdue=expired["count"],
        overdue_s=_age_s(expired["oldest"]),
        totals=totals,
        last=last,
    )


def _metrics() -> Iterator[Metric]:
    up = GaugeMetricFamily("tasks_database_up", "1 while the database responds")
    try:
        now = look()
    except DATABASE_ERRORS:
        connection.close()
        up.add_metric([], 0)
        yield up
        return
    up.add_metric([], 1)
    yield up
    yield from _of_queues(now)
    yield from _of_workers(now)
    yield from _of_runs(now)


def _of_queues(now: Look) -> Iterator[Metric]:
    fields = {
        "waiting": "Runs that wait for a worker",
        "retrying": "Runs that wait for their next attempt",
        "running": "Runs that a worker holds, whose lease has not run out",
        "oldest_s": "How long the longest waiting run has waited",
        "is_paused": "1 while an operator has paused it",
    }
    names = {"oldest_s": "oldest_seconds", "is_paused": "paused"}
    for field, words in fields.items():
        family = GaugeMetricFamily(
            f"tasks_queue_{names.get(field, field)}", words, labels=["queue"]
        )
        for queue_name, queue in now.queues.items():
            family.add_metric([queue_name], float(getattr(queue, field)))
        yield family


def _of_workers(now: Look) -> Iterator[Metric]:
    taking = GaugeMetricFamily(
        "tasks_workers_up", "Worker processes that take from a queue", labels=["queue"]
    )
    slots = GaugeMetricFamily(
        "tasks_worker_slots", "Runs that these workers can work on at once", labels=["queue"]
    )
    for name in queues.names():
        up = [worker for worker in now.workers if name in worker.queues]
        taking.add_metric([name], len(up))
        slots.add_metric([name], sum(worker.concurrency for worker in up))
    yield taking
    yield slots
    yield GaugeMetricFamily(
        "tasks_lease_overdue", "Runs whose worker has stopped renewing its lease", now.overdue
    )
    yield GaugeMetricFamily(
        "tasks_lease_overdue_seconds",
        "How long the most overdue of them has been overdue",
        now.overdue_s,
    )
    if tallies.SWEEPS in now.last:
        yield GaugeMetricFamily(
            "tasks_reconciler_age_seconds",
            "Since a reconciler last recorded a sweep, which it does every five seconds",
            _age_s(now.last[tallies.SWEEPS]),
        )


def _of_runs(now: Look) -> Iterator[Metric]:
    finished = CounterMetricFamily("tasks_finished", "Runs that ended", labels=["kind", "state"])
    retries = CounterMetricFamily("tasks_retries", "Attempts after the first", labels=["kind"])
    fenced = CounterMetricFamily(
        "tasks_fenced", "Attempts that found the run no longer their own", labels=["kind"]
    )
    wait = HistogramMetricFamily("tasks_wait_seconds", "From queued to started", labels=["kind"])
    run = HistogramMetricFamily("tasks_run_seconds", "From started to finished", labels=["kind"])
    for kind in sorted(each.name for each in kinds.every()):
        for state in sorted(FINAL):
            finished.add_metric([kind, state], now.totals[tallies.FINISHED, f"{kind} {state}"])
        retries.add_metric([kind], now.totals[tallies.RETRIES, kind])
        fenced.add_metric([kind], now.totals[tallies.FENCED, kind])
        _add_histogram(wait, kind, now.totals, tallies.WAIT)
        _add_histogram(run, kind, now.totals, tallies.RUN)
    moved = CounterMetricFamily(
        "tasks_reconciled", "Runs that the reconciler moved on", labels=["rule"]
    )
    for rule, label in RULES.items():
        moved.add_metric([label], now.totals[tallies.RECONCILED, rule])
    yield from (finished, retries, fenced, wait, run, moved)
    yield CounterMetricFamily(
        "tasks_reconciler_sweeps", "Sweeps of all reconcilers", now.totals[tallies.SWEEPS, ""]
    )


def _add_histogram(
    family: HistogramMetricFamily, kind: str, totals: tallies.Totals, name: str
) -> None:
    bounds = [*(str(bound) for bound in tallies.BUCKETS_S), "+Inf"]
    counts = [totals[name, f"{kind} {number}"] for number in range(len(bounds))]
    buckets = [(bound, sum(counts[: number + 1])) for number, bound in enumerate(bounds)]
    family.add_metric([kind], buckets=buckets, sum_value=totals[f"{name}_s", kind])


def _queues() -> dict[str, QueueNow]:
    """The queues that are consumed; runs in other queues are left out."""
    found = {name: QueueNow() for name in queues.names()}
    is_due = Q(state=State.PENDING) & (Q(next_retry_at=None) | Q(next_retry_at__lte=Now()))
    waits = TaskRun.objects.filter(state__in=[State.PENDING, State.RETRY]).order_by()
    for row in waits.values("queue").annotate(
        waiting=Count("pk", filter=is_due),
        retrying=Count("pk", filter=Q(state=State.RETRY)),
        oldest=Min("queued_at", filter=is_due),
    ):
        if queue := found.get(row["queue"]):
            queue.waiting, queue.retrying = row["waiting"], row["retrying"]
            queue.oldest_s = _age_s(row["oldest"])
    held = TaskRun.objects.held().filter(lease_until__gt=Now()).order_by().values_list("queue")
    for name, running in held.annotate(running=Count("pk")):
        if queue := found.get(name):
            queue.running = running
    for name in PausedQueue.objects.values_list("name", flat=True):
        if queue := found.get(name):
            queue.is_paused = True
    return found


def _age_s(at: datetime | None) -> float:
    return max(0.0, (timezone.now() - at).total_seconds()) if at else 0.0
