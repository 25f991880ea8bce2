"""Cloud SQL, Enterprise edition: vCPUs and memory, or a shared core, and storage.

Price: (vCPUs x USD an hour + GB x USD an hour) x 730, and GB of storage x USD a month
(cost_facts.json, ``google.sql.*``); all of it twice with a standby in another zone (Cloud SQL
pricing page). MySQL's predefined machine types have rates of their own, 0.02 % above this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import block, declared, number, text
from assessments.agents.cost.price_list import HOURS, Entry, Unpriced, priced

if TYPE_CHECKING:
    from assessments.scan.types import Resource

SHARED = ("db-f1-micro", "db-g1-small")
GB_PER_VCPU = {"n1-standard": Decimal("3.75"), "n1-highmem": Decimal("6.5")}
DEFAULT_GB = 10
COPIES = {"ZONAL": 1, "REGIONAL": 2}
_CUSTOM = re.compile(r"db-custom-(\d{1,3})-(\d{1,7})")
_NAMED = re.compile(r"db-(n1-standard|n1-highmem)-(\d{1,3})")


def sql_instance(
    resource: Resource,
    attributes: Mapping[str, Any],
    region: str,
    resources: Mapping[str, Resource],
) -> Iterator[Entry]:
    settings = block(attributes.get("settings"))
    tier = text(settings.get("tier"))
    mode = text(declared(settings, "availability_type", "ZONAL"))
    copies = COPIES.get((mode or "").upper())
    if tier is None or copies is None:
        why = "its tier or availability_type can't be determined from the code"
        yield Unpriced(resource, "instance", why)
        return
    yield from _machine(resource, tier, settings, copies, region)
    yield from _storage(resource, settings, copies, region)
    if (text(attributes.get("database_version")) or "").upper().startswith("SQLSERVER"):
        why = "no known price for SQL Server's license; needs Google's price for it"
        yield Unpriced(resource, "license", why)


def _machine(
    resource: Resource, tier: str, settings: Mapping[str, Any], copies: int, region: str
) -> Iterator[Entry]:
    plus = text(declared(settings, "edition", "ENTERPRISE")) != "ENTERPRISE"
    shape = None if plus else _shape(tier)
    if shape:
        cores, gigabytes = shape
        for part, size, unit in (("vcpu", cores, "vCPU-hours"), ("gb", gigabytes, "GB-hours")):
            name = f"{tier}, {'vCPUs' if part == 'vcpu' else 'memory'}"
            amount = HOURS * size * copies
            yield priced(resource, name, amount, unit, f"google.sql.{part}", region)
    elif tier in SHARED and not plus:
        yield priced(resource, tier, HOURS * copies, "hours", f"google.sql.{tier}", region)
    else:
        why = f"no known price for {tier}; needs Google's price for it"
        yield Unpriced(resource, f"{tier} instance", why)


def _shape(tier: str) -> tuple[Decimal, Decimal] | None:
    """vCPUs and GB of memory; None for tiers that are priced in another way."""
    if custom := _CUSTOM.fullmatch(tier):
        return Decimal(custom[1]), Decimal(custom[2]) / 1024
    if named := _NAMED.fullmatch(tier):
        return Decimal(named[2]), Decimal(named[2]) * GB_PER_VCPU[named[1]]
    return None


def _storage(
    resource: Resource, settings: Mapping[str, Any], copies: int, region: str
) -> Iterator[Entry]:
    size = number(declared(settings, "disk_size", DEFAULT_GB))
    kind = (text(declared(settings, "disk_type", "PD_SSD")) or "").lower()
    if size is None or not kind:
        why = "its size or type can't be determined from the code"
        yield Unpriced(resource, "storage", why)
        return
    amount = Decimal(str(size)) * copies
    yield priced(resource, f"{kind} storage", amount, "GB", f"google.sql.{kind}", region)
