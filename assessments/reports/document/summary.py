"""The counts of a run, compared with the previous run."""

from __future__ import annotations

from collections import Counter
from typing import Any

from assessments.comparing import Comparison
from assessments.models import Report
from assessments.muting import counts_of
from assessments.reports.document.scope import (
    checks_of,
    coverage_of,
    findings_of,
    resources_of,
    scopes_of,
)
from assessments.scan.types import CoverageStatus


def summary(report: Report) -> dict[str, Any]:
    """``figures``: counts over the whole run; ``budgets``: the remainder of each scope's, in USD a
    month; ``comparison``: the counts against the previous run."""
    findings, checks = findings_of(report), checks_of(report)
    files = Counter(row["status"] for row in coverage_of(report))
    modelled = sum(each["type"] != "provider" for each in resources_of(report))
    figures = [
        *(
            _count(f"findings_{level}", f"{level.capitalize()} findings", n, "findings", _COUNTED)
            for level, n in counts_of(findings).items()
        ),
        _count(
            "findings_muted",
            "Muted findings",
            findings.counted().muted().count(),
            "findings",
            "Findings that a person accepted",
        ),
        *(
            _count(
                f"checks_{outcome}", f"Checks {outcome}", checks.get(outcome, 0), "checks", _CHECKED
            )
            for outcome in ("passed", "failed", "suppressed", "undecided")
        ),
        _count("resources", "Resources", modelled, "resources", _MODELLED),
        *(
            _count(f"files_{status}", f"Files {words}", files.get(status, 0), "files", _COVERED)
            for status, words in COVERAGE_WORDS.items()
        ),
    ]
    return {
        "figures": figures,
        "budgets": _budgets(report),
        "comparison": _comparison(_compared(report)),
    }


COVERAGE_WORDS = {
    CoverageStatus.READ: "read",
    CoverageStatus.PARTLY_READ: "read in part",
    CoverageStatus.FAILED: "that could not be read",
    CoverageStatus.NOT_ASSESSED: "not assessed",
}

_COUNTED = (
    "Findings of this run without the muted ones, each with its file and line; compliance repeats"
    " those of other agents, which are counted once"
)

_CHECKED = "Each check is one engine rule against one resource of the uploaded files"

_MODELLED = "Entries of the resource model, each declared at its file and line"

_COVERED = "Uploaded files by how much of each was read; the coverage section lists them"


def _count(key: str, label: str, value: int, unit: str, source: str) -> dict[str, Any]:
    return {"key": key, "label": label, "value": value, "unit": unit, "source": source}


def _budgets(report: Report) -> list[dict[str, Any]]:
    answer = report.run.reports.filter(agent="cost").first()
    if answer is None:
        return []
    labels = {scope["key"]: scope["label"] for scope in scopes_of(report)}
    every = answer.scopes or [{"scope": "", "figures": answer.figures}]
    answers = [each for each in every if not report.scope or each["scope"] == report.scope]
    return [
        {**figure, "scope": labels.get(each["scope"], "")}
        for each in answers
        for figure in each["figures"]
        if figure["key"] == "budget_left"
    ]


def _compared(report: Report) -> dict[str, int] | None:
    """As counted by synthesis; for a single scope, counted now in the same way."""
    settled: dict[str, int] | None = report.run.summary.get("comparison")
    if not settled or not report.scope:
        return settled
    before = report.run.assessment.runs.filter(number=settled["run"]).first()
    if before is None:
        return None
    found = Comparison(report.run, before)
    counts = {
        name: getattr(found, name).filter(scope=report.scope).count()
        for name in settled
        if name != "run"
    }
    return {"run": settled["run"], **counts}


def _comparison(settled: dict[str, int] | None) -> dict[str, Any] | None:
    if not settled:
        return None
    source = f"Fingerprints of this run's findings against those of run {settled['run']}"
    return {**settled, "source": source}
