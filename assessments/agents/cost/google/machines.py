"""Compute Engine machines, alone and in managed groups.

Price: hours of a month x the type's price for a machine that runs all month (google.json.gz), plus
the license of Windows, RHEL or SLES. Spot machines have no list price, and accelerators added to a
machine have none here; types that come with theirs (A2, G2) include it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import (
    block,
    blocks,
    declared,
    first,
    flag,
    number,
    text,
    whole,
)
from assessments.agents.cost.google.disks import LOCAL_SSD_GB, disk_entry
from assessments.agents.cost.price_list import HOURS, Entry, Line, Price, Unpriced, cents
from assessments.agents.cost.references import referred
from assessments.agents.google_machines import (
    address_price,
    hourly_rate,
    price_list,
    price_source,
    source,
    system_fee,
)
from assessments.agents.wording import counted

if TYPE_CHECKING:
    from assessments.scan.types import Resource

OPEN = "can't be determined from the code"
_SYSTEMS = {
    "windows": re.compile(r"windows", re.IGNORECASE),
    "rhel": re.compile(r"rhel|red-?hat", re.IGNORECASE),
    "sles": re.compile(r"(?:^|[^a-z])sles|(?:^|[^a-z])suse", re.IGNORECASE),
}
SYSTEM_NAMES = {"windows": "Windows", "rhel": "RHEL", "sles": "SLES"}
STANDARD_BY_DEFAULT = ("a2", "c2", "c2d", "e2", "f1", "g1", "m1", "n1", "n2", "n2d", "t2d")
"""Families whose disks are pd-standard unless another type is declared; newer ones don't support it
(Compute Engine API, ``disks[].initializeParams.diskType``)."""


@dataclass(frozen=True, slots=True)
class Bought:
    """How identical machines are purchased. ``system`` is a key of SYSTEM_NAMES, empty for Linux
    without a fee; ``spot`` is None if it can't be determined."""

    machine_type: str | None
    count: int | None
    system: str = ""
    spot: bool | None = False


def machine_price(machine_type: str, region: str) -> Price | None:
    """USD an hour of a machine that runs all month; None if we have no price."""
    rate = hourly_rate(machine_type, region)
    if rate is None:
        return None
    return Price(Decimal(str(rate.paid)), price_source(machine_type, region, rate), *price_list())


def instance(
    resource: Resource,
    attributes: Mapping[str, Any],
    region: str,
    resources: Mapping[str, Resource],
) -> Iterator[Entry]:
    boot = block(attributes.get("boot_disk"))
    made = block(boot.get("initialize_params"))
    kind = text(attributes.get("machine_type"))
    system = _system(made.get("image"))
    yield from compute(resource, Bought(kind, 1, system, _spot(attributes)), region)
    if not boot.get("source"):
        size, disk = number(made.get("size")), _disk_type(made.get("type"), kind)
        yield disk_entry(resource, "boot disk", disk, size, 1, region)
    yield from _beside(resource, attributes, 1, region)


def managed_group(
    resource: Resource,
    attributes: Mapping[str, Any],
    region: str,
    resources: Mapping[str, Resource],
) -> Iterator[Entry]:
    """Machines created from a template: ``target_size`` of them, otherwise an autoscaler's
    minimum."""
    template = _template(resource, resources)
    if template is None:
        yield Unpriced(resource, "machines", f"their template {OPEN}")
        return
    shape = template.attributes
    count = _size(resource, attributes, resources)
    kind = text(shape.get("machine_type"))
    disks = blocks(shape.get("disk"))
    system = _system(next((each.get("source_image") for each in disks), None))
    yield from compute(resource, Bought(kind, count, system, _spot(shape)), region)
    if not count:
        return
    for position, each in enumerate(disks):
        if text(each.get("type")) != "SCRATCH" and not each.get("source"):
            name = "boot disks" if flag(each.get("boot")) or not position else f"disks {position}"
            size, disk = number(each.get("disk_size_gb")), _disk_type(each.get("disk_type"), kind)
            yield disk_entry(resource, name, disk, size, count, region)
    yield from _beside(resource, shape, count, region)


