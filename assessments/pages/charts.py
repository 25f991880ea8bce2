"""The data behind a finished run's charts: figures and tables from the agents' reports, nothing
else.

Widths and positions are percentages of the drawing, rounded to hundredths.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from assessments.models import AgentReport

HUES = ("c1", "c2", "c3", "c4")
RESOURCES_SHOWN = 8
ROOM = 1.1
"""In relation to the largest value, so that a mark at the end stays visible."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A piece of a bar: its hue, the percent where it starts, and how wide it is."""

    hue: str
    start: float
    width: float


@dataclass(frozen=True, kw_only=True)
class CostChart:
    """USD a month. ``parts`` are (hue, label, USD): the three most expensive components and the
    others combined. ``rows`` are (resource, USD, segments, scope and components), most expensive
    first; ``budget_at`` is the budget's position; ``is_partial``: something has no price."""

    total: Decimal
    region: str
    budget: Decimal | None
    left: Decimal | None
    parts: list[tuple[str, str, Decimal]]
    segments: list[Segment]
    budget_at: float | None
    rows: list[tuple[str, Decimal, list[Segment], str]]
    more: int
    unpriced: list[str]
    partly: list[str]
    source: str
    is_partial: bool

    @property
    def over(self) -> Decimal | None:
        """By how much the budget is missed."""
        return -self.left if self.left is not None and self.left < 0 else None


@dataclass(frozen=True, kw_only=True)
class Against:
    """A value against a mark that it should stay below. ``words`` and ``limit`` state both."""

    label: str
    words: str
    limit: str
    width: float
    mark: float
    is_over: bool


def cost_chart(reports: Sequence[AgentReport]) -> CostChart | None:
    """From the cost agent's table of components (``cost``), its figures and its list of unpriced
    items."""
    report, figures, tables = _of(reports, "cost")
    if report is None or "monthly_cost" not in figures or not tables.get("cost", {}).get("rows"):
        return None
    table, total = tables["cost"], _usd(figures["monthly_cost"]["value"])
    costs = zip(_places(table), _column(table, "component"), _column(table, "cost"), strict=True)
    lines = [(place, str(component), _usd(cost)) for place, component, cost in costs]
    if "egress" in figures:
        lines.append((("Egress", ""), "egress", _usd(figures["egress"]["value"])))
    by_part: dict[str, Decimal] = defaultdict(Decimal)
    for _, component, usd in lines:
        by_part[component] += usd
    ranked = sorted(by_part, key=lambda part: (-by_part[part], part))
    hues = {part: HUES[min(3, place)] for place, part in enumerate(ranked)}
    parts = [(HUES[place], part, by_part[part]) for place, part in enumerate(ranked[:3])]
    if ranked[3:]:
        label = ranked[3] if len(ranked) == 4 else "others"
        parts.append((HUES[3], label, sum((by_part[part] for part in ranked[3:]), Decimal(0))))
    left = _usd(figures["budget_left"]["value"]) if "budget_left" in figures else None
    unpriced = _named(tables["unpriced"]) if "unpriced" in tables else []
    partly = _named(tables["partly_priced"]) if "partly_priced" in tables else []
    budget = total + left if left is not None else None
    scale = max(total, budget or Decimal(0)) or Decimal(1)
    rows = _cost_rows(lines, hues)
    return CostChart(
        total=total,
        region=_region(report, figures),
        is_partial=bool(figures.get("unpriced", {}).get("value")),
        budget=budget,
        left=left,
        parts=parts,
        segments=_segments([(hue, usd) for hue, _, usd in parts], scale),
        budget_at=_percent(budget, scale) if budget is not None else None,
        rows=rows[:RESOURCES_SHOWN],
        more=max(0, len(rows) - RESOURCES_SHOWN),
        unpriced=list(dict.fromkeys(unpriced)),
        partly=list(dict.fromkeys(partly)),
        source=table["source"],
    )


def against_targets(reports: Sequence[AgentReport]) -> list[Against]:
    """Downtime that the SLAs allow against the target's, and utilization at each moment against
    the total capacity.

    From the reliability agent's figures ``composite_downtime`` and ``allowed_downtime`` (minutes a
    month) and the capacity agent's figures ``utilisation_*`` (percent).
    """
    return [*_downtime(reports), *_utilisation(reports)]


