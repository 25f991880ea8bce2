"""EC2 instances, alone, in Auto Scaling groups and in EKS node groups.

Only on-demand capacity with shared tenancy has a list price here, for Linux and Windows. Spot,
dedicated and other capacity is named and left unpriced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Any

from assessments.agents.attributes import block, blocks, first, flag, text, whole
from assessments.agents.cost.price_list import HOURS, Entry, Line, Price, Unpriced, cents, priced
from assessments.agents.cost.purchase import Purchase, purchase_of
from assessments.agents.instance_types import (
    hourly_price,
    price_list,
    price_source,
    windows_fee,
    windows_source,
)
from assessments.agents.inventory import Machines, attributes_of
from assessments.agents.wording import counted
from assessments.scan.types import Resource

EC2_SERVICES = ("ec2", "asg", "eks_nodes")
METRICS = 7
"""Metrics per machine under detailed monitoring (Amazon CloudWatch pricing page, examples)."""
EBS_OPTIMIZED_FOR_A_FEE = ("c1", "c3", "g2", "i2", "m1", "m2", "m3", "r3")
OPEN = "can't be determined from the code"


@dataclass(frozen=True, slots=True)
class Batch:
    """Identical machines of one group. ``market`` is ``on-demand``, ``spot`` or another of
    EC2's."""

    instance_type: str
    count: int
    market: str


def machine_price(instance_type: str | None, region: str, system: str = "Linux") -> Price | None:
    """USD an hour of an EC2 type, on demand, shared tenancy; None if we have no price."""
    usd = hourly_price(instance_type, region) if instance_type else None
    if not usd or not instance_type:
        return None
    source = price_source(instance_type, region)
    if system == "Linux":
        return Price(Decimal(str(usd)), source, *price_list(instance_type, region))
    fee = windows_fee(instance_type) if system == "Windows" else None
    if fee is None:
        return None
    total = Decimal(str(usd)) + Decimal(str(fee))
    cited = f"{source}, {usd:g}; {windows_source(instance_type)}, {fee:g}"
    return Price(total, cited, *price_list(instance_type, region))


def machine_entries(
    machines: Machines, region: str, with_volumes: set[str], images: Mapping[str, Resource]
) -> Iterator[Entry]:
    resource = machines.resource
    found = batches(machines, images)
    if isinstance(found, str):
        yield Unpriced(resource, "instances", found)
        return
    if not found:
        return
    for batch in found:
        yield _batch(resource, batch, purchase(machines, images), region)
    yield from _beside(machines, with_volumes, region)


def purchase(machines: Machines, images: Mapping[str, Resource]) -> Purchase:
    attributes = attributes_of(machines.resource)
    own_image = "image_id" in (machines.template or {})
    if machines.service == "eks_nodes" and "ami_type" not in attributes and not own_image:
        attributes = {**attributes, "ami_type": "AL2023, the default"}
    return purchase_of(attributes, machines.template, images)


def on_demand_linux(machines: Machines, images: Mapping[str, Resource]) -> list[tuple[str, int]]:
    """The types and numbers that pay the on-demand Linux price with shared tenancy."""
    found, bought = batches(machines, images), purchase(machines, images)
    if isinstance(found, str) or bought.system != "Linux" or bought.tenancy != "default":
        return []
    return [(each.instance_type, each.count) for each in found if each.market == "on-demand"]


def batches(machines: Machines, images: Mapping[str, Resource]) -> list[Batch] | str:
    """The machines by type and market, or why they can't be determined."""
    attributes = attributes_of(machines.resource)
    if machines.count is None:
        return f"their number {OPEN}"
    if machines.count == 0:
        return []
    policy = block(attributes.get("mixed_instances_policy"))
    if machines.service == "asg" and policy:
        return _mixed(machines, policy)
    if machines.instance_type is None:
        return f"their type {OPEN}"
    market = purchase(machines, images).market
    if market is None:
        return f"whether they are bought on demand or on the spot market {OPEN}"
    return [Batch(machines.instance_type, machines.count, market)]


