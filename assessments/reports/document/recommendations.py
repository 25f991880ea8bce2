"""What to do, in the order to do it."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch

from assessments.agents.types import Severity
from assessments.models import Finding, Recommendation, Report
from assessments.reports.document.agents import ONLY_AGENT

EXECUTIVE_RECOMMENDATIONS = 10
DECIDED = (Recommendation.Status.DONE, Recommendation.Status.DISMISSED)
"""Nothing to do first: an executive's report leaves them out."""


def recommendations(report: Report) -> list[dict[str, Any]]:
    only = ONLY_AGENT.get(Report.Kind(report.kind))
    rows = report.run.recommendations.all()
    if only:
        rows = rows.filter(agent=only)
    if report.kind == Report.Kind.EXECUTIVE:
        rows = rows.exclude(status__in=DECIDED)[:EXECUTIVE_RECOMMENDATIONS]
    findings = Finding.objects.only(
        "fingerprint", "title", "resource", "file", "line_start", "severity"
    )
    return [_recommendation(row) for row in rows.prefetch_related(Prefetch("findings", findings))]


def _recommendation(row: Recommendation) -> dict[str, Any]:
    """``problem``, ``resource`` and ``where`` are those of the worst finding that it resolves."""
    saving = row.monthly_saving_usd
    findings = list(row.findings.all())
    worst = findings[0] if findings else None
    return {
        "priority": row.priority,
        "source": row.impact["formula"],
        "agent": row.agent,
        "title": row.title,
        "problem": worst.title if worst else row.title,
        "resource": worst.resource if worst else "",
        "where": worst.place if worst else "",
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
        "findings": sorted(finding.fingerprint for finding in findings),
    }
