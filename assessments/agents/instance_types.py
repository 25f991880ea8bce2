"""EC2 instance types: their shape and their on-demand price, from the data set ec2.json.gz."""

from __future__ import annotations

from dataclasses import dataclass

from assessments.agents.datasets import header, load

DATA = "ec2.json.gz"


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
    price = _listed(instance_type, region) or load(DATA)["prices"].get(region, {}).get(
        instance_type
    )
    return float(price) if price else None


def windows_fee(instance_type: str) -> float | None:
    """USD an hour on top of the Linux price for the Windows license; None where it isn't known."""
    fee = load(DATA)["windows_fees"].get(instance_type)
    return float(fee) if fee else None


def shapes_source() -> str:
    fields = load(DATA)["header"]
    return f"{fields['shapes_source']} ({fields['shapes_url']})"


def price_source(instance_type: str, region: str) -> str:
    place = f"{instance_type} in {region}"
    if _listed(instance_type, region) is None:
        return header(DATA).cite(place)
    fields = load(DATA)["header"]
    return f"{fields['list_source']}, as of {fields['list_as_of']}, {place} ({fields['list_url']})"


def windows_source(instance_type: str) -> str:
    fields = load(DATA)["header"]
    return f"{fields['windows_source']}, as of {fields['as_of']}, {instance_type}"


def _listed(instance_type: str, region: str) -> float | None:
    price = load(DATA)["list_prices"].get(region, {}).get(instance_type)
    return float(price) if price else None
