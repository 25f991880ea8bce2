"""Components that are billed by use.

    quantity a month = product of the amounts x factor; USD = quantity x price, tier by tier

The amounts come from ``Requirements.usage``, or follow from ``rps_now`` and ``data_gb`` where only
one resource can be meant. Without an amount a component is unpriced, and the reason has its price.
Free tiers are an account's, not a resource's, and are not taken off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assessments.agents.cost.meters import LIMITS, STORES, WORDS, Meter, Metered, metered, meters_of
from assessments.agents.cost.price_list import HOURS, ONE, ZERO, Entry, Line, Unpriced, fact
from assessments.agents.wording import joined
from assessments.requirements import Measure

if TYPE_CHECKING:
    from assessments.agents.inventory import Inventory
    from assessments.requirements import Requirements
    from assessments.scan.types import Resource

SECONDS = HOURS * 3600
CHEAP = Decimal("0.001")
"""Prices below this are written per million."""


@dataclass(frozen=True, slots=True)
class Amount:
    value: Decimal
    source: str


Amounts = Mapping[tuple[str, Measure], Amount]
"""What is known of the use, by address and measure."""


def amounts_of(
    wanted: Requirements, inventory: Inventory, resources: Iterable[Resource]
) -> dict[tuple[str, Measure], Amount]:
    """What is stated of each resource. The requests to the scope's only API follow from
    ``rps_now`` if no balancer takes requests too, and what its only store holds from
    ``data_gb``."""
    billed = [(each, found.row) for each in resources if (found := metered(each))]
    apis = [each for each, row in billed if row.startswith("api.")]
    stores = [each for each, row in billed if row in STORES]
    amounts: dict[tuple[str, Measure], Amount] = {}
    if wanted.rps_now and len(apis) == 1 and not inventory.load_balancers:
        source = f"rps_now {wanted.rps_now:,.12g} (requirements) x {SECONDS:,} s, to the only API"
        value = Decimal(str(wanted.rps_now)) * SECONDS
        amounts[apis[0].address, Measure.REQUESTS] = Amount(value, source)
    if wanted.data_gb and len(stores) == 1 and not inventory.databases:
        source = f"data_gb {wanted.data_gb:,.12g} (requirements), in the only store"
        amount = Amount(Decimal(str(wanted.data_gb)), source)
        amounts[stores[0].address, Measure.STORAGE_GB] = amount
    for each in wanted.usage:
        source = f"{each.amount:,.12g} {WORDS[each.measure]} (requirements, usage)"
        amounts[each.resource, each.measure] = Amount(Decimal(str(each.amount)), source)
    return amounts


def usage_entries(resource: Resource, region: str, amounts: Amounts) -> Iterator[Entry]:
    """The components of a resource that are billed by use."""
    billed = metered(resource)
    if billed is None:
        return
    unknown: list[Meter] = []
    for meter in meters_of(billed):
        known = [amounts.get((resource.address, each)) for each in meter.needs]
        given = [each for each in known if each is not None]
        quantity = billed.factor if len(known) > 1 else ONE
        if len(given) < len(known) or quantity is None:
            unknown.append(meter)
            continue
        for each in given:
            quantity *= each.value
        sources = [each.source for each in given]
        sources += [billed.factor_source] if len(known) > 1 else []
        cited = ", ".join(sources)
        yield from _tiers(resource, meter, quantity, _key(meter, billed), region, cited)
    if unknown:
        yield _unknown(resource, unknown, billed, region, amounts)


def asked_rows(resources: Iterable[Resource], amounts: Amounts) -> Iterator[list[Any]]:
    """Resource, measure, its words, the amount (None if unknown) and its source, for each amount
    that a price depends on."""
    for resource in resources:
        billed = metered(resource)
        needs = [each for meter in meters_of(billed) for each in meter.needs] if billed else []
        for measure in dict.fromkeys(needs):
            known = amounts.get((resource.address, measure))
            value, source = (float(known.value), known.source) if known else (None, "")
            yield [resource.address, measure.value, WORDS[measure], value, source]


def _tiers(
    resource: Resource, meter: Meter, quantity: Decimal, key: str, region: str, cited: str
) -> Iterator[Entry]:
    bounds = [ZERO, *(Decimal(each) for each in LIMITS.get(key, ()))]
    for tier, low in enumerate(bounds, start=1):
        high = bounds[tier] if tier < len(bounds) else quantity
        size = min(quantity, high) - low
        if size <= 0 and low:
            return
        name = f"{meter.component} above {low:,f} {meter.unit}" if low else meter.component
        price = fact(_rate(key, tier), region)
        if price is None:
            yield Unpriced(resource, name, _missing(key, region), size, meter.unit)
        else:
            price = replace(price, source=f"{price.source}; {cited}")
            yield Line(resource, name, size, meter.unit, price)


def _unknown(
    resource: Resource, meters: list[Meter], billed: Metered, region: str, amounts: Amounts
) -> Unpriced:
    """One entry for everything that isn't known: the known prices, and what is missing."""
    prices, missing = [], []
    for meter in meters:
        key = _key(meter, billed)
        price = fact(_rate(key, 1), region)
        prices.append(_per(price.usd, meter.unit) if price else _missing(key, region))
        missing += [] if price else ["a price in the price book"]
        missing += [WORDS[each] for each in meter.needs if (resource.address, each) not in amounts]
    missing = list(dict.fromkeys(missing)) or ["its memory_size"]
    names = ", ".join(each.component for each in meters)
    why = f"{', '.join(dict.fromkeys(prices))}; needs {joined(missing)}"
    return Unpriced(resource, names, why)


def _key(meter: Meter, billed: Metered) -> str:
    return meter.key.format(billed.variant)


def _rate(key: str, tier: int) -> str:
    return f"{key}.{tier}" if key in LIMITS else key


def _per(usd: Decimal, unit: str) -> str:
    """``0.2 USD per million requests``."""
    many = usd < CHEAP
    amount = (usd * (1_000_000 if many else 1)).normalize()
    return f"{amount:f} USD per {'million ' if many else ''}{unit}"


def _missing(key: str, region: str) -> str:
    return f"no known price for {key} in {region}"
