"""How an assessment has developed: scores, open findings, cost and carbon, run by run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.db.models import Q

from assessments.agents import AGENTS
from assessments.agents.types import Severity
from assessments.models import AgentReport, AssessmentRun

SHOWN = 12
"""How many of an assessment's newest runs are drawn."""
LEAST = 3
"""Two runs are a comparison, not a trend."""
FIGURES = (
    ("cost", "monthly_cost", "unpriced", "Monthly cost"),
    ("sustainability", "carbon", "not_estimated", "Carbon"),
)
"""Agent, figure, the figure that counts what the sum lacks, and its label."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """One value in every run, None if a run did not assess it. ``top`` is the value at the
    upper edge of the drawing, ``is_least``: in one of the runs something has no known value."""

    label: str
    values: list[float | None]
    top: float
    unit: str = ""
    severity: int | None = None
    is_least: bool = False

    @property
    def lines(self) -> list[tuple[float, float, float, float]]:
        return line_pieces(self.values, top=self.top)

    @property
    def last(self) -> float | None:
        return self.values[-1]

    @property
    def change(self) -> float | None:
        """From the first of the runs to the last."""
        first = self.values[0]
        return None if first is None or self.last is None else round(self.last - first, 2)


@dataclass(frozen=True, kw_only=True)
class Trends:
    """``groups`` of series, all over the same ``runs``, oldest first."""

    runs: list[int]
    groups: list[tuple[str, list[Series]]]


def trends(run: AssessmentRun) -> Trends | None:
    """Over the completed runs up to this one; None before the third."""
    completed = Q(status=AssessmentRun.Status.COMPLETED) | Q(pk=run.pk)
    rows = run.assessment.runs.filter(completed, number__lte=run.number).order_by("-number")
    found = list(rows.values_list("pk", "number", "summary__scores", "summary__severities")[:SHOWN])
    if len(found) < LEAST:
        return None
    found.reverse()
    ids = [pk for pk, *_ in found]
    scores = [scores or {} for *_, scores, _ in found]
    groups = [
        ("Score by pillar", list(_scores(scores))),
        ("Open findings", list(_severities([counts or {} for *_, counts in found]))),
        ("A month", list(_figures(ids))),
    ]
    return Trends(
        runs=[number for _, number, *_ in found],
        groups=[(label, series) for label, series in groups if series],
    )


def line_pieces(
    values: Sequence[float | None], *, top: float
) -> list[tuple[float, float, float, float]]:
    """x1 y1 x2 y2 in percent of the drawing, from 0 at the bottom to ``top``; a gap where a value
    is missing."""
    step = 100 / max(1, len(values) - 1)
    at = [
        None if value is None else (round(n * step, 2), round(95 - 90 * value / (top or 1), 2))
        for n, value in enumerate(values)
    ]
    return [(*one, *two) for one, two in pairwise(at) if one and two]


def _scores(runs: Sequence[Mapping[str, Any]]) -> Iterator[Series]:
    for name, agent in AGENTS.items():
        values = [scores.get(name) for scores in runs]
        if any(value is not None for value in values):
            yield Series(label=agent.label, values=values, top=100)


def _severities(runs: Sequence[Mapping[str, int]]) -> Iterator[Series]:
    top = max((count for counts in runs for count in counts.values()), default=0)
    for level in sorted(Severity, reverse=True):
        values: list[float | None] = [counts.get(level.name.lower(), 0) for counts in runs]
        if any(values):
            label = level.name.title()
            yield Series(label=label, values=values, top=top, severity=int(level))


def _figures(run_ids: Sequence[Any]) -> Iterator[Series]:
    reports = AgentReport.objects.filter(run__in=run_ids, agent__in=[each[0] for each in FIGURES])
    found: dict[Any, dict[str, Any]] = {
        (run, agent): {figure["key"]: figure for figure in figures}
        for run, agent, figures in reports.values_list("run", "agent", "figures")
    }
    for agent, key, lacking, label in FIGURES:
        each_run = [found.get((pk, agent), {}) for pk in run_ids]
        values = [float(each[key]["value"]) if key in each else None for each in each_run]
        known = [value for value in values if value is not None]
        if known:
            unit = next(each[key].get("unit", "") for each in each_run if key in each)
            yield Series(
                label=label,
                values=values,
                top=max(known),
                unit=unit.removesuffix(" a month"),
                is_least=any(each.get(lacking, {}).get("value") for each in each_run),
            )
