"""What a price is: USD for a unit, with its source; priced and unpriced components of a resource.

A month has 730 hours (8,760 hours a year / 12, as in AWS's own calculator). Each component is
rounded to the cent, half up; totals add up the rounded components. Anything without a price is
listed, never counted as 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from assessments.agents.datasets import header, load

if TYPE_CHECKING:
    from assessments.scan.types import Resource

ZERO, ONE = Decimal(0), Decimal(1)
HOURS_PER_MONTH = 730
HOURS = Decimal(HOURS_PER_MONTH)
FACTS = "cost_facts.json"
LISTS = ("services.json.gz", "databases.json.gz", "nodes.json.gz")
"""The lists that have a price for each of their regions; no key is in two of them."""
EGRESS_LIMITS_GB = (100, 10_240, 51_200, 153_600, None)
"""Where the tiers of traffic to the internet end, in GB in all; the first is free (Amazon EC2
on-demand pricing page, "Data Transfer")."""
CENT = Decimal("0.01")
PAGES = {"azure": "Azure's price pages", "google": "Google Cloud's price pages"}
"""The source of the facts table's prices for clouds other than AWS, by the first part of the
key."""
TRAFFIC = "depends on traffic that no field of the requirements covers"


@dataclass(frozen=True, slots=True)
class Price:
    """USD for one unit; ``source`` cites the table's page and date. ``listed`` names the price list
    and ``as_of`` its day, ISO 8601; both are empty for a price that comes from no list."""

    usd: Decimal
    source: str
    listed: str = ""
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One component of one resource: quantity x price = USD a month."""

    resource: Resource
    component: str
    quantity: Decimal
    unit: str
    price: Price

    @property
    def monthly_usd(self) -> Decimal:
        return cents(self.quantity * self.price.usd)


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A component without a price: why, and what would resolve that. ``quantity`` in ``unit`` is
    set if only the price is missing."""

    resource: Resource
    component: str
    reason: str
    quantity: Decimal | None = None
    unit: str = ""


Entry = Line | Unpriced


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def fact(key: str, region: str) -> Price | None:
    """The price ``key`` in ``region``, of the facts table or else of the lists by region; None if
    none has it."""
    row = load(FACTS)["prices"].get(key)
    usd = row and row["prices"].get(region, row["prices"].get("*"))
    if not row or usd is None:
        return next((price for name in LISTS if (price := _by_region(name, key, region))), None)
    source = f"{key} in {region}, per {row['unit']}, {row['url']}, as of {row['as_of']}"
    listed = PAGES.get(key.partition(".")[0], "AWS's price pages")
    return Price(Decimal(str(usd)), source, listed, row["as_of"])


def _by_region(name: str, key: str, region: str) -> Price | None:
    """The price ``key`` of a list that has one for each of its regions."""
    data, cited = load(name), header(name)
    row = data["prices"].get(key)
    if row is None or region not in data["regions"]:
        return None
    usd = row["usd"][data["regions"].index(region)]
    if not usd:
        return None
    cited = replace(cited, as_of=row.get("as_of", cited.as_of))
    source = cited.cite(f"{key} in {region}, per {row['unit']}")
    if region in row.get("repaired", ()):
        source = f"{source}, repaired: its I/O-Optimized price divided by 1.3"
    return Price(Decimal(str(usd)), source, cited.source, cited.as_of)


def priced(
    resource: Resource, component: str, quantity: Decimal, unit: str, key: str, region: str
) -> Entry:
    """The component at the price ``key``; unpriced if the table has none for the region."""
    price = fact(key, region)
    if price is None:
        why = f"no known price for {key} in {region}; needs a price in the price book"
        return Unpriced(resource, component, why, quantity, unit)
    return Line(resource, component, quantity, unit, price)


def egress_usd(gigabytes: float, region: str) -> Price | None:
    """USD a month for ``gigabytes`` to the internet, across its tiers; None if the region has no
    price."""
    rates = [fact(f"egress.{tier}", region) for tier in range(1, len(EGRESS_LIMITS_GB))]
    left, below, total = Decimal(str(gigabytes)), ZERO, ZERO
    for limit, rate in zip(EGRESS_LIMITS_GB, [Price(ZERO, ""), *rates], strict=True):
        if rate is None:
            return None
        size = left if limit is None else min(left, Decimal(limit) - below)
        total += size * rate.usd
        left -= size
        below = below if limit is None else Decimal(limit)
    first = rates[0]
    return first and replace(
        first, usd=total, source=f"tiers, the first 100 GB free, of {first.source}"
    )


def as_row(line: Line) -> list[Any]:
    """Resource, component, quantity, unit, USD a unit, USD a month, source; numbers as floats for
    tables."""
    return [
        line.resource.address,
        line.component,
        float(line.quantity),
        line.unit,
        float(line.price.usd),
        float(line.monthly_usd),
        line.price.source,
    ]
