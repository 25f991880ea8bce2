"""The cost agent: what the declared resources cost a month, what could be saved, and how far the
budget reaches."""

from __future__ import annotations

from assessments.agents.cost.entries import price_entries, read_estate
from assessments.agents.cost.own_prices import Books
from assessments.agents.cost.places import cloud_of
from assessments.agents.cost.price_list import ZERO, Line, Price, Unpriced, cents, egress_usd
from assessments.agents.cost.result import not_assessed, result_of, with_usage
from assessments.agents.cost.savings import find_savings
from assessments.agents.inventory import Region, region_of
from assessments.agents.types import (
    PRICED_KINDS,
    Agent,
    AgentInput,
    AgentResult,
    Headline,
    OnProgress,
    Part,
)
from assessments.requirements import Requirements

NO_EGRESS = "Traffic to the internet is left out: it has no known price in these regions."


def run(data: AgentInput, on_progress: OnProgress) -> AgentResult:
    """Price the declared resources of AWS, Azure and Google Cloud, and find savings.

    Score: 100 x (1 - savings / cost) x min(1, budget / cost), the second factor only with a budget.
    When nothing can be priced the answer is NOT_ASSESSED.
    """
    region = region_of(data.requirements, data.resources)
    estate = read_estate(
        data.resources,
        default_region=region.name,
        wanted=data.requirements,
    )
    books = Books.of(data.prices, region=estate.region)
    steps = len(data.resources) + 2
    entries = []
    for done, entry in enumerate(price_entries(estate, books.applied), start=1):
        entries.append(entry)
        on_progress(min(done, steps - 2), steps, f"Priced {entry.resource.address}")
    lines = [each for each in entries if isinstance(each, Line)]
    unpriced = [each for each in entries if isinstance(each, Unpriced)]
    if not lines:
        return with_usage(not_assessed(data.resources, unpriced), estate)
    on_aws = any(not cloud_of(each.resource) for each in lines)
    egress = _egress(data.requirements, region, books) if on_aws else None
    on_progress(steps - 1, steps, "Priced egress")
    total = sum((line.monthly_usd for line in lines), ZERO) + (
        cents(egress.usd) if egress else ZERO
    )
    savings = sorted(
        books.savings(find_savings(estate, data.requirements)),
        key=lambda s: (-s.monthly_usd, s.resource.address),
    )
    on_progress(steps, steps, "Looked for savings")
    region = _region(region, {estate.region(each.resource) for each in lines})
    result = result_of(data.requirements, region, lines, unpriced, egress, total, savings)
    if data.requirements.egress_gb_month and egress is None:
        result = result.replace(summary=f"{result.summary} {NO_EGRESS}")
    return books.explained(with_usage(result, estate))


def _region(usual: Region, used: set[str]) -> Region:
    """The label for the region of the prices: the one they all share, otherwise their names."""
    if used == {usual.name}:
        return usual
    return Region(", ".join(sorted(used)), "each resource's own region", assumed=False)


def _egress(wanted: Requirements, region: Region, books: Books) -> Price | None:
    if not wanted.egress_gb_month:
        return None
    return books.egress(egress_usd(wanted.egress_gb_month, region.name), region.name)


AGENT = Agent(
    name="cost",
    label="Cost",
    run=run,
    reads=frozenset({Part.RESOURCES}),
    looks_at=PRICED_KINDS,
    headline=Headline(
        summed=("monthly_cost", "savings", "unpriced", "egress"),
        leading="monthly_cost",
        left_out="unpriced",
    ),
)
