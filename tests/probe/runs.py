"""Queuing probes."""

from __future__ import annotations

from typing import Any

from assessments.models import subject_of
from tasks_ui import kinds
from tasks_ui.models import TaskRun
from tasks_ui.runs.transitions import create_run
from tests.probe.models import Job


def queue_probe(
    *,
    owner: Any,
    duration_s: float = 0,
    manner: str = "ok",
    children: int = 0,
    kind: str = "probe",
    **fields: Any,
) -> TaskRun:
    job = Job.objects.create(duration_s=duration_s, manner=manner, children=children)
    fields = {"queue": kinds.get(kind).queue, "title": f"{kind} {manner}", **fields}
    return create_run(owner=owner, kind=kind, **subject_of(job), **fields)


def queue_noop(*, owner: Any) -> TaskRun:
    """A run that does nothing, as benchmarks need it: not even a job of its own."""
    return create_run(owner=owner, kind="noop", queue="default", title="no-op")
