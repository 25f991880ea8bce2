"""The contract of an agent: plain Python in, plain Python out. No Django, Celery or Channels in
this package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

import msgspec

from assessments.requirements import Requirements
from assessments.scan.types import CheckResult, CodeLine, FileCoverage, Message, Resource, Scope

OnProgress = Callable[[int, int, str], None]
"""``on_progress(done, total, message)``: finished work units, known work units, what is being done
now."""


class Severity(IntEnum):
    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


class SeverityOrigin(StrEnum):
    """Where a severity comes from; shown beside it."""

    CROSSWALK = "crosswalk"
    ENGINE = "engine"
    CATEGORY = "category"
    FORMULA = "formula"


class AgentStatus(StrEnum):
    ASSESSED = "assessed"
    NOT_ASSESSED = "not_assessed"


class Part(StrEnum):
    """The parts of a scan that an agent can ask for."""

    CHECKS = "checks"
    RESOURCES = "resources"


class AgentInput(Message, frozen=True, kw_only=True, omit_defaults=True):
    """All that an agent may read: the parts of the merged scan it asked for, and the person's
    requirements."""

    scopes: list[Scope] = []
    checks: list[CheckResult] = []
    resources: list[Resource] = []
    coverage: list[FileCoverage] = []
    requirements: Requirements = msgspec.field(default_factory=Requirements)


class Figure(Message, frozen=True, kw_only=True):
    """One number with its source. ``source`` names the file and line, the data set with its date,
    or the formula with its inputs; it is never empty."""

    key: str
    label: str
    value: float | int | str
    unit: str = ""
    source: str


class Table(Message, frozen=True, kw_only=True):
    """Rows behind a chart or a list. ``source`` holds for every cell; ``units`` has one entry per
    column."""

    key: str
    title: str
    columns: list[str]
    units: list[str]
    rows: list[list[Any]]
    source: str


class AgentFinding(Message, frozen=True, kw_only=True):
    """One thing to mend, with its evidence.

    ``fingerprint_key`` identifies the finding across runs and moved lines: it must not contain a
    line number. ``monthly_saving_usd`` is set by the cost agent alone.
    """

    rule: str
    scope: str = ""
    title: str
    severity: Severity
    severity_origin: SeverityOrigin
    resource: str = ""
    resource_type: str = ""
    file: str = ""
    line_start: int = 0
    line_end: int = 0
    expected: str = ""
    actual: str = ""
    why: str = ""
    remediation: str = ""
    code_example: str = ""
    references: list[str] = []
    frameworks: list[str] = []
    evidence: list[CodeLine] = []
    fingerprint_key: str
    monthly_saving_usd: float | None = None


class AgentResult(Message, frozen=True, kw_only=True):
    """What an agent answers.

    ``status`` NOT_ASSESSED has no score, no figure and no finding; ``reason`` says why in one
    sentence and ``missing`` names the fields of ``Requirements`` that would help. ``score`` is
    0..100; ``score_formula`` spells out how it was made, with its inputs.
    """

    status: AgentStatus
    reason: str = ""
    missing: list[str] = []
    score: int | None = None
    score_formula: str = ""
    summary: str = ""
    figures: list[Figure] = []
    tables: list[Table] = []
    findings: list[AgentFinding] = []


@dataclass(frozen=True, kw_only=True)
class Agent:
    """One entry of the registry ``assessments.agents.AGENTS``.

    ``reads`` names the parts of the scan it needs; the others are left empty in its input.

    ``run(data, on_progress)`` is deterministic: the same input gives equal output, in the same
    order. It calls ``on_progress`` after every unit of work (a check, a resource, a requirement),
    never sleeps, and lets the exception that ``on_progress`` may raise (a cancelled run) pass
    through.
    """

    name: str
    label: str
    run: Callable[[AgentInput, OnProgress], AgentResult]
    reads: frozenset[Part]
