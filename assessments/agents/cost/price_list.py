"""Monthly price of each resource, by component, in USD: EC2 from ec2.json.gz, the rest from
cost_facts.json.

A month has 730 hours (8,760 hours a year / 12, as AWS's own calculator takes it). Each component is
rounded to the cent, half up; totals add up the rounded components. What has no price is listed,
never counted as 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import flag, text
from assessments.agents.datasets import load
from assessments.agents.instance_types import hourly_price, price_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.agents.inventory import (
        Cache,
        Database,
        Inventory,
        LoadBalancer,
        Machines,
        Service,
        Volume,
    )
    from assessments.scan.types import Resource

ZERO = Decimal(0)
HOURS_PER_MONTH = 730
FACTS = "cost_facts.json"
CENT = Decimal("0.01")
GP3_FREE_IOPS, GP3_FREE_MBS = 3000, 125
"""What a gp3 volume brings without extra charge (Amazon EBS User Guide, "General Purpose SSD
volumes")."""


@dataclass(frozen=True, slots=True)
class Price:
    """USD for one unit; ``source`` cites the table's page and date."""

    usd: Decimal
    source: str


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
    """A component without a price, and why."""

    resource: Resource
    component: str
    reason: str


Entry = Line | Unpriced


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def price_entries(inventory: Inventory, region: str) -> Iterator[Entry]:
    """Every component of every billable resource of ``inventory``, priced in ``region`` or unpriced
    with a reason."""
    with_volumes = {volume.resource.address for volume in inventory.volumes}
    for machines in inventory.machines:
        yield from _machines(machines, region, with_volumes)
    for volume in inventory.volumes:
        yield from volume_entries(volume, region)
    for database in inventory.databases:
        yield from _database(database, region)
    for cache in inventory.caches:
        yield from _cache(cache, region)
    for balancer in inventory.load_balancers:
        yield from _balancer(balancer, region)
    for service in inventory.services:
        yield from _service(service, region)


def fact(key: str, region: str) -> Price | None:
    """The price ``key`` of the facts table in ``region``; None where the table holds none."""
    data = load(FACTS)
    row = data["prices"].get(key)
    usd = row and row["prices"].get(region, row["prices"].get("*"))
    if not row or usd is None:
        return None
    return Price(
        Decimal(str(usd)),
        f"{key} in {region}, per {row['unit']}, {row['url']}, as of {data['header']['as_of']}",
    )


def machine_price(instance_type: str | None, region: str) -> Price | None:
    """USD an hour of an EC2 type, on demand, Linux, shared tenancy."""
    usd = hourly_price(instance_type, region) if instance_type else None
    return Price(Decimal(str(usd)), price_source(str(instance_type), region)) if usd else None


def database_price(database: Database, instance_class: str | None, region: str) -> Price | None:
    """USD an hour of an RDS class for the database's engine and shape; None where it is not in the
    table."""
    engine = {"mysql": "mysql", "mariadb": "mysql", "postgres": "postgres"}.get(
        database.engine or ""
    )
    if database.service != "rds" or not engine or database.multi_zone is None:
        return None
    return fact(
        f"rds.{engine}.{'multi' if database.multi_zone else 'single'}.{instance_class}", region
    )


def egress_usd(gigabytes: float, region: str) -> Price | None:
    """USD a month for ``gigabytes`` to the internet, over the tiers of the facts table; None
    outside its regions."""
    data = load(FACTS)
    if region not in data["egress"]["regions"]:
        return None
    left, below, total = Decimal(str(gigabytes)), Decimal(0), Decimal(0)
    for limit, usd in data["egress"]["tiers"]:
        size = left if limit is None else min(left, Decimal(limit) - below)
        total += size * Decimal(str(usd))
        left -= size
        below = below if limit is None else Decimal(limit)
    return Price(
        total,
        f"tiers of {data['egress']['url']}, as of {data['header']['as_of']}, first 100 GB free",
    )


def volume_entries(volume: Volume, region: str) -> Iterator[Entry]:
    """Size, provisioned IOPS and throughput of block storage, times the machines that carry such a
    volume."""
    name = volume.part or "volume"
    if volume.size_gb is None:
        yield Unpriced(
            volume.resource, name, "its size is set by the image or snapshot: declare volume_size"
        )
        return
    kind = volume.type or "unknown"
    count = Decimal(volume.count)
    size = Decimal(str(volume.size_gb)) * count
    yield _entry(volume.resource, f"{name} {kind} storage", size, "GB", f"ebs.{kind}", region)
    if kind == "io1" and volume.iops:
        iops = Decimal(str(volume.iops)) * count
        yield _entry(volume.resource, f"{name} io1 IOPS", iops, "IOPS", "ebs.io1.iops", region)
    if kind == "gp3":
        for extra, part in ((volume.iops, "iops"), (volume.throughput_mbs, "throughput")):
            above = Decimal(str(extra or 0)) - (GP3_FREE_IOPS if part == "iops" else GP3_FREE_MBS)
            if above > 0:
                yield _entry(
                    volume.resource,
                    f"{name} gp3 {part}",
                    above * count,
                    part,
                    f"ebs.gp3.{part}",
                    region,
                )


def _machines(machines: Machines, region: str, with_volumes: set[str]) -> Iterator[Entry]:
    if machines.service not in ("ec2", "asg", "eks_nodes"):
        yield Unpriced(
            machines.resource,
            "compute",
            f"no price is held for {machines.service.replace('_', ' ')}",
        )
        return
    if machines.count is None or machines.instance_type is None:
        yield Unpriced(
            machines.resource, "instances", "their number or type can't be told from the code"
        )
        return
    price = machine_price(machines.instance_type, region)
    if price is None:
        yield Unpriced(
            machines.resource, machines.instance_type, f"no trustworthy price is held in {region}"
        )
        return
    hours = Decimal(machines.count * HOURS_PER_MONTH)
    yield Line(machines.resource, f"{machines.instance_type} instances", hours, "hours", price)
    if flag(machines.resource.attributes.get("associate_public_ip_address")):
        yield _entry(
            machines.resource, "public IPv4 address", hours, "hours", "public_ipv4.hour", region
        )
    if machines.service == "ec2" and machines.resource.address not in with_volumes:
        yield Unpriced(
            machines.resource,
            "root volume",
            "its size is set by the image: declare root_block_device",
        )


def _database(database: Database, region: str) -> Iterator[Entry]:
    price = database_price(database, database.instance_class, region)
    label = database.instance_class or database.service
    if price is None:
        why = f"no price is held for {label}, engine {database.engine or 'unknown'}, in {region}"
        if database.multi_zone is None:
            why = "whether it has a standby in a second zone can't be told from the code"
        yield Unpriced(database.resource, "database", why)
        return
    shape = "multi-AZ" if database.multi_zone else "single-AZ"
    yield Line(database.resource, f"{label} {shape}", Decimal(HOURS_PER_MONTH), "hours", price)
    if database.storage_gb is None:
        yield Unpriced(database.resource, "storage", "allocated_storage is not declared")
        return
    copies = Decimal(2 if database.multi_zone else 1)
    kind = database.storage_type or "gp2"
    size = Decimal(str(database.storage_gb)) * copies
    yield _entry(database.resource, f"{kind} storage", size, "GB", f"rds.storage.{kind}", region)
    if kind == "gp3" and database.iops:
        yield Unpriced(
            database.resource, "gp3 IOPS", "no price is held for IOPS above what gp3 brings"
        )
    if kind == "io1" and database.iops:
        iops = Decimal(str(database.iops)) * copies
        yield _entry(database.resource, "io1 IOPS", iops, "IOPS", "rds.storage.io1.iops", region)


def _cache(cache: Cache, region: str) -> Iterator[Entry]:
    if cache.nodes is None or cache.node_type is None:
        yield Unpriced(
            cache.resource, "cache nodes", "their number or type can't be told from the code"
        )
        return
    hours = Decimal(cache.nodes * HOURS_PER_MONTH)
    yield _entry(
        cache.resource,
        f"{cache.node_type} nodes",
        hours,
        "hours",
        f"cache.{cache.node_type}",
        region,
    )


def _balancer(balancer: LoadBalancer, region: str) -> Iterator[Entry]:
    hours = Decimal(HOURS_PER_MONTH)
    yield _entry(
        balancer.resource,
        f"{balancer.kind} load balancer",
        hours,
        "hours",
        f"lb.{balancer.kind}.hour",
        region,
    )
    if balancer.internal is False and balancer.kind in ("application", "network"):
        if balancer.zones is None:
            yield Unpriced(
                balancer.resource,
                "public IPv4 addresses",
                "one for each zone: the subnets aren't known",
            )
        else:
            addresses = hours * balancer.zones
            yield _entry(
                balancer.resource,
                "public IPv4 addresses",
                addresses,
                "hours",
                "public_ipv4.hour",
                region,
            )
    yield Unpriced(
        balancer.resource,
        "capacity units",
        "depends on traffic, which no field of the requirements gives",
    )


def _service(service: Service, region: str) -> Iterator[Entry]:
    hours, month = Decimal(HOURS_PER_MONTH), Decimal(1)
    if service.kind == "nat":
        yield _entry(service.resource, "NAT gateway", hours, "hours", "nat.hour", region)
        yield Unpriced(
            service.resource,
            "data processed",
            "depends on traffic, which no field of the requirements gives",
        )
    elif service.kind == "eks":
        yield _entry(service.resource, "control plane", hours, "hours", "eks.hour", region)
    elif service.kind == "public_ipv4":
        yield _entry(
            service.resource, "public IPv4 address", hours, "hours", "public_ipv4.hour", region
        )
    elif service.kind == "kms":
        yield _entry(service.resource, "key", month, "months", "kms.key", region)
    elif service.kind == "dns_zone":
        yield _entry(service.resource, "hosted zone", month, "months", "route53.zone", region)
    else:
        mode = text(service.attributes.get("billing_mode")) or "usage"
        yield Unpriced(
            service.resource,
            service.kind,
            f"billed by {mode.lower().replace('_', ' ')}, which isn't known",
        )


def _entry(
    resource: Resource, component: str, quantity: Decimal, unit: str, key: str, region: str
) -> Entry:
    price = fact(key, region)
    if price is None:
        return Unpriced(resource, component, f"no price is held for {key} in {region}")
    return Line(resource, component, quantity, unit, price)


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
