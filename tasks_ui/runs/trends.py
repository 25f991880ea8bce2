"""What happened over the last hour, day and week, for the operators' charts.

Reading a week of runs would take longer the busier the service is. So the reconciler counts what
finished more than ``FOLD_AFTER`` ago into slots of time, each run once, and notes how much waits; a
look adds the runs that finished since. Each range has slots of its own, which are deleted when they
leave it: the table holds some ten thousand rows, whatever the load.

============  ===========  =========================================================================
``name``      ``label``    ``value``
============  ===========  =========================================================================
``finished``  kind state   runs
``retries``   kind         attempts after a run's first
``wait``      kind number  runs that waited so long for a worker; the number is a bucket's
``run``       kind number  runs that took so long from start to finish
``waiting``   queue        the most that waited at once, of what was seen every ``SAMPLE_EVERY_S``
============  ===========  =========================================================================

Buckets grow by a factor of ``GROWTH``, so that a percentile is right to within 5 percent.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Sum
from django.utils import timezone

from tasks_ui.models import FINAL, State, Tally, TaskRun, TimeSlot
from tasks_ui.runs import queues
from tasks_ui.runs.tallies import FINISHED, FOLD_AFTER, RETRIES, RUN, WAIT

WAITING, MARK = "waiting", "slots"
SAMPLE_EVERY_S = 15.0
STEP = timedelta(days=1)
"""What one transaction counts at most, of the past that a new installation finds."""
BEHIND_AFTER = FOLD_AFTER + timedelta(minutes=5)
LEAST_S, GROWTH = 0.01, 1.1


@dataclass(frozen=True, kw_only=True)
class Range:
    """``slots`` slots of ``slot_s`` seconds; ``words`` complete "in the last"."""

    key: str
    words: str
    slot_s: int
    slots: int

    @property
    def span(self) -> timedelta:
        return timedelta(seconds=self.slot_s * self.slots)

    def slot_of(self, at: datetime) -> datetime:
        """The beginning of the slot in which ``at`` lies."""
        return datetime.fromtimestamp(at.timestamp() // self.slot_s * self.slot_s, UTC)

    def times(self, now: datetime) -> list[datetime]:
        """The beginnings of all slots, the last of which is the present one."""
        last, step = self.slot_of(now), timedelta(seconds=self.slot_s)
        return [last - step * back for back in reversed(range(self.slots))]


RANGES = {
    each.key: each
    for each in (
        Range(key="1h", words="hour", slot_s=60, slots=60),
        Range(key="24h", words="24 hours", slot_s=900, slots=96),
        Range(key="7d", words="7 days", slot_s=7200, slots=84),
    )
}

type Rows = Iterator[tuple[datetime, str, str, float]]
"""Slot, name, label, value."""


@dataclass(kw_only=True)
class Trend:
    """A range up to ``now``. ``states``, ``kinds_at`` and ``waiting`` are by slot; a slot without a
    sample of what waits is missing. ``is_behind``: no reconciler has counted lately, so runs may be
    missing."""

    range: Range
    now: datetime
    times: list[datetime]
    states: dict[datetime, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    kinds_at: dict[datetime, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    kinds: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    retries: Counter[str] = field(default_factory=Counter)
    waits: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    runs: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    waiting: dict[str, dict[datetime, int]] = field(default_factory=lambda: defaultdict(dict))
    is_behind: bool = False


BUCKET = "CASE WHEN {0} <= %(least)s THEN 0 ELSE ceil(ln({0} / %(least)s) / ln(%(growth)s)) END"
COUNTED = f"""
WITH ended AS (
    SELECT date_bin(%(slot)s::interval, finished_at, 'epoch'::timestamptz) AS at, kind, state,
        {BUCKET.format("extract(epoch FROM started_at - queued_at)::float8")}::int AS wait,
        {BUCKET.format("extract(epoch FROM finished_at - started_at)::float8")}::int AS run,
        count(*) AS runs, sum(greatest(attempt - 1, 0)) AS retries
    FROM {TaskRun._meta.db_table} WHERE finished_at >= %(since)s AND finished_at < %(until)s
    GROUP BY 1, 2, 3, 4, 5
)
SELECT at, name, label, sum(value)::float8 FROM ended, LATERAL (VALUES
    ('{FINISHED}', kind || ' ' || state, runs), ('{RETRIES}', kind, retries),
    ('{WAIT}', kind || ' ' || wait, runs), ('{RUN}', kind || ' ' || run, runs)
) AS counted (name, label, value)
WHERE label IS NOT NULL AND value > 0 GROUP BY 1, 2, 3
"""  # noqa: S608  (names from the model and from here)
TABLE = TimeSlot._meta.db_table
ADD = f"""
INSERT INTO {TABLE} (slot_s, at, name, label, value)
SELECT %(slot_s)s, counted.* FROM ({COUNTED}) AS counted
ON CONFLICT (slot_s, name, at, label) DO UPDATE SET value = {TABLE}.value + excluded.value
"""  # noqa: S608  (names from the model and from here)
NOTE = f"""
INSERT INTO {TABLE} (slot_s, at, name, label, value) VALUES (%s, %s, '{WAITING}', %s, %s)
ON CONFLICT (slot_s, name, at, label) DO UPDATE
SET value = greatest({TABLE}.value, excluded.value)
"""  # noqa: S608  (names from the model and from here)


def read(chosen: Range) -> Trend:
    """Four queries, over a thousandth of the runs."""
    now = timezone.now()
    times = chosen.times(now)
    trend = Trend(range=chosen, now=now, times=times)
    mark = Tally.objects.filter(name=MARK).values_list("at", flat=True).first()
    trend.is_behind = mark is None or now - mark > BEHIND_AFTER
    counted_until = max(times[0], mark or now - BEHIND_AFTER)
    found = TimeSlot.objects.filter(slot_s=chosen.slot_s, at__gte=times[0])
    by_time = found.filter(name__in=[FINISHED, WAITING])
    for row in by_time.values_list("at", "name", "label", "value"):
        _take(trend, *row)
    summed = found.filter(name__in=[RETRIES, WAIT, RUN]).order_by().values_list("name", "label")
    for name, label, value in summed.annotate(Sum("value")):
        _take(trend, times[0], name, label, value)
    until = min(now, counted_until + BEHIND_AFTER)
    for row in _counted(chosen, since=counted_until, until=until):
        _take(trend, *row)
    return trend


def percentile(counts: Counter[int], share: float) -> float | None:
    """Seconds within which ``share`` (0..1) of the runs were; None of no runs. Within 5 percent,
    and for less than ``LEAST_S`` that bound."""
    place = ceil(share * counts.total())
    for number in sorted(counts):
        place -= counts[number]
        if place <= 0:
            return LEAST_S * GROWTH ** (number - 0.5) if number else LEAST_S
    return None


def fold() -> None:
    """Count what finished since the last time, until ``FOLD_AFTER`` ago, and delete slots that left
    their range."""
    now = timezone.now()
    while _fold_step(now):
        pass
    for each in RANGES.values():
        TimeSlot.objects.filter(slot_s=each.slot_s, at__lt=each.times(now)[0]).delete()


def sample() -> None:
    """Note how many runs wait in each queue."""
    waiting = dict.fromkeys(queues.names(), 0)
    waits = TaskRun.objects.filter(state=State.PENDING).order_by().values_list("queue")
    waiting |= dict(waits.annotate(Count("pk")))
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.executemany(
            NOTE,
            [
                (each.slot_s, each.slot_of(now), queue, count)
                for each in RANGES.values()
                for queue, count in sorted(waiting.items())
            ],
        )


def _fold_step(now: datetime) -> bool:
    """False where nothing is left to count, or another process is at it."""
    begins = {key: each.times(now)[0] for key, each in RANGES.items()}
    until = now - FOLD_AFTER
    Tally.objects.get_or_create(name=MARK, defaults={"at": min(begins.values())})
    with transaction.atomic():
        mark = Tally.objects.select_for_update(skip_locked=True).filter(name=MARK).first()
        if mark is None or mark.at >= until:
            return False
        since = max(mark.at, min(begins.values()))
        mark.at = min(since + STEP, until)
        for key, each in RANGES.items():
            values = _values(each, since=max(since, begins[key]), until=mark.at)
            with connection.cursor() as cursor:
                cursor.execute(ADD, values)
        mark.save(update_fields=["at"])
    return True


def _counted(chosen: Range, *, since: datetime, until: datetime) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, _values(chosen, since=since, until=until))
        yield from cursor.fetchall()


def _values(chosen: Range, *, since: datetime, until: datetime) -> dict[str, Any]:
    return {
        "slot_s": chosen.slot_s,
        "slot": timedelta(seconds=chosen.slot_s),
        "since": since,
        "until": until,
        "least": LEAST_S,
        "growth": GROWTH,
    }


def _take(trend: Trend, at: datetime, name: str, label: str, value: float) -> None:
    kind, _, rest = label.rpartition(" ")
    count = int(value)
    match name:
        case "waiting":
            trend.waiting[label][at] = count
        case "retries":
            trend.retries[label] += count
        case "finished" if rest in FINAL:
            trend.kinds[kind][rest] += count
            trend.states[at][rest] += count
            trend.kinds_at[at][kind] += count
        case "wait":
            trend.waits[kind][int(rest)] += count
        case "run":
            trend.runs[kind][int(rest)] += count
