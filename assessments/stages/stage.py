"""What a stage is, and what several stages share: the run's files, its merged scan, and the
sandbox."""

from __future__ import annotations

import os
import zlib
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from django.conf import settings

from assessments.agents.types import Part
from assessments.diagram.build import diagram
from assessments.diagram.edges import edges_of
from assessments.models import (
    AssessmentRun,
    MergedScan,
    VersionFile,
    subject_of,
)
from assessments.scan.intake import InputFile
from assessments.scan.merge import ScanResult
from assessments.scan.own_rules import OwnRulesError, RuleText, read_rules
from assessments.scan.sandbox import Level, OpenSandbox, Sandbox
from assessments.scan.types import Message
from tasks_ui.models import TaskRun
from tasks_ui.worker.work import TaskFailed

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


def packed(message: Message) -> bytes:
    """A message as it is stored: JSON, deflated. Level 1: the scans of thousands of files shrink to
    a tenth, and packing one takes a fraction of a second."""
    return zlib.compress(message.to_json(), level=1)


def unpacked[T: Message](type: type[T], data: bytes) -> T:
    return type.from_json(zlib.decompress(data))


def packed_parts(scan: ScanResult) -> dict[str, bytes]:
    """The columns of ``MergedScan``, so that an agent loads only what it reads."""
    return {
        "checks": packed(ScanResult(checks=scan.checks)),
        "resources": packed(ScanResult(resources=scan.resources)),
        "about": packed(scan.replace(checks=[], resources=[])),
        "diagram": packed(diagram(scan.resources, edges_of(scan.resources), (), scan.scopes)),
    }


def merged(run: AssessmentRun, *, parts: Collection[str] = tuple(Part)) -> ScanResult:
    """The run's merged scan, with the ``parts`` asked for; the others are left empty.

    The last scan that this process read is kept: the agents of a run follow one another in the same
    workers, and each would read the same again.
    """
    scan = unpacked(ScanResult, _column(run.pk, "about"))
    columns = {part: getattr(unpacked_part(run.pk, part), part) for part in sorted(parts)}
    return scan.replace(**columns)


class _Checked(msgspec.Struct):
    outcome: str
    rule: str
    own_rule: str = ""


class _Checks(msgspec.Struct):
    checks: list[_Checked] = []


def outcomes(run: AssessmentRun) -> tuple[dict[str, int], Counter[tuple[str, str]]]:
    """How many of the merged scan's checks had which outcome, and how many of each of the server's
    own rules, by rule and outcome; read without the rest of them."""
    read = msgspec.json.decode(zlib.decompress(_column(run.pk, Part.CHECKS)), type=_Checks)
    own = Counter((check.rule, check.outcome) for check in read.checks if check.own_rule)
    return dict(Counter(check.outcome for check in read.checks)), own


def _column(run_id: UUID, name: str) -> bytes:
    return bytes(MergedScan.objects.values_list(name, flat=True).get(run=run_id))


@lru_cache(maxsize=2)
def unpacked_part(run_id: UUID, part: str) -> ScanResult:
    """A merged scan is never changed, so it may be kept; its values are immutable."""
    return unpacked(ScanResult, _column(run_id, part))


def sandbox() -> Sandbox:
    """Where engines run. The warm scanner ends with the worker that started it."""
    return Sandbox(
        scanner_python=Path(settings.SCANNER_PYTHON),
        lifeline_pid=os.getppid(),
        allow_open=settings.ALLOW_OPEN_SANDBOX,
        own_rules=own_rules(),
        kubernetes_version=settings.KUBERNETES_VERSION,
    )


def own_rules() -> tuple[RuleText, ...]:
    """The server's own rules. Raises TaskFailed if they can't be read: a scan without them would
    look as if they had passed."""
    if not settings.OWN_RULES:
        return ()
    try:
        return tuple(read_rules(Path(settings.OWN_RULES)))
    except OwnRulesError as error:
        words = "This server's own rules can't be used: manage.py check shows the operator why."
        raise TaskFailed(words, code="own_rules") from error


def confinement() -> Level:
    """The level that this worker's engines run at. Raises TaskFailed if they can't be sandboxed."""
    try:
        return sandbox().confinement()
    except OpenSandbox as error:
        raise TaskFailed(str(error), code="open_sandbox") from error


def inputs(run: AssessmentRun, *, paths: list[str] | None = None) -> list[InputFile]:
    """The files of the run's version as they were uploaded, all or those of ``paths``."""
    rows = VersionFile.objects.filter(version=run.version_id).select_related("blob")
    return [
        InputFile(
            path=row.path,
            content=bytes(row.blob.content),
            sha256=row.blob.sha256,
            size=row.blob.size,
        )
        for row in (rows if paths is None else rows.filter(path__in=paths))
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
