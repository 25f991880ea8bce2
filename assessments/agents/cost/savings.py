"""Ways to pay less for the same: newer volumes and machines, fewer gateways."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from assessments.agents.cost.databases import database_price
from assessments.agents.cost.entries import Estate
from assessments.agents.cost.machines import EC2_SERVICES, machine_price, on_demand_linux
from assessments.agents.cost.price_list import HOURS_PER_MONTH, ZERO, Line, Price, cents, fact
from assessments.agents.cost.volumes import GP3_FREE_IOPS, volume_entries
from assessments.agents.families import (
    GRAVITON,
    GRAVITON_PAGE,
    NEWER,
    PREVIOUS_GENERATION_PAGE,
    moved,
)
from assessments.agents.inventory import Database, Service, Volume
from assessments.agents.wording import counted
from assessments.requirements import Criticality, Requirements
from assessments.scan.types import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


GP2_LARGE_GB = 170
"""Above this size gp2 gives up to 250 MB/s, so gp3 is priced with the extra throughput (Amazon EBS
User Guide, "General Purpose SSD volumes")."""
GP2_IOPS_PER_GB = 3
GP3_MOST_IOPS = 16_000


@dataclass(frozen=True, slots=True)
class Saving:
    """A way to pay less. ``monthly_usd`` is before minus after, each rounded to the cent."""

    rule: str
    title: str
    resource: Resource
    monthly_usd: Decimal
    expected: str
    actual: str
    why: str
    remediation: str
    reference: str
    part: str = ""


def find_savings(estate: Estate, wanted: Requirements) -> Iterator[Saving]:
    """Savings against what the components cost today; machines that aren't purchased on demand have
    no price to save from, and Windows doesn't run on arm64."""
    inventory, region = estate.inventory, estate.region
    for volume in inventory.volumes:
        yield from _gp3_saving(volume, region(volume.resource))
    for machines in inventory.machines:
        if machines.service in EC2_SERVICES:
            for instance_type, count in on_demand_linux(machines, estate.images):
                where = region(machines.resource)
                yield from _machine_savings(machines.resource, instance_type, count, where)
    for database in inventory.databases:
        yield from _database_saving(database, region(database.resource), estate.resources)
    yield from _nat_savings(estate, wanted)


def _database_saving(
    database: Database, region: str, resources: Mapping[str, Resource]
) -> Iterator[Saving]:
    newer = moved((database.instance_class or "").removeprefix("db."), GRAVITON)
    before = database_price(database, database.instance_class, region, resources)
    after = database_price(database, f"db.{newer}", region, resources) if newer else None
    yield from _cheaper(
        database.resource,
        str(database.instance_class),
        f"db.{newer}",
        before,
        after,
        1,
        "graviton",
    )


def _gp3_saving(volume: Volume, region: str) -> Iterator[Saving]:
    """gp2 compared with a gp3 volume that has at least the same IOPS and throughput."""
    if volume.type != "gp2" or volume.size_gb is None:
        return
    iops = min(GP3_MOST_IOPS, max(GP3_FREE_IOPS, GP2_IOPS_PER_GB * volume.size_gb))
    throughput = 250 if volume.size_gb > GP2_LARGE_GB else 125
    like = Volume(
        volume.resource, volume.part, "gp3", volume.size_gb, iops, throughput, volume.count
    )
    saved = _sum(volume, region) - _sum(like, region)
    if fact("ebs.gp3", region) and saved > 0:
        yield Saving(
            "im-cost-gp3",
            "Volume type gp2 costs more than gp3",
            volume.resource,
            saved,
            expected=f"gp3, {volume.size_gb:g} GB, {iops:g} IOPS, {throughput} MB/s",
            actual=(
                f"gp2, {volume.size_gb:g} GB,"
                f" {counted(volume.count, 'volume')} {volume.part}".rstrip()
            ),
            why="gp3 costs less per GB and is at least as fast here.",
            remediation=("Set the volume type to gp3; the volume stays in use during the change."),
            reference="https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html",
            part=volume.part,
        )


def _sum(volume: Volume, region: str) -> Decimal:
    return sum(
        (each.monthly_usd for each in volume_entries(volume, region) if isinstance(each, Line)),
        ZERO,
    )


def _machine_savings(
    resource: Resource, instance_type: str, count: int, region: str
) -> Iterator[Saving]:
    """First the step to a newer x86 family, then the further step to arm64; the amounts add up
    without overlap."""
    before = machine_price(instance_type, region)
    newer = moved(instance_type, NEWER)
    after = machine_price(newer, region)
    yield from _cheaper(resource, instance_type, str(newer), before, after, count, "generation")
    base, start = (
        (str(newer), after)
        if after and before and after.usd < before.usd
        else (instance_type, before)
    )
    arm = moved(base, GRAVITON)
    yield from _cheaper(
        resource, base, str(arm), start, machine_price(arm, region), count, "graviton"
    )


def _cheaper(
    resource: Resource,
    old: str,
    new: str,
    before: Price | None,
    after: Price | None,
    count: int,
    kind: str,
) -> Iterator[Saving]:
    if before is None or after is None or after.usd >= before.usd:
        return
    hours = Decimal(count * HOURS_PER_MONTH)
    saved = cents(hours * before.usd) - cents(hours * after.usd)
    arm = kind == "graviton"
    yield Saving(
        f"im-cost-{kind}",
        f"{'An arm64' if arm else 'A newer'} instance type costs less",
        resource,
        saved,
        expected=f"{new} at {after.usd} USD an hour",
        actual=f"{old} at {before.usd} USD an hour, {count} of them",
        why=f"{before.source}; {after.source}.",
        remediation=f"Change the type to {new}"
        + (
            " after building and testing the software for arm64."
            if arm
            else ": the same size, one generation on."
        ),
        reference=GRAVITON_PAGE if arm else PREVIOUS_GENERATION_PAGE,
    )


def _nat_savings(estate: Estate, wanted: Requirements) -> Iterator[Saving]:
    gateways = estate.inventory.of_kind("nat")
    for region in sorted({estate.region(each.resource) for each in gateways}):
        near = [each for each in gateways if estate.region(each.resource) == region]
        yield from _nat_saving(near, region, wanted)


def _nat_saving(gateways: list[Service], region: str, wanted: Requirements) -> Iterator[Saving]:
    """One gateway instead of several in a region, for non-critical workloads: it trades the zones'
    independence for the price."""
    price = fact("nat.hour", region)
    relaxed = wanted.criticality in (Criticality.LOW, Criticality.MEDIUM)
    if len(gateways) < 2 or price is None or not relaxed:
        return
    surplus = len(gateways) - 1
    yield Saving(
        "im-cost-nat",
        "Several NAT gateways for a workload that isn't critical",
        gateways[-1].resource,
        cents(Decimal(HOURS_PER_MONTH) * price.usd) * surplus,
        expected="1 NAT gateway",
        actual=f"{len(gateways)} NAT gateways",
        why=(
            f"Each costs {price.usd} USD an hour. The saving has a price: a zone's failure then"
            " cuts the others off."
        ),
        remediation=(
            "Route all private subnets through one gateway, if criticality really is what was"
            " stated."
        ),
        reference="https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html",
    )