def compute(resource: Resource, bought: Bought, region: str) -> Iterator[Entry]:
    """The hours of the machines, and of their licenses."""
    if bought.machine_type is None or bought.count is None:
        what = "type" if bought.machine_type is None else "number"
        yield Unpriced(resource, "machines", f"their {what} {OPEN}")
        return
    if bought.count == 0:
        return
    kind, hours = bought.machine_type, HOURS * bought.count
    price = machine_price(kind, region)
    if price is None:
        why = f"no known price for {kind} in {region}; needs Google's price for it"
        yield Unpriced(resource, kind, why, hours, "hours")
        return
    if bought.spot is not False:
        most = f"on demand it is {cents(hours * price.usd)} USD a month"
        why = (
            f"whether they are bought on the spot market {OPEN} ({most})"
            if bought.spot is None
            else f"spot capacity has no list price; needs the price you pay ({most})"
        )
        name = f"{counted(bought.count, kind)}, spot"
        yield Unpriced(resource, name, why, hours, "hours")
        return
    yield Line(resource, kind, hours, "hours", price)
    if bought.system:
        yield _license(resource, kind, bought.system, hours)


def is_spot(attributes: Mapping[str, Any]) -> bool | None:
    """The purchase declared by a node's configuration or by a scheduling block."""
    model = declared(attributes, "provisioning_model", "STANDARD")
    marks = [flag(declared(attributes, key, False)) for key in ("preemptible", "spot")]
    if True in marks or model == "SPOT":
        return True
    return None if None in marks or text(model) is None else False


def _spot(attributes: Mapping[str, Any]) -> bool | None:
    return is_spot(block(attributes.get("scheduling")))


def _license(resource: Resource, kind: str, system: str, hours: Decimal) -> Entry:
    name = SYSTEM_NAMES[system]
    fee = system_fee(kind, system)
    if fee is None:
        return Unpriced(resource, f"{name} license", f"no known price on {kind}")
    cited = source(f"{name} license on {kind}")
    return Line(
        resource, f"{name} license", hours, "hours", Price(Decimal(str(fee)), cited, *price_list())
    )


def _beside(
    resource: Resource, attributes: Mapping[str, Any], count: int, region: str
) -> Iterator[Entry]:
    """Local disks, addresses and accelerators of each machine."""
    local = len(blocks(attributes.get("scratch_disk", [])))
    if local:
        size = LOCAL_SSD_GB * local
        yield disk_entry(resource, "local SSD", "local-ssd", size, count, region)
    configs = [
        config
        for each in blocks(attributes.get("network_interface", []))
        for config in blocks(each.get("access_config", []))
    ]
    addresses = sum(1 for each in configs if not each.get("nat_ip"))
    usd = address_price(region)
    if addresses and usd is not None:
        cited = source(f"external IPv4 address in use in {region}")
        hours, price = HOURS * addresses * count, Price(Decimal(str(usd)), cited, *price_list())
        yield Line(resource, "external IPv4 address", hours, "hours", price)
    for each in blocks(attributes.get("guest_accelerator", [])):
        kind = text(each.get("type")) or "accelerator"
        why = "no known price for added accelerators; needs Google's price for it"
        yield Unpriced(resource, kind, why)


def _disk_type(declared: object, machine_type: str | None) -> str | None:
    """``pd-ssd`` from a name or a link; the family's default if nothing is declared."""
    if declared is None:
        family = (machine_type or "").partition("-")[0]
        return "pd-standard" if family in (*STANDARD_BY_DEFAULT, "custom") else None
    named = text(declared)
    return named.rpartition("/")[2] if named else None


def _system(image: object) -> str:
    words = str(image or "")
    return next((name for name, pattern in _SYSTEMS.items() if pattern.search(words)), "")


def _template(resource: Resource, resources: Mapping[str, Resource]) -> Resource | None:
    for at in ("version", "instance_template"):
        found = referred(resource, at, resources)
        if found is not None and found.type.endswith("_instance_template"):
            return found
    return None


def _size(
    resource: Resource, attributes: Mapping[str, Any], resources: Mapping[str, Resource]
) -> int | None:
    if "target_size" in attributes and attributes["target_size"] is not None:
        return whole(attributes["target_size"])
    for each in resources.values():
        if each.type.endswith("_autoscaler") and referred(each, "target", resources) is resource:
            policy = block(each.attributes.get("autoscaling_policy"))
            return whole(first(policy, "min_replicas"))
    return None
