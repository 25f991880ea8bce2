"""The content of a report, as plain data: every format is written from this one document.

Each number in it comes with its ``source``, or with the ``file`` that it is about. Only ``about``
has none: it contains ids, times and what the person stated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assessments.models import Report
from assessments.reports.document import (
    agents,
    findings,
    map,
    recommendations,
    sources,
    summary,
    trend,
)
from assessments.reports.document.scope import scopes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ENDING = ("coverage", "data", "formulas")

SECTIONS: dict[str, Sequence[str]] = {
    Report.Kind.EXECUTIVE: ("summary", "trend", "map", "agents", "recommendations", *_ENDING),
    Report.Kind.TECHNICAL: ("summary", "map", "agents", "recommendations", "findings", *_ENDING),
    Report.Kind.COMPLIANCE: ("summary", "agents", "findings", *_ENDING),
    Report.Kind.COST: ("summary", "agents", "recommendations", "findings", *_ENDING),
    Report.Kind.FULL: (
        "summary",
        "map",
        "agents",
        "recommendations",
        "findings",
        "resources",
        *_ENDING,
    ),
}

LISTS_OF_FINDINGS = {Report.Format.SARIF, Report.Format.CSV}
"""Formats that are useless without findings: they include them in every kind of report."""


def build(report: Report, *, on_progress: Callable[[int, int, str], None]) -> dict[str, Any]:
    """The document: ``about`` and one entry per section of the report's kind. The units of work are
    the sections, and the writing that follows."""
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
            "sandbox": run.summary.get("sandbox", ""),
            "scope": report.scope,
            "scopes": scopes_of(report),
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


_BUILDERS: dict[str, Callable[[Report], Any]] = {
    "summary": summary.summary,
    "trend": trend.trend,
    "agents": agents.agents,
    "findings": findings.findings,
    "map": map.map_section,
    "recommendations": recommendations.recommendations,
    "resources": sources.resources,
    "coverage": sources.coverage,
    "data": sources.data,
    "formulas": sources.formulas,
}
