"""How many findings the runs of an assessment had, over time."""

from __future__ import annotations

from typing import Any

from assessments.models import AssessmentRun, Report
from assessments.muting import counts_of

LEAST_RUNS = 3
"""Fewer don't show a trend."""
MOST_RUNS = 12


def trend(report: Report) -> list[dict[str, Any]]:
    """The completed runs up to the report's own, oldest first; empty if fewer than three."""
    runs = report.run.assessment.runs.filter(
        status=AssessmentRun.Status.COMPLETED, number__lte=report.run.number
    )
    if report.scope:
        rows = [(run.number, run.finished_at, _counts(run, report)) for run in runs[:MOST_RUNS]]
    else:
        rows = list(runs.values_list("number", "finished_at", "summary__severities")[:MOST_RUNS])
    if len(rows) < LEAST_RUNS:
        return []
    return [
        {
            "run": number,
            "assessed_at": finished_at and finished_at.isoformat(timespec="seconds"),
            "findings": sum((counts or {}).values()),
            "severe": sum((counts or {}).get(level, 0) for level in ("critical", "high")),
            "source": "Findings without the muted, as counted at the end of each run",
        }
        for number, finished_at, counts in reversed(rows)
    ]


def _counts(run: AssessmentRun, report: Report) -> dict[str, int]:
    return counts_of(run.findings.filter(scope=report.scope))
