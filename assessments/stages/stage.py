"""What a stage is, and what several stages share: the run's files, its merged scan, and the
sandbox."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import JSONField, TextField, Value
from django.db.models.functions import Cast

from assessments.models import (
    AssessmentRun,
    MergedScan,
    subject_of,
)
from assessments.scan.intake import InputFile
from assessments.scan.merge import ScanResult
from assessments.scan.sandbox import Sandbox
from assessments.scan.types import Message
from tasks_ui.models import TaskRun

if TYPE_CHECKING:
    from django.db.models import Model

    from tasks_ui.kinds import TaskKind


def no_facts(run: AssessmentRun) -> dict[str, Any]:
    return {}


def nothing(run: AssessmentRun) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """``weight`` is the stage's percent of the whole, published in the UI.

    ``prepare`` runs before the stage and may be repeated; ``make`` gives the unsaved children;
    ``facts`` is what the event of the stage's end tells.
    """

    name: str
    label: str
    weight: int
    waiting: str
    make: Callable[[AssessmentRun], list[TaskRun]]
    facts: Callable[[AssessmentRun], dict[str, Any]] = field(default=no_facts)
    prepare: Callable[[AssessmentRun], None] = field(default=nothing)
    must_succeed: bool = False


def as_json(message: Message) -> Cast:
    """A message as a JSON column takes it, by way of text: scans of thousands of files are too
    large to be dictionaries in between. What is at its default is left out."""
    return Cast(Value(message.model_dump_json(exclude_defaults=True)), JSONField())


def merged(run: AssessmentRun) -> ScanResult:
    text = (
        MergedScan.objects.annotate(text=Cast("data", TextField()))
        .values_list("text", flat=True)
        .get(run=run)
    )
    return ScanResult.model_validate_json(text)


def sandbox() -> Sandbox:
    """Where engines run. The warm scanner ends with the worker that started it."""
    return Sandbox(scanner_python=Path(settings.SCANNER_PYTHON), lifeline_pid=os.getppid())


def inputs(run: AssessmentRun, *, paths: list[str] | None = None) -> list[InputFile]:
    """The run's files as they were uploaded, all or those of ``paths``."""
    rows = (
        run.assessment.files.all() if paths is None else run.assessment.files.filter(path__in=paths)
    )
    return [
        InputFile(path=row.path, content=bytes(row.content), sha256=row.sha256, size=row.size)
        for row in rows
    ]


def child(kind: TaskKind, title: str, *, weight: float, subject: Model) -> TaskRun:
    """An unsaved child run. ``weight`` is its percent of the whole assessment."""
    return TaskRun(
        kind=kind.name,
        queue=kind.queue,
        title=title[:200],
        weight=weight,
        max_attempts=settings.TASKS_MAX_ATTEMPTS,
        **subject_of(subject),
    )
