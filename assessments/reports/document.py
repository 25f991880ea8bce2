"""What a report says, as plain data: every format is written from this one document.

A number in it stands beside its ``source``, or beside the ``file`` whose line it is. ``about``
alone has none: it holds ids, times and what the person stated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assessments import recommending
from assessments.agents import AGENTS
from assessments.agents.datasets import USED_BY, header
from assessments.agents.types import AgentStatus, Severity
from assessments.models import AgentReport, Finding, FindingMute, Recommendation, Report
from assessments.muting import muted_count, mutes_of, severity_counts
from assessments.scan.types import CoverageStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ENDING = ("coverage", "data", "formulas")
SECTIONS: dict[str, Sequence[str]] = {
    Report.Kind.EXECUTIVE: ("summary", "agents", "recommendations", *_ENDING),
    Report.Kind.TECHNICAL: ("summary", "agents", "recommendations", "findings", *_ENDING),
    Report.Kind.COMPLIANCE: ("summary", "agents", "findings", *_ENDING),
    Report.Kind.COST: ("summary", "agents", "recommendations", "findings", *_ENDING),
    Report.Kind.FULL: ("summary", "agents", "recommendations", "findings", "resources", *_ENDING),
}
ONLY_AGENT = {Report.Kind.COMPLIANCE: "compliance", Report.Kind.COST: "cost"}
LISTS_OF_FINDINGS = {Report.Format.SARIF, Report.Format.CSV}
"""Formats that are nothing without findings: they get them in every kind of report."""
EXECUTIVE_RECOMMENDATIONS = 10


def build(report: Report, *, on_progress: Callable[[int, int, str], None]) -> dict[str, Any]:
    """The document: ``about`` and one entry per section of the report's kind. Units of work are the
    sections, and the writing that comes after."""
    run = report.run
    document: dict[str, Any] = {
        "about": {
            "assessment": run.assessment.name,
            "assessment_id": str(run.assessment_id),
            "run": run.number,
            "report_type": report.kind,
            "assessed_at": (
                run.finished_at.isoformat(timespec="seconds") if run.finished_at else None
            ),
            "requirements": run.requirements,
            "needs_attention": run.attention,
            "scopes": run.scopes,
        }
    }
    names = sections_of(report)
    for number, name in enumerate(names, start=1):
        document[name] = _BUILDERS[name](report)
        on_progress(number, len(names) + 1, f"Wrote {name}")
    return document


def sections_of(report: Report) -> list[str]:
    names = list(SECTIONS[report.kind])
    if report.format in LISTS_OF_FINDINGS and "findings" not in names:
        names.insert(names.index("coverage"), "findings")
    return names


# --- summary -----------------------------------------------------------------------------------


def _summary(report: Report) -> dict[str, Any]:
    """``figures``: counts over the whole run; ``comparison``: the same against the run before."""
    run = report.run
    checks = run.summary.get("checks", {})
    files = run.summary.get("coverage", {})
    figures = [
        *(
            _count(f"findings_{level}", f"{level.capitalize()} findings", n, "findings", _COUNTED)
            for level, n in severity_counts(run).items()
        ),
        _count(
            "findings_muted",
            "Muted findings",
            muted_count(run),
            "findings",
            "Findings that a person accepted",
        ),
        *(
            _count(
                f"checks_{outcome}", f"Checks {outcome}", checks.get(outcome, 0), "checks", _CHECKED
            )
            for outcome in ("passed", "failed", "suppressed")
        ),
        _count("resources", "Resources", run.summary.get("resources", 0), "resources", _MODELLED),
        *(
            _count(f"files_{status}", f"Files {words}", files.get(status, 0), "files", _COVERED)
            for status, words in COVERAGE_WORDS.items()
        ),
    ]
    return {"figures": figures, "comparison": _comparison(run.summary.get("comparison"))}


COVERAGE_WORDS = {
    CoverageStatus.READ: "read",
    CoverageStatus.PARTLY_READ: "read in part",
    CoverageStatus.FAILED: "that could not be read",
    CoverageStatus.NOT_ASSESSED: "not assessed",
}
_COUNTED = (
    "Findings of this run but the muted, each with its file and line; compliance tells the others'"
    " again and is not counted twice"
)
_CHECKED = "Rules of the engines against resources of the uploaded files, one by one"
_MODELLED = "Entries of the resource model, each declared at its file and line"
_COVERED = "Uploaded files by how far they were read; the coverage section names each"


def _count(key: str, label: str, value: int, unit: str, source: str) -> dict[str, Any]:
    return {"key": key, "label": label, "value": value, "unit": unit, "source": source}


def _comparison(settled: dict[str, int] | None) -> dict[str, Any] | None:
    if not settled:
        return None
    source = f"Fingerprints of this run's findings against those of run {settled['run']}"
    return {**settled, "source": source}


# --- agents ------------------------------------------------------------------------------------


def _agents(report: Report) -> list[dict[str, Any]]:
    return [_agent(answer, tables=_tables(answer, kind=report.kind)) for answer in _answers(report)]


def _tables(answer: AgentReport, *, kind: str) -> list[dict[str, Any]]:
    """An executive's report has none; a technical one not each requirement of each framework."""
    if kind == Report.Kind.EXECUTIVE:
        return []
    if kind == Report.Kind.TECHNICAL and answer.agent == "compliance":
        return [table for table in answer.tables if table["key"] == "compliance_overview"]
    return list(answer.tables)


