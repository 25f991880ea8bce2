"""EC2 instance types: their shape and their on-demand price, from the data set ec2.json.gz."""

from __future__ import annotations

from dataclasses import dataclass

from assessments.agents.datasets import header, load

DATA = "ec2.json.gz"
TABLES = ("recent_prices", "list_prices", "prices")
"""In the order in which they count."""
REPAIRED = (
    "repaired: the source has no price here, or one for another tenancy, so the family's rate is"
    " used"
)


@dataclass(frozen=True, slots=True)
class Shape:
    """``network_gbps`` and ``disk_mbs`` are what the type sustains, not its burst; None where AWS
    names no figure."""

    vcpus: int
    memory_mib: int
    network_gbps: float | None
    disk_mbs: float | None
    architecture: str
    manufacturer: str | None
    current: bool


def shape_of(instance_type: str | None) -> Shape | None:
    """The shape of an EC2 type such as ``m5.large``; None for an unknown one."""
    row = load(DATA)["shapes"].get(instance_type)
    return Shape(*row) if row else None


def hourly_price(instance_type: str, region: str) -> float | None:
    """USD an hour on demand, Linux, shared tenancy; None where no trustworthy price is held."""
    for table in TABLES:
        if price := load(DATA)[table].get(region, {}).get(instance_type):
            return float(price)
    return None


def is_repaired(instance_type: str, region: str) -> bool:
    """Whether the price is not its source's own, but follows from those of its family."""
    return instance_type in load(DATA)["repaired"].get(region, ())


def windows_fee(instance_type: str) -> float | None:
    """USD an hour on top of the Linux price for the Windows license; None where it isn't known."""
    fee = load(DATA)["windows_fees"].get(instance_type)
    return float(fee) if fee else None


def shapes_source() -> str:
    fields = load(DATA)["header"]
    return f"{fields['shapes_source']} ({fields['shapes_url']})"


def price_source(instance_type: str, region: str) -> str:
    place = f"{instance_type} in {region}"
    table = _table(instance_type, region)
    mark = f", {REPAIRED}" if is_repaired(instance_type, region) else ""
    if table == TABLES[-1]:
        return f"{header(DATA).cite(place)}{mark}"
    fields, kind = load(DATA)["header"], table.removesuffix("_prices")
    source, day, url = (fields[f"{kind}_{key}"] for key in ("source", "as_of", "url"))
    return f"{source}, as of {day}, {place} ({url}){mark}"


def price_list(instance_type: str, region: str) -> tuple[str, str]:
    """The name of the list that the price is from, and its day."""
    fields, kind = load(DATA)["header"], _table(instance_type, region).partition("prices")[0]
    return str(fields[f"{kind}source"]), str(fields[f"{kind}as_of"])


def windows_source(instance_type: str) -> str:
    fields = load(DATA)["header"]
    return f"{fields['windows_source']}, as of {fields['as_of']}, {instance_type}"


def _table(instance_type: str, region: str) -> str:
    """The first table that has a price; the last where none has."""
    data = load(DATA)
    return next(
        (each for each in TABLES if data[each].get(region, {}).get(instance_type)), "prices"
    )
