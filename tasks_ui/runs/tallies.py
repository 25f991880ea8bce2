"""Counts for the metrics that stay true across processes, restarts and the deletion of old runs.

How runs ended is in their rows, which are deleted eventually: a count of rows would fall, and
monitoring mistakes a falling counter for a restart. So the reconciler folds runs that finished more
than ``FOLD_AFTER`` ago into tallies, each run once, and the total is the tallies plus the rows that
finished since. This costs workers nothing.

====================  ==============  ========================================================
name                  label           value
====================  ==============  ========================================================
``finished``          kind state      runs
``retries``           kind            attempts after a run's first
``wait_s``, ``run_s`` kind            seconds from queued to started, from started to finished
``wait``, ``run``     kind number     runs whose seconds lie in that bucket of ``BUCKETS_S``
``fenced``            kind            attempts that found the run no longer their own
``reconciled``        rule            runs that the reconciler moved
``sweeps``                            sweeps of all reconcilers; ``at`` is when one was last seen
``folded``                            ``at`` is until when finished runs are in the tallies
====================  ==============  ========================================================
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from tasks_ui.models import Tally, TaskRun

FINISHED, RETRIES, WAIT, RUN = "finished", "retries", "wait", "run"
FENCED, RECONCILED, SWEEPS, FOLDED = "fenced", "reconciled", "sweeps", "folded"
FOLD_AFTER = timedelta(minutes=10)
"""Above the time that a transaction which ends a run may take to commit."""
BUCKETS_S = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Upper bounds of the histograms' buckets; one more bucket holds what took longer."""

type Totals = defaultdict[tuple[str, str], float]
"""Values by name and label."""

ADD = f"""
INSERT INTO {Tally._meta.db_table} (name, label, value, at)
VALUES (%s, %s, %s, statement_timestamp())
ON CONFLICT (name, label) DO UPDATE
SET value = {Tally._meta.db_table}.value + excluded.value, at = excluded.at
"""  # noqa: S608  (a name from the model)
FINISHED_BETWEEN = f"""
SELECT kind, state, width_bucket(wait_s, %s::float8[]), width_bucket(run_s, %s::float8[]),
    count(*), sum(greatest(attempt - 1, 0)), coalesce(sum(wait_s), 0), coalesce(sum(run_s), 0)
FROM (
    SELECT kind, state, attempt,
        greatest(0, extract(epoch FROM started_at - queued_at))::float8 AS wait_s,
        greatest(0, extract(epoch FROM finished_at - started_at))::float8 AS run_s
    FROM {TaskRun._meta.db_table} WHERE finished_at >= %s AND finished_at < %s
) AS ended GROUP BY 1, 2, 3, 4
"""  # noqa: S608  (a name from the model)


def add(name: str, label: str = "", value: float = 1) -> None:
    """Add ``value`` to the count of ``name``, across all processes."""
    with connection.cursor() as cursor:
        cursor.execute(ADD, [name, label, value])


def totals() -> tuple[Totals, dict[str, datetime]]:
    """All counts as they are now, and when each name was last added to."""
    last: dict[str, datetime] = {}
    tallied = list(Tally.objects.all())
    for tally in tallied:
        last[tally.name] = max(tally.at, last.get(tally.name, tally.at))
    found = _finished(since=last.get(FOLDED), until=None)
    for tally in tallied:
        found[tally.name, tally.label] += tally.value
    return found, last


def fold() -> bool:
    """Fold runs that finished long enough ago into the tallies. False if another process is doing
    so."""
    Tally.objects.get_or_create(name=FOLDED, defaults={"at": _beginning()})
    with transaction.atomic():
        mark = Tally.objects.select_for_update(skip_locked=True).filter(name=FOLDED).first()
        if mark is None:
            return False
        until = max(mark.at, timezone.now() - FOLD_AFTER)
        for (name, label), value in sorted(_finished(since=mark.at, until=until).items()):
            add(name, label, value)
        mark.at = until
        mark.save(update_fields=["at"])
    return True


def _finished(*, since: datetime | None, until: datetime | None) -> Totals:
    """Counts of the runs that finished in a span of time."""
    bounds = list(BUCKETS_S)
    span = [since or _beginning(), until or timezone.now() + timedelta(days=1)]
    found: Totals = defaultdict(float)
    with connection.cursor() as cursor:
        cursor.execute(FINISHED_BETWEEN, [bounds, bounds, *span])
        for kind, state, wait, run, count, retries, wait_s, run_s in cursor.fetchall():
            found[FINISHED, f"{kind} {state}"] += count
            found[RETRIES, kind] += int(retries)
            if wait is not None:  # it was started
                found[WAIT, f"{kind} {wait}"] += count
                found[RUN, f"{kind} {run}"] += count
                found["wait_s", kind] += wait_s
                found["run_s", kind] += run_s
    return found


def _beginning() -> datetime:
    return datetime(2000, 1, 1, tzinfo=timezone.get_default_timezone())
