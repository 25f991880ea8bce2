"""What to do, in order of priority."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from django.db.models import Prefetch, QuerySet

from assessments import recommending
from assessments.agents.types import Severity
from assessments.models import Finding, Recommendation, Report
from assessments.reports.document.agents import ONLY_AGENT
from assessments.reports.document.scope import findings_of

EXECUTIVE_RECOMMENDATIONS = 10
DECIDED = (Recommendation.Status.DONE, Recommendation.Status.DISMISSED)
"""Nothing left to do for these: an executive report leaves them out."""


def recommendations(report: Report) -> list[dict[str, Any]]:
    only = ONLY_AGENT.get(Report.Kind(report.kind))
    rows, most = report.run.recommendations.all(), None
    if report.kind == Report.Kind.EXECUTIVE:
        rows, most = rows.exclude(status__in=DECIDED), EXECUTIVE_RECOMMENDATIONS
    found = _of_scope(report, rows) if report.scope else _of_run(rows[:most])
    of_agent = (pair for pair in found if only in {None, pair[0].agent})
    return [_recommendation(row, findings) for row, findings in islice(of_agent, most)]


def _of_run(rows: QuerySet[Recommendation]) -> Iterator[tuple[Recommendation, list[Finding]]]:
    names = ("fingerprint", "title", "resource", "file", "line_start", "severity")
    for row in rows.prefetch_related(Prefetch("findings", Finding.objects.only(*names))):
        yield row, list(row.findings.all())


def _of_scope(
    report: Report, rows: QuerySet[Recommendation]
) -> Iterator[tuple[Recommendation, list[Finding]]]:
    """The same problems as far as they occur in the scope, in the order that they have there. A fix
    that changes more than the scope stays with the run."""
    drafts = []
    mine = findings_of(report)
    for row in rows.prefetch_related(Prefetch("findings", mine)):
        if findings := list(row.findings.all()):
            drafted = recommending.draft(report.run, row.problem, findings)
            drafted.status = row.status
            keys = {str(finding.pk) for finding in findings}
            drafted.fix = row.fix if keys.issuperset(row.fix.get("findings", [])) else {}
            drafts.append((drafted, findings))
    drafts.sort(key=lambda pair: recommending.order_of(pair[0]))
    for priority, (drafted, findings) in enumerate(drafts, start=1):
        drafted.priority = priority
        yield drafted, findings


def _recommendation(row: Recommendation, findings: Sequence[Finding]) -> dict[str, Any]:
    """``problem``, ``resource`` and ``where`` come from the worst finding that it resolves."""
    saving = row.monthly_saving_usd
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
