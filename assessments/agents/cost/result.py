"""The cost agent's answer: its score, figures, tables and findings."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from assessments.agents.cost.findings import budget_findings, saving_finding
from assessments.agents.cost.price_list import (
    HOURS_PER_MONTH,
    ZERO,
    Line,
    Price,
    Unpriced,
    as_row,
    cents,
)
from assessments.agents.cost.savings import Saving
from assessments.agents.cost.usage import asked_rows
from assessments.agents.inventory import Region
from assessments.agents.types import AZURE_TEMPLATES, AgentResult, AgentStatus, Figure, Share, Table
from assessments.agents.wording import counted
from assessments.requirements import MAX_USAGE, Requirements
from assessments.scan.types import FileKind, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.agents.cost.entries import Estate

LEAST_PRICED = 0.8
"""The share of billable components that need a price before a score is given."""


def not_assessed(resources: list[Resource], unpriced: list[Unpriced]) -> AgentResult:
    only_containers = {each.origin for each in resources} <= {FileKind.KUBERNETES, FileKind.COMPOSE}
    if resources and only_containers:
        reason = (
            "Containers are priced by the machines under them: add the Terraform or CloudFormation"
            " of the nodes."
        )
    elif unpriced:
        count = len({each.resource.address for each in unpriced})
        found = (
            "The billable resource found has no known price"
            if count == 1
            else f"None of the {count} billable resources found has a known price"
        )
        reason = f"{found}; the list says why."
    elif any(each.origin in AZURE_TEMPLATES for each in resources):
        reason = (
            "Resources of ARM templates and Bicep files are not priced: add Terraform, or a plan,"
            " that declares the same."
        )
    else:
        reason = (
            "No billable resource was found: add Terraform, a plan, or CloudFormation that declares"
            " one."
        )
    return AgentResult(
        status=AgentStatus.NOT_ASSESSED,
        reason=reason,
        missing=[],
        score_formula=_withheld([], unpriced) if unpriced else "",
        figures=[_unpriced_figure(unpriced)] if unpriced else [],
        tables=[_unpriced_table(unpriced)] if unpriced else [],
    )


def result_of(
    wanted: Requirements,
    region: Region,
    lines: list[Line],
    unpriced: list[Unpriced],
    egress: Price | None,
    total: Decimal,
    savings: list[Saving],
) -> AgentResult:
    saved = sum((each.monthly_usd for each in savings), ZERO)
    score: int | None
    score, formula = _score(total, saved, wanted.monthly_budget_usd)
    known = len(lines) / (len(lines) + len(unpriced))
    if known < LEAST_PRICED:
        score, formula = None, _withheld(lines, unpriced)
    findings = [saving_finding(each, total) for each in savings] + list(
        budget_findings(total, wanted.monthly_budget_usd)
    )
    missing = [
        name
        for name in ("regions", "monthly_budget_usd", "egress_gb_month")
        if not getattr(wanted, name)
    ]
    return AgentResult(
        status=AgentStatus.ASSESSED,
        missing=missing,
        score=score,
        score_formula=formula,
        share=None if score is None else _share(total, saved, wanted.monthly_budget_usd),
        summary=_summary(total, saved, lines, unpriced, region),
        figures=list(_figures(region, lines, unpriced, egress, total, saved, wanted)),
        tables=list(_tables(region, lines, unpriced, egress)),
        findings=sorted(
            findings,
            key=lambda each: (
                -each.severity,
                -(each.monthly_saving_usd or 0),
                each.fingerprint_key,
            ),
        ),
    )


def with_usage(result: AgentResult, estate: Estate) -> AgentResult:
    """The answer with a table of the amounts that prices by use depend on, known or not."""
    rows = list(asked_rows(estate.resources.values(), estate.amounts))
    if not rows:
        return result
    table = Table(
        key="usage",
        title="Usage that prices depend on",
        columns=["resource", "measure", "what", "amount", "from"],
        units=["", "", "", "", ""],
        rows=rows[:MAX_USAGE],
        source=(
            "requirements (usage, rps_now, data_gb); without an amount the component is not priced"
            + (f"; {len(rows) - MAX_USAGE} more are not listed" if len(rows) > MAX_USAGE else "")
        ),
    )
    return result.replace(tables=[*result.tables, table])


def _withheld(lines: list[Line], unpriced: list[Unpriced]) -> str:
    """Why there is no score: a share of a small part of the cost is meaningless for the whole."""
    return (
        f"No score: {len(lines)} of {len(lines) + len(unpriced)} billable components have a price;"
        f" a score needs at least {100 * LEAST_PRICED:.0f} %"
    )


def _summary(
    total: Decimal, saved: Decimal, lines: list[Line], unpriced: list[Unpriced], region: Region
) -> str:
    least = "At least " if unpriced else ""
    parts = [f"{least}{total} USD a month for {counted(len(lines), 'component')} in {region.name}"]
    parts += [f"{saved} USD of that could be saved"] if saved else []
    whole, partly = _by_resource(lines, unpriced)
    if whole:
        parts += [
            f"{counted(len({each.resource.address for each in whole}), 'resource')} could not"
            " be priced"
        ]
    if partly:
        count = len({each.resource.address for each in partly})
        parts += [f"{counted(count, 'resource')} {'is' if count == 1 else 'are'} priced in part"]
    return f"{'; '.join(parts)}."


def _score(total: Decimal, saved: Decimal, budget: float | None) -> tuple[int, str]:
    if total == 0:
        return 100, "100: none of the priced components costs anything"
    share = _good(total, saved, budget) / total
    formula, inputs = "100 x (1 - savings / cost)", f"100 x (1 - {saved} / {total})"
    if budget:
        formula, inputs = (
            f"{formula} x min(1, budget / cost)",
            f"{inputs} x min(1, {budget:g} / {total})",
        )
    value = int((100 * max(ZERO, share)).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    return (
        value,
        (
            f"{formula} = {inputs}, rounded to the nearest whole number; unpriced components are"
            " not counted"
        ),
    )


def _good(total: Decimal, saved: Decimal, budget: float | None) -> Decimal:
    """The share of the cost that is well spent: without the savings, and capped by the budget."""
    return (total - saved) * (min(Decimal(1), Decimal(str(budget)) / total) if budget else 1)


def _share(total: Decimal, saved: Decimal, budget: float | None) -> Share | None:
    if not total:
        return None
    good = max(ZERO, _good(total, saved, budget))
    return Share(good=float(good), whole=float(total), unit="USD a month")


def _figures(
    region: Region,
    lines: list[Line],
    unpriced: list[Unpriced],
    egress: Price | None,
    total: Decimal,
    saved: Decimal,
    wanted: Requirements,
) -> Iterator[Figure]:
    source = (
        f"sum of {counted(len(lines), 'priced component')}{' and egress' if egress else ''},"
        f" {HOURS_PER_MONTH} hours a month"
    )
    yield Figure(
        key="monthly_cost", label="Cost", value=float(total), unit="USD a month", source=source
    )
    yield Figure(
        key="region", label="Region of the prices", value=region.name, source=region.source
    )
    yield Figure(
        key="savings",
        label="Possible savings",
        value=float(saved),
        unit="USD a month",
        source="sum of the savings in the findings, each the price before minus the price after",
    )
    yield _unpriced_figure(unpriced)
    if egress and wanted.egress_gb_month:
        source = (
            f"{wanted.egress_gb_month:g} GB (requirements, egress_gb_month) over the"
            f" {egress.source}"
        )
        yield Figure(
            key="egress",
            label="Egress",
            value=float(cents(egress.usd)),
            unit="USD a month",
            source=source,
        )
    if wanted.monthly_budget_usd:
        left = cents(Decimal(str(wanted.monthly_budget_usd)) - total)
        source = (
            f"budget {wanted.monthly_budget_usd:g} (requirements, monthly_budget_usd) - cost"
            f" {total}"
        )
        yield Figure(
            key="budget_left",
            label="Budget left",
            value=float(left),
            unit="USD a month",
            source=source,
        )


def _unpriced_figure(unpriced: list[Unpriced]) -> Figure:
    return Figure(
        key="unpriced",
        label="Unpriced components",
        value=len(unpriced),
        source="number of rows in the tables of unpriced components",
    )


def _unpriced_table(unpriced: list[Unpriced]) -> Table:
    return Table(
        key="unpriced",
        title="Not priced, and why",
        columns=["resource", "component", "reason"],
        units=["", "", ""],
        rows=[[each.resource.address, each.component, each.reason] for each in unpriced],
        source="resources without a known price, size or usage; they are not counted as 0",
    )


def _tables(
    region: Region, lines: list[Line], unpriced: list[Unpriced], egress: Price | None
) -> Iterator[Table]:
    ranked = sorted(
        lines, key=lambda each: (-each.monthly_usd, each.resource.address, each.component)
    )
    yield Table(
        key="cost",
        title="Cost by resource and component",
        columns=["resource", "component", "quantity", "unit", "price", "cost", "source"],
        units=["", "", "", "", "USD a unit", "USD a month", ""],
        rows=[as_row(each) for each in ranked],
        source=(
            f"on-demand list prices in {region.name} ({region.source}), {HOURS_PER_MONTH} hours a"
            " month, no tax"
        ),
    )
    yield from _price_lists(lines)
    whole, partly = _by_resource(lines, unpriced)
    if whole:
        yield _unpriced_table(whole)
    if partly:
        yield Table(
            key="partly_priced",
            title="Priced in part: what is missing, and why",
            columns=["resource", "priced", "missing", "reason"],
            units=["", "", "", ""],
            rows=[
                [each.resource.address, _priced_parts(each, lines), each.component, each.reason]
                for each in partly
            ],
            source=(
                "missing parts of priced resources: without a known price, size or usage; they"
                " are not counted as 0"
            ),
        )


def _price_lists(lines: list[Line]) -> Iterator[Table]:
    """The lists behind the prices, oldest first."""
    found: dict[tuple[str, str], list[Decimal]] = {}
    for line in lines:
        if line.price.as_of:
            key = (line.price.as_of, line.price.listed)
            found.setdefault(key, []).append(line.monthly_usd)
    if found:
        yield Table(
            key="price_lists",
            title="Price lists behind the cost",
            columns=["list", "as of", "components", "cost"],
            units=["", "", "", "USD a month"],
            rows=[
                [listed, as_of, len(each), float(sum(each, ZERO))]
                for (as_of, listed), each in sorted(found.items())
            ],
            source="the list and the day of each priced component, as its source cites them",
        )


def _by_resource(
    lines: list[Line], unpriced: list[Unpriced]
) -> tuple[list[Unpriced], list[Unpriced]]:
    """What belongs to resources without any price, and what is missing from those with one, so that
    no resource is listed as both priced and unpriced."""
    priced = {each.resource.address for each in lines}
    whole = [each for each in unpriced if each.resource.address not in priced]
    return whole, [each for each in unpriced if each.resource.address in priced]


def _priced_parts(missing: Unpriced, lines: list[Line]) -> str:
    address = missing.resource.address
    return ", ".join(each.component for each in lines if each.resource.address == address)