def _downtime(reports: Sequence[AgentReport]) -> Iterator[Against]:
    _, figures, _ = _of(reports, "reliability")
    if "composite_downtime" not in figures or "allowed_downtime" not in figures:
        return
    value, limit = (
        float(figures[key]["value"]) for key in ("composite_downtime", "allowed_downtime")
    )
    scale = ROOM * max(value, limit, 0.1)
    yield Against(
        label="Downtime by SLA",
        words=f"{value:,.1f} min a month",
        limit=f"target {limit:,.1f}",
        width=round(100 * value / scale, 2),
        mark=round(100 * limit / scale, 2),
        is_over=value > limit,
    )


def _utilisation(reports: Sequence[AgentReport]) -> Iterator[Against]:
    _, figures, _ = _of(reports, "capacity")
    found = [figure for key, figure in figures.items() if key.startswith("utilisation_")]
    scale = ROOM * max([100.0, *(float(figure["value"]) for figure in found)])
    for figure in found:
        value = float(figure["value"])
        yield Against(
            label=str(figure["label"]),
            words=f"{value:,.0f} %".replace(" ", "\N{NO-BREAK SPACE}"),
            limit="of what there is",
            width=round(100 * value / scale, 2),
            mark=round(100 * 100 / scale, 2),
            is_over=value >= 100,
        )


def _cost_rows(
    lines: Sequence[tuple[tuple[str, str], str, Decimal]], hues: Mapping[str, str]
) -> list[tuple[str, Decimal, list[Segment], str]]:
    by_place: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for place, component, usd in lines:
        by_place[place][component] += usd
    sums = {place: sum(parts.values(), Decimal(0)) for place, parts in by_place.items()}
    ranked = sorted(sums, key=lambda place: (-sums[place], place))
    scale = (sums[ranked[0]] if ranked else Decimal(0)) or Decimal(1)
    return [
        (
            place[0],
            sums[place],
            _segments([(hues[part], usd) for part, usd in by_place[place].items()], scale),
            ": ".join(filter(None, (place[1], ", ".join(by_place[place])))),
        )
        for place in ranked
    ]


def _places(table: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The rows' resources, each with its scope; "" if the table does not name scopes."""
    resources = [str(cell) for cell in _column(table, "resource")]
    if "scope" not in table["columns"]:
        return [(resource, "") for resource in resources]
    return list(zip(resources, map(str, _column(table, "scope")), strict=True))


def _named(table: Mapping[str, Any]) -> list[str]:
    return [f"{name} ({scope})" if scope else name for name, scope in _places(table)]


def _region(report: AgentReport, figures: Mapping[str, Any]) -> str:
    """The region of the prices; with several scopes, those of all of them."""
    answers = [figures, *({f["key"]: f for f in scope["figures"]} for scope in report.scopes)]
    named = (str(each["region"]["value"]) for each in answers if "region" in each)
    return ", ".join(dict.fromkeys(named))


def _column(table: Mapping[str, Any], name: str) -> list[Any]:
    place = table["columns"].index(name)
    return [row[place] for row in table["rows"]]


def _segments(parts: Sequence[tuple[str, Decimal]], scale: Decimal) -> list[Segment]:
    segments, start = [], Decimal(0)
    for hue, usd in parts:
        segments.append(Segment(hue=hue, start=_percent(start, scale), width=_percent(usd, scale)))
        start += usd
    return segments


def _percent(value: Decimal, scale: Decimal) -> float:
    return round(float(100 * value / scale), 2)


def _usd(value: Any) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"))


def _of(
    reports: Sequence[AgentReport], agent: str
) -> tuple[AgentReport | None, dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """One agent's report, its figures and its tables by key; empty if it gave no answer."""
    report = next((each for each in reports if each.agent == agent), None)
    figures = {figure["key"]: figure for figure in report.figures} if report else {}
    tables = {table["key"]: table for table in report.tables} if report else {}
    return report, figures, tables
