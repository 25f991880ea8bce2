"""A run's findings and how a change affects them: the one document that every format is written
from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SEVERITIES = ("critical", "high", "medium", "low", "info")
FIGURES = {
    "monthly_cost": ("cost", "Cost"),
    "energy": ("sustainability", "Energy"),
    "carbon": ("sustainability", "Carbon"),
}
"""Figures that a change is weighed by: the agent that gives each, and its label."""

UNSUPPORTED = "Unsupported file type."
OPTIONS = "Options of the infra-mind command line"
SEARCHED = " It was only searched for secrets."
"""How the server begins and ends what it says of a file of no use to it."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """``line`` is 1-based, 0 if there is none. ``accepted`` is the reason why it fails no gate:
    muted on the server, in the baseline, or an ignored rule; otherwise empty."""

    id: str
    fingerprint: str
    agent: str
    rule: str
    severity: str
    title: str
    scope: str
    resource: str
    file: str
    line: int
    shown: str
    remediation: str
    url: str
    accepted: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any], *, url: str, accepted: str) -> Finding:
        evidence = row.get("evidence") or {}
        same = ("id", "fingerprint", "agent", "rule", "severity", "title", "scope", "resource")
        return cls(
            **{name: row[name] for name in same},
            file=row["file"],
            line=evidence.get("line") or row["line_start"],
            shown=evidence.get("text", ""),
            remediation=row["detail"].get("remediation") or "",
            url=f"{url}/findings/{row['id']}/",
            accepted=accepted,
        )

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.file and self.line else self.file or self.resource


@dataclass(frozen=True, kw_only=True)
class Change:
    """A figure or a score now and before. None is "not assessed"; ``note`` says why, or that the
    figure is a lower bound."""

    key: str
    label: str
    unit: str
    now: float | None
    before: float | None = None
    note: str = ""

    @property
    def difference(self) -> float | None:
        if self.now is None or self.before is None:
            return None
        return round(self.now - self.before, 6)


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A file or an agent that delivered less than it should have."""

    path: str
    reason: str
    line: int | None = None

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, kw_only=True)
class NotAssessed:
    """Files of a tool whose programs are not run, and what to upload instead."""

    reason: str
    paths: list[str]

    @property
    def places(self) -> str:
        more = len(self.paths) - 1
        return f"{self.paths[0]} and {more} more" if more else self.paths[0]


@dataclass(frozen=True, kw_only=True)
class Gate:
    """``passed`` is None if the figure it checks was not assessed."""

    name: str
    passed: bool | None
    message: str


@dataclass(kw_only=True)
class Review:
    """Without a base every finding is in ``new``. ``base`` names what the change is compared with.
    ``unchecked`` are gone, but their file was not read or their agent did not answer, so whether
    they are fixed is unknown."""

    assessment: str
    assessment_id: str
    run: int
    url: str
    base: str = ""
    new: list[Finding] = field(default_factory=list)
    persisting: list[Finding] = field(default_factory=list)
    fixed: list[Finding] = field(default_factory=list)
    unchecked: list[Finding] = field(default_factory=list)
    accepted: list[Finding] = field(default_factory=list)
    scores: list[Change] = field(default_factory=list)
    figures: list[Change] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    not_assessed: list[NotAssessed] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)
    scopes: dict[str, str] = field(default_factory=dict)

    @property
    def findings(self) -> list[Finding]:
        """Current findings that are not accepted, most severe first."""
        return sorted([*self.new, *self.persisting], key=_order)

    def figure(self, key: str) -> Change | None:
        return next((each for each in self.figures if each.key == key), None)

    @property
    def exit_status(self) -> int:
        """0: passed; 1: a gate failed; 2: something that should have been read was not, or a gate
        could not be applied. A failed gate takes precedence, because it is certain."""
        if any(gate.passed is False for gate in self.gates):
            return 1
        return 2 if self.unread or any(gate.passed is None for gate in self.gates) else 0


def count_words(findings: Iterable[Finding]) -> str:
    """``2 critical, 1 low``; empty if there are none."""
    levels = [each.severity for each in findings]
    return ", ".join(f"{levels.count(level)} {level}" for level in SEVERITIES if level in levels)


def sort(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=_order)


def scores_of(run: Mapping[str, Any], base: Mapping[str, Any] | None) -> list[Change]:
    """Of each agent, 0 to 100."""
    before = {each["agent"]: each["score"] for each in base["agents"]} if base else {}
    return [
        Change(
            key=each["agent"],
            label=f"{each['agent'].capitalize()} score",
            unit="of 100",
            now=each["score"],
            before=before.get(each["agent"]),
            note="" if each["score"] is not None else f"none. {_why_not(each)}",
        )
        for each in run["agents"]
    ]


def figures_of(run: Mapping[str, Any], base: Mapping[str, Any] | None) -> list[Change]:
    """Cost, energy and carbon of the run, next to the base's."""
    return [_figure(key, run, base) for key in FIGURES]


def unread_of(run: Mapping[str, Any]) -> list[Unread]:
    """Every file of an assessed kind that was not read in full, and every agent that failed."""
    files = [
        Unread(path=row["path"], line=row.get("line"), reason=row.get("reason") or row["status"])
        for row in run["coverage"]
        if row["status"] != "read" and row["kind"] != "unknown"
    ]
    others = [
        Unread(path=reason["code"], reason=reason["message"])
        for reason in run["needs_attention"]
        if not reason["files"]
    ]
    return [*files, *others]


def not_assessed_of(run: Mapping[str, Any]) -> list[NotAssessed]:
    """Files of a kind that is not assessed, by what the server advises; those without advice, such
    as source code, are left out."""
    found: dict[str, list[str]] = {}
    for row in run["coverage"]:
        reason = str(row.get("reason") or "").removesuffix(SEARCHED)
        if row["kind"] == "unknown" and reason and not reason.startswith((UNSUPPORTED, OPTIONS)):
            found.setdefault(reason.strip(), []).append(row["path"])
    return [NotAssessed(reason=reason, paths=paths) for reason, paths in found.items()]


def _figure(key: str, run: Mapping[str, Any], base: Mapping[str, Any] | None) -> Change:
    agent, label = FIGURES[key]
    now, before = _value(run, agent, key), _value(base, agent, key) if base else {}
    answer: dict[str, Any] = next((a for a in run["agents"] if a["agent"] == agent), {})
    unpriced = _value(run, agent, "unpriced").get("value") or 0
    note = _why_not(answer) if not now else ""
    if key == "monthly_cost" and now and unpriced:
        note = f"at least: {unpriced} without a known price"
    return Change(
        key=key,
        label=label,
        unit=now.get("unit") or before.get("unit") or "",
        now=now.get("value"),
        before=before.get("value"),
        note=note,
    )


def _value(run: Mapping[str, Any], agent: str, key: str) -> dict[str, Any]:
    for answer in run["agents"]:
        if answer["agent"] == agent:
            return next((each for each in answer["figures"] if each["key"] == key), {})
    return {}


def _why_not(answer: Mapping[str, Any]) -> str:
    return answer.get("reason") or answer.get("summary") or answer.get("status") or ""


def _order(finding: Finding) -> tuple[int, str, int, str]:
    return (SEVERITIES.index(finding.severity), finding.file, finding.line, finding.rule)
