"""Queues probes."""

from __future__ import annotations

from typing import Any, Unpack

from assessments.models import subject_of
from tasks_ui import kinds
from tasks_ui.models import TaskRun
from tasks_ui.runs.fields import RunOptions
from tasks_ui.runs.transitions import create_run
from tests.probe.models import Job


def queue_probe(
    *,
    owner: Any,
    duration_s: float = 0,
    manner: str = "ok",
    children: int = 0,
    kind: str = "probe",
    **options: Unpack[RunOptions],
) -> TaskRun:
    job = Job.objects.create(duration_s=duration_s, manner=manner, children=children)
    fields: RunOptions = {
        "queue": kinds.get(kind).queue,
        "title": f"{kind} {manner}",
        **subject_of(job),
        **options,
    }
    return create_run(owner=owner, kind=kind, **fields)


def queue_noop(*, owner: Any) -> TaskRun:
    """A run that does nothing, as benchmarks need it: not even a job of its own."""
    return create_run(owner=owner, kind="noop", queue="default", title="no-op")
