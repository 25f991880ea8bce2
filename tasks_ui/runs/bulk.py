"""Applies one action to any number of runs, in bounded batches and bounded time."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet

    from tasks_ui.models import TaskRun

BATCH = 100
PATIENCE_S = 20.0
"""A request is to end before any proxy gives up on it; what is left is done by asking again."""


class Refused(Exception):
    """The action was not applied to a run; the message says why, in words that fit many runs."""


@dataclass
class Done:
    """``refused`` counts runs by reason; ``left`` is how many matched but were not reached in
    time."""

    count: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    left: int = 0


def each(
    runs: QuerySet[TaskRun], act: Callable[[TaskRun], None], *, patience_s: float = PATIENCE_S
) -> Done:
    """Apply ``act`` to all runs that match now, oldest first; runs that it creates are not among
    them.

    ``act`` commits its own work and raises Refused if it can't be done.
    """
    done = Done()
    give_up_at = time.monotonic() + patience_s
    newest = runs.order_by("-pk").values_list("pk", flat=True).first()
    if newest is None:
        return done
    rest = matching = runs.order_by("pk").filter(pk__lte=newest)
    while batch := list(rest[:BATCH]):
        for run in batch:
            if time.monotonic() > give_up_at:
                done.left = matching.filter(pk__gte=run.pk).count()
                return done
            try:
                act(run)
                done.count += 1
            except Refused as refused:
                done.refused[str(refused)] += 1
        rest = matching.filter(pk__gt=batch[-1].pk)
    return done