def _agent(answer: AgentReport, *, tables: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "agent": answer.agent,
        "label": AGENTS[answer.agent].label,
        "status": answer.status,
        "reason": answer.reason,
        "missing": answer.missing,
        "score": answer.score,
        "source": answer.score_formula,
        "summary": answer.summary,
        "figures": answer.figures,
        "tables": tables,
    }


def _answers(report: Report) -> list[AgentReport]:
    only = ONLY_AGENT.get(Report.Kind(report.kind))
    answers = report.run.reports.exclude(status="")
    return list(answers.filter(agent=only) if only else answers)


# --- findings ----------------------------------------------------------------------------------


def _findings(report: Report) -> list[dict[str, Any]]:
    """The worst first, the muted last."""
    only = ONLY_AGENT.get(Report.Kind(report.kind))
    findings = report.run.findings.filter(agent=only) if only else report.run.findings.counted()
    mutes = mutes_of(report.run)
    rows = [_finding(finding, mutes.get(finding.fingerprint)) for finding in findings]
    return sorted(rows, key=lambda row: row["muted"] is not None)


def _finding(finding: Finding, mute: FindingMute | None) -> dict[str, Any]:
    saving = finding.monthly_saving_usd
    detail = finding.detail
    return {
        **detail,
        "fingerprint": finding.fingerprint,
        "agent": finding.agent,
        "rule": finding.rule,
        "title": finding.title,
        "severity": Severity(finding.severity).name.lower(),
        "severity_origin": finding.severity_origin,
        "scope": finding.scope,
        "resource": finding.resource,
        "file": finding.file,
        "line_start": finding.line_start or None,
        "line_end": finding.line_end or None,
        "since": finding.since,
        "saving": (
            None
            if saving is None
            else {
                "monthly_usd": str(saving),
                "source": (
                    f"{detail.get('actual', '')}, against {detail.get('expected', '')}."
                    f" {detail.get('why', '')}"
                ),
            }
        ),
        "muted": (
            mute
            and {
                "reason": mute.reason,
                "expires_at": mute.expires_at and mute.expires_at.isoformat(),
            }
        ),
    }


# --- recommendations ---------------------------------------------------------------------------


def _recommendations(report: Report) -> list[dict[str, Any]]:
    only = ONLY_AGENT.get(Report.Kind(report.kind))
    rows = report.run.recommendations.prefetch_related("findings")
    written = [_recommendation(row) for row in rows if only is None or row.agent == only]
    return written[:EXECUTIVE_RECOMMENDATIONS] if report.kind == Report.Kind.EXECUTIVE else written


def _recommendation(row: Recommendation) -> dict[str, Any]:
    saving = row.monthly_saving_usd
    return {
        "priority": row.priority,
        "source": row.impact["formula"],
        "agent": row.agent,
        "title": row.title,
        "severity": Severity(row.severity).name.lower(),
        "is_exposed": row.is_exposed,
        "why": row.why,
        "steps": row.steps,
        "effort": row.effort,
        "status": row.status,
        "impact": {**row.impact, "source": row.impact["formula"]},
        "saving": (
            None
            if saving is None
            else {
                "monthly_usd": str(saving),
                "source": "Sum of the savings of the findings that this resolves",
            }
        ),
        "findings": sorted(finding.fingerprint for finding in row.findings.all()),
    }


# --- how it was made ---------------------------------------------------------------------------


def _resources(report: Report) -> list[dict[str, Any]]:
    return list(report.run.resources)


def _coverage(report: Report) -> list[dict[str, Any]]:
    """Each file with its ``file`` (its path) and how far it was read; an executive's report names
    only the gaps."""
    files = [
        {"file": row["path"], **{key: row[key] for key in _COVERAGE_KEYS}}
        for row in report.run.coverage
    ]
    if report.kind != Report.Kind.EXECUTIVE:
        return files
    return [row for row in files if row["status"] != CoverageStatus.READ]


_COVERAGE_KEYS = ("kind", "status", "reason", "line")


def _data(report: Report) -> list[dict[str, Any]]:
    """Engines with their versions and data sets with their dates, as far as this report rests on
    them."""
    shown = {answer.agent for answer in _answers(report) if answer.status == AgentStatus.ASSESSED}
    engines = [
        {
            "name": name,
            "version": version,
            "as_of": "",
            "licence": "",
            "source": f"Said by {name} itself",
        }
        for name, version in sorted(report.run.summary.get("engines", {}).items())
    ]
    return engines + [
        _data_set(name) for name, agents in USED_BY.items() if shown.intersection(agents)
    ]


def _data_set(name: str) -> dict[str, Any]:
    head = header(name)
    return {
        "name": head.source,
        "version": head.version,
        "as_of": head.as_of,
        "licence": head.licence,
        "source": head.url,
    }


def _formulas(report: Report) -> list[dict[str, Any]]:
    """How each score, and the order of the recommendations, was made."""
    scores = [
        {"of": f"{AGENTS[answer.agent].label} score", "source": answer.score_formula}
        for answer in _answers(report)
        if answer.score_formula
    ]
    return [*scores, {"of": "Priority of a recommendation", "source": recommending.FORMULA}]


_BUILDERS: dict[str, Callable[[Report], Any]] = {
    "summary": _summary,
    "agents": _agents,
    "findings": _findings,
    "recommendations": _recommendations,
    "resources": _resources,
    "coverage": _coverage,
    "data": _data,
    "formulas": _formulas,
}
