"""Compares a run with the previous run."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from assessments.comparing import Comparison
from assessments.listing import severities_of
from assessments.models import AssessmentRun, Finding

Mark = Finding.Since


@dataclass(frozen=True, kw_only=True)
class Since:
    """Against the previous run, by fingerprint. ``rows``: severity, before, now, change."""

    run: AssessmentRun
    new: int
    persisting: int
    fixed: int
    reopened: int
    unchecked: int
    rows: list[tuple[int, int, int, str]]

    @property
    def widths(self) -> dict[str, float]:
        """Percentages of the bar: fixed, persisting, new, side by side."""
        appeared = self.new + self.reopened
        whole = max(1, appeared + self.persisting + self.fixed)
        return {
            "fixed": round(100 * self.fixed / whole, 2),
            "persisting": round(100 * self.persisting / whole, 2),
            "new": round(100 * appeared / whole, 2),
            "new_from": round(100 * (self.fixed + self.persisting) / whole, 2),
        }


def since(run: AssessmentRun, before: AssessmentRun) -> Since:
    """New, persisting and fixed findings by fingerprint, and counts by severity, against
    ``before``."""
    counts = severities_of([run.pk, before.pk])
    now, then = counts.get(run.pk, {}), counts.get(before.pk, {})
    compared = Comparison(run, before)
    here = _marked(run) if _was_compared(run, before) else None
    rows: list[tuple[int, int, int, str]] = [
        (
            level,
            then.get(level, 0),
            now.get(level, 0),
            _signed(now.get(level, 0) - then.get(level, 0)),
        )
        for level in (4, 3, 2, 1, 0)
        if level in now or level in then
    ]
    return Since(
        run=before,
        new=compared.new.count() if here is None else here[Mark.NEW],
        persisting=compared.persisting.count() if here is None else here[Mark.PERSISTING],
        fixed=compared.fixed.count(),
        reopened=compared.reopened.count() if here is None else here[Mark.REOPENED],
        unchecked=compared.unchecked.count(),
        rows=rows,
    )


def _was_compared(run: AssessmentRun, before: AssessmentRun) -> bool:
    """Whether synthesis has marked the run's findings against ``before``."""
    stored = run.summary.get("comparison", {})
    return stored.get("run") == before.number and "reopened" in stored


def _marked(run: AssessmentRun) -> Counter[str]:
    """Findings by how synthesis marked them; those muted today are left out."""
    rows = run.findings.counted().unmuted().order_by().values_list("since")
    return Counter(dict(rows.annotate(n=Count("pk"))))


def run_before(run: AssessmentRun, *, asked_for: str = "") -> AssessmentRun | None:
    """The completed run to compare with: the one with that number, otherwise the newest before."""
    completed = completed_before(run).defer("resources", "coverage")
    chosen = (
        completed.filter(number=int(asked_for)).first()
        if re.fullmatch(r"\d{1,9}", asked_for, re.ASCII)
        else None
    )
    return chosen or completed.first()


def completed_before(run: AssessmentRun) -> QuerySet[AssessmentRun]:
    return run.assessment.runs.filter(number__lt=run.number, status=AssessmentRun.Status.COMPLETED)


def _signed(number: int) -> str:
    return "±0" if not number else f"{number:+,d}".replace("-", "\N{MINUS SIGN}")
