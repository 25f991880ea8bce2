"""The map of a stored run: its diagram with current findings and prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assessments.diagram.build import Prices, with_findings, with_prices
from assessments.diagram.types import Diagram, FoundProblem
from assessments.models import AgentReport, MergedScan
from assessments.stages.stage import unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.models import AssessmentRun

MAX_FINDINGS = 20_000
"""How many findings a map shows, worst first."""
COMPLIANCE = "compliance"


def map_of(run: AssessmentRun, *, agent: str = "") -> Diagram | None:
    """The diagram with the unmuted findings of one agent, or of all; None until the run's scan is
    done."""
    stored = MergedScan.objects.filter(run=run).values_list("diagram", flat=True).first()
    if stored is None:
        return None
    drawn = unpacked(Diagram, bytes(stored))
    return with_prices(with_findings(drawn, _problems(run, agent=agent)), _prices(run))


def _problems(run: AssessmentRun, *, agent: str) -> Iterator[FoundProblem]:
    """Compliance repeats the other agents' findings, so it counts only if it is asked for."""
    rows = run.findings.all() if agent == COMPLIANCE else run.findings.counted()
    names = ("id", "agent", "rule", "title", "severity", "scope", "file", "resource")
    for row in rows.unmuted().exclude(resource="").values(*names)[:MAX_FINDINGS]:
        yield FoundProblem(**{**row, "id": str(row["id"])})


def _prices(run: AssessmentRun) -> Prices:
    """USD a month by scope and address, from the cost agent's table of components."""
    report = AgentReport.objects.filter(run=run, agent="cost").first()
    prices: Prices = {}
    if report is None:
        return prices
    only = run.scopes[0]["key"] if len(run.scopes) == 1 else ""
    answers = report.scopes or [{"scope": only, "tables": report.tables}]
    for answer in answers:
        for address, cost in _lines(answer["tables"]):
            key = answer["scope"], address
            prices[key] = prices.get(key, 0.0) + cost
    return prices


def _lines(tables: list[dict[str, Any]]) -> Iterator[tuple[str, float]]:
    for table in tables:
        if table["key"] == "cost":
            at, cost = table["columns"].index("resource"), table["columns"].index("cost")
            yield from ((row[at], float(row[cost])) for row in table["rows"])