def _mixed(machines: Machines, policy: dict[str, Any]) -> list[Batch] | str:
    """On-demand and spot parts of a mixed group (Amazon EC2 Auto Scaling User Guide, "Auto Scaling
    groups with multiple instance types and purchase options"): the base first, then the percentage,
    rounded up in favor of on demand, which takes the first type listed."""
    template = block(policy.get("launch_template"))
    overrides = blocks(template.get("override", template.get("overrides")))
    if any("weighted_capacity" in each for each in overrides):
        return "their capacity is weighted; needs the types that run"
    if any("instance_requirements" in each for each in overrides):
        return "AWS chooses their types; needs the types that run"
    kind = text(overrides[0].get("instance_type")) if overrides else machines.instance_type
    share = block(policy.get("instances_distribution"))
    base = whole(share.get("on_demand_base_capacity", 0))
    percentage = whole(share.get("on_demand_percentage_above_base_capacity", 100), most=100)
    if kind is None or base is None or percentage is None or machines.count is None:
        return f"their types or their share on the spot market {OPEN}"
    above = max(0, machines.count - base)
    bought = Decimal(above * percentage) / 100
    on_demand = machines.count - above + int(bought.to_integral_value(ROUND_UP))
    parts = [Batch(kind, on_demand, "on-demand"), Batch(kind, machines.count - on_demand, "spot")]
    return [each for each in parts if each.count]


def _batch(resource: Resource, batch: Batch, bought: Purchase, region: str) -> Entry:
    name = f"{batch.instance_type} instances"
    price = machine_price(batch.instance_type, region, bought.system)
    hours = HOURS * batch.count
    most = f" (on demand it is {cents(hours * price.usd)} USD a month)" if price else ""
    if batch.market == "spot":
        why = f"spot capacity has no list price; needs the price you pay{most}"
        return Unpriced(
            resource,
            f"{counted(batch.count, f'{batch.instance_type} instance')}, spot",
            why,
            hours,
            "hours",
        )
    if batch.market != "on-demand":
        why = f"no known price for {batch.market}; needs your contract's price"
        return Unpriced(resource, name, why)
    if bought.tenancy == "host":
        why = "they run on a Dedicated Host, which is billed instead: declare or name the host"
        return Unpriced(resource, f"{name}, dedicated host", why)
    if bought.tenancy != "default":
        why = "no known price for dedicated tenancy; needs AWS's price for it"
        return Unpriced(resource, f"{name}, {bought.tenancy or 'unknown'} tenancy", why)
    if price is None:
        why = _missing(batch, bought, region)
        return Unpriced(resource, f"{name}, {bought.words}", why, hours, "hours")
    return Line(resource, f"{name}, {bought.words}", hours, "hours", price)


def _missing(batch: Batch, bought: Purchase, region: str) -> str:
    if machine_price(batch.instance_type, region) is None:
        return f"no trustworthy price for {batch.instance_type} in {region}"
    return f"no known price for the {bought.system} license of {batch.instance_type}"


def _beside(machines: Machines, with_volumes: set[str], region: str) -> Iterator[Entry]:
    """What comes with the machines: addresses, disks, options, and machines above the minimum."""
    resource, attributes = machines.resource, attributes_of(machines.resource)
    if flag(attributes.get("associate_public_ip_address")):
        hours = HOURS * (machines.count or 0)
        yield priced(resource, "public IPv4 address", hours, "hours", "public_ipv4.hour", region)
    if machines.service in ("ec2", "asg") and resource.address not in with_volumes:
        why = "its size is set by the image: declare the root block device"
        yield Unpriced(resource, "root volume", why)
    yield from _options(machines, region)
    sizes = {**attributes, **block(attributes.get("scaling_config"))}
    for key in ("desired_capacity", "desired_size"):
        if key in sizes and whole(sizes[key]) is None:
            yield Unpriced(resource, "instances above the minimum", f"{key} {OPEN}")


def spot_request_entries(
    resource: Resource, attributes: Mapping[str, Any], region: str
) -> Iterator[Entry]:
    kind = text(attributes.get("instance_type"))
    if kind is None:
        yield Unpriced(resource, "spot instance", f"its type {OPEN}")
        return
    yield _batch(resource, Batch(kind, 1, "spot"), purchase_of(attributes, None, {}), region)


def _options(machines: Machines, region: str) -> Iterator[Entry]:
    """Detailed monitoring, seven metrics per machine, and EBS optimization for types that don't
    include it."""
    resource, count = machines.resource, machines.count or 0
    shape = {**(machines.template or {}), **attributes_of(resource)}
    detailed = flag(
        first(block(shape.get("monitoring")), "enabled", default=shape.get("monitoring"))
    )
    if detailed:
        amount = Decimal(METRICS * count)
        key = "cloudwatch.metric"
        yield priced(resource, "detailed monitoring", amount, "metrics", key, region)
    family = (machines.instance_type or "").partition(".")[0]
    if flag(shape.get("ebs_optimized")) and family in EBS_OPTIMIZED_FOR_A_FEE:
        why = f"no known price for what {family} pays for EBS optimization"
        yield Unpriced(resource, "EBS optimization", why)
