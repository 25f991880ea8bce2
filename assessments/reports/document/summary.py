"""The counts of a run, and the same against the run before."""

from __future__ import annotations

from typing import Any

from assessments.models import Report
from assessments.muting import muted_count, severity_counts
from assessments.scan.types import CoverageStatus


def summary(report: Report) -> dict[str, Any]:
    """``figures``: counts over the whole run; ``budgets``: what is left of each scope's, in USD a
    month; ``comparison``: the counts against the run before."""
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
    return {
        "figures": figures,
        "budgets": _budgets(report),
        "comparison": _comparison(run.summary.get("comparison")),
    }


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


def _budgets(report: Report) -> list[dict[str, Any]]:
    answer = report.run.reports.filter(agent="cost").first()
    if answer is None:
        return []
    labels = {scope["key"]: scope["label"] for scope in report.run.scopes}
    answers = answer.scopes or [{"scope": "", "figures": answer.figures}]
    return [
        {**figure, "scope": labels.get(each["scope"], "")}
        for each in answers
        for figure in each["figures"]
        if figure["key"] == "budget_left"
    ]


def _comparison(settled: dict[str, int] | None) -> dict[str, Any] | None:
    if not settled:
        return None
    source = f"Fingerprints of this run's findings against those of run {settled['run']}"
    return {**settled, "source": source}
