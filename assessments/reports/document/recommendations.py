"""What to do, in the order to do it."""

from __future__ import annotations

from typing import Any

from assessments.agents.types import Severity
from assessments.models import Recommendation, Report
from assessments.reports.document.agents import ONLY_AGENT

EXECUTIVE_RECOMMENDATIONS = 10


def recommendations(report: Report) -> list[dict[str, Any]]:
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
        "fix": row.fix or None,
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
