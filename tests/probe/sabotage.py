"""What a storm enables in the application's processes, through their environment: a ledger of
refusals, skipped publishes, and, to prove that the storm would notice, one safeguard removed.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction as database
from django.db.models import F
from django.db.models.functions import Now

from tasks_ui import reconciler
from tasks_ui.models import State, TaskRun
from tasks_ui.runs import dispatch, transitions
from tasks_ui.worker import execute, watch, work

executing: Any = execute  # the modules whose names are replaced here
watching: Any = watch
watched: Any = work


def install() -> None:
    """Do what this process's environment asks for; nothing if it asks for nothing."""
    if path := os.environ.get("PROBE_LEDGER"):
        count_refusals(path)
    if share := float(os.environ.get("PROBE_SKIP_PUBLISH", "0")):
        skip_publishes(share)
    if cure := os.environ.get("PROBE_SABOTAGE"):
        CURES[cure]()


def count_refusals(path: str) -> None:
    """Write a line for each message that no claim followed, and for each writer whose write was
    refused."""
    claim, move = executing.claim, executing.transition

    def counted_claim(run_id: Any, **options: Any) -> Any:
        run = claim(run_id, **options)
        if run is None:
            _note(path, f"refused {run_id}")
        return run

    def counted_transition(run: TaskRun, to: State, **options: Any) -> Any:
        moved = move(run, to, **options)
        if moved is None:
            _note(path, f"fenced {run.pk} {options.get('attempt')}")
        return moved

    def counted_stop(work: Any, reason: type[Exception]) -> None:
        if reason is transitions.Fenced:
            _note(path, f"fenced {work.run.pk} {work.attempt}")
        stop(work, reason)

    stop = watched.Work.stop
    executing.claim, executing.transition = counted_claim, counted_transition
    watched.Work.stop = counted_stop


def skip_publishes(share: float) -> None:
    """Report some messages as accepted by the broker, and send nothing, as a broker that loses them
    would."""
    send, chance = dispatch.send, random.Random()

    def careless(run_id: Any, **options: Any) -> bool:
        return True if chance.random() < share else send(run_id, **options)

    dispatch.send = careless


def without_fence() -> None:
    """A worker may write its success regardless of who holds the run now, and of its state."""
    move = executing.transition

    def unfenced(run: TaskRun, to: State, *, attempt: int | None = None, **options: Any) -> Any:
        return move(run, to, **options)

    for state in State:
        transitions.NEXT[state] = transitions.NEXT[state] | {State.SUCCESS}
    executing.transition = unfenced
    watching._look = lambda work: None


def without_claim() -> None:
    """Each message starts its task, as with Celery alone."""

    def takes_all(run_id: Any, *, attempt: int, worker: str) -> TaskRun | None:
        lease = Now() + timedelta(seconds=settings.TASKS_LEASE_S)
        with database.atomic():
            TaskRun.objects.filter(pk=run_id).update(
                state=State.STARTED,
                attempt=F("attempt") + 1,
                worker=worker,
                lease_until=lease,
                finished_at=None,
            )
            run = TaskRun.objects.filter(pk=run_id).first()
            if run:
                transitions.emit(run, "task.started", transitions.state_data(run), attempt=None)
        return run

    executing.claim = takes_all


def without_reconciler() -> None:
    """The process exists, and does nothing."""
    reconciler.reconcile = lambda *, dry_run=False: Counter()


CURES = {"fence": without_fence, "claim": without_claim, "reconciler": without_reconciler}


def _note(path: str, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode() + b"\n")
    finally:
        os.close(descriptor)
