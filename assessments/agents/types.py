"""The contract of an agent: plain Python in, plain Python out. No Django, Celery or Channels in
this package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

import msgspec

from assessments.agents.price_book.prices import OwnPrice
from assessments.requirements import Requirements
from assessments.scan.types import (
    CheckResult,
    CodeLine,
    FileCoverage,
    FileKind,
    Message,
    OwnRule,
    Resource,
    Scope,
)

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
    OWN_RULE = "own_rule"


class AgentStatus(StrEnum):
    ASSESSED = "assessed"
    NOT_ASSESSED = "not_assessed"


class Part(StrEnum):
    """The parts of a scan that an agent can ask for."""

    CHECKS = "checks"
    RESOURCES = "resources"


AZURE_TEMPLATES = frozenset({FileKind.ARM, FileKind.BICEP})
"""Their resources are checked and listed, but not read for prices, energy and availability."""
PRICED_KINDS = frozenset(
    {
        FileKind.TERRAFORM,
        FileKind.TERRAFORM_VARS,
        FileKind.TERRAFORM_PLAN,
        FileKind.CLOUDFORMATION,
    }
)
"""Files that declare cloud resources."""
ASSESSED_KINDS = frozenset(FileKind) - {FileKind.UNKNOWN}


class AgentInput(Message, frozen=True, kw_only=True, omit_defaults=True):
    """All that an agent may read: the parts of the merged scan it asked for, the person's
    requirements, and, for the cost agent, the rows of the price books. ``own_rules`` are those of
    the server that the scan had."""

    scopes: list[Scope] = []
    checks: list[CheckResult] = []
    resources: list[Resource] = []
    coverage: list[FileCoverage] = []
    gaps: list[FileCoverage] = []
    requirements: Requirements = msgspec.field(default_factory=Requirements)
    prices: list[OwnPrice] = []
    own_rules: list[OwnRule] = []


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
    """One thing to fix, with its evidence.

    ``scope`` is the key of the scope it was found in. ``line`` is the one that shows the problem,
    ``shown`` what it says (``publicly_accessible = true``) or lacks (``http_tokens is not set``),
    and ``evidence`` holds it with a few lines around it. ``fingerprint_key`` identifies the finding
    across runs and moved lines: it must not contain a line number. ``monthly_saving_usd`` is set by
    the cost agent alone.
    """

    scope: str = ""
    rule: str
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
    line: int = 0
    shown: str = ""
    fingerprint_key: str
    monthly_saving_usd: float | None = None


class Share(Message, frozen=True, kw_only=True):
    """What a score is the share of: 100 x ``good`` / ``whole``, so that the scores of several
    scopes add up. ``unit`` names what both are counted in."""

    good: float
    whole: float
    unit: str


class ScopeAnswer(Message, frozen=True, kw_only=True):
    """An agent's answer about one scope (``scope``: its key). The fields are those of
    ``AgentResult``."""

    scope: str
    status: AgentStatus
    reason: str = ""
    missing: list[str] = []
    score: int | None = None
    score_formula: str = ""
    summary: str = ""
    figures: list[Figure] = []
    tables: list[Table] = []
    gaps: list[str] = []


class AgentResult(Message, frozen=True, kw_only=True):
    """An agent's answer.

    ``status`` NOT_ASSESSED has no score and no finding, and figures and tables only of what was
    left out; ``reason`` says why in one sentence and ``missing`` names the fields of
    ``Requirements`` that would help. ``score`` is 0..100; ``score_formula`` spells it out with its
    inputs, and ``share`` is what it is the share of (None where scores of several scopes can't be
    added).

    ``gaps`` names, in words, the files that it would have used and that were not read in full; no
    score of 100 stands beside them.

    ``scopes`` holds one answer per scope where there are several; the other fields are then the
    headline of them all.
    """

    status: AgentStatus
    reason: str = ""
    missing: list[str] = []
    score: int | None = None
    score_formula: str = ""
    share: Share | None = None
    summary: str = ""
    figures: list[Figure] = []
    tables: list[Table] = []
    findings: list[AgentFinding] = []
    gaps: list[str] = []
    scopes: list[ScopeAnswer] = []


@dataclass(frozen=True, kw_only=True)
class Headline:
    """How an agent's answers about several scopes become one for the run.

    Figures are named by key, ``*`` at the end for any ending. Those in ``summed`` are added up.
    Those in ``worst`` are taken from one scope, the worst: the one whose figure ``worst_by`` is
    lowest, or whose score is, where ``worst_by`` is empty. ``leading`` is the summed figure that
    the summary quotes by scope; without one it counts findings. Where the figure ``left_out`` is
    above 0 in any scope, that sum is a least. ``is_worst`` makes score and summary the worst
    scope's own.
    """

    summed: tuple[str, ...] = ()
    leading: str = ""
    left_out: str = ""
    worst: tuple[str, ...] = ()
    worst_by: str = ""
    is_worst: bool = False


@dataclass(frozen=True, kw_only=True)
class Agent:
    """One entry of the registry ``assessments.agents.AGENTS``.

    ``reads`` names the parts of the scan it needs; the others are left empty in its input.
    ``looks_at`` are the kinds of files whose content its answer rests on.

    ``run(data, on_progress)`` is deterministic: the same input gives equal output, in the same
    order. It calls ``on_progress`` after every unit of work (a check, a resource, a requirement),
    never sleeps, and lets the exception that ``on_progress`` may raise (a cancelled run) pass
    through. An agent's own module assesses one scope; the registry's ``run`` goes over all of them
    (``by_scope``).
    """

    name: str
    label: str
    run: Callable[[AgentInput, OnProgress], AgentResult]
    reads: frozenset[Part]
    looks_at: frozenset[FileKind]
    headline: Headline
