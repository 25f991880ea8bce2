"""Managed disks of Azure, billed by tier: the smallest that holds the disk.

Price: disks x the tier's price a month (cost_facts.json, ``azure.disk.*``). Tiers are those of
Microsoft Learn, "Azure managed disk types", sections on disk sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import number, text
from assessments.agents.cost.price_list import Entry, Unpriced, fact, priced

if TYPE_CHECKING:
    from assessments.scan.types import Resource

FAMILIES = {"premium_lrs": "P", "standardssd_lrs": "E", "standard_lrs": "S"}
TIERS = (
    (4, 1),
    (8, 2),
    (16, 3),
    (32, 4),
    (64, 6),
    (128, 10),
    (256, 15),
    (512, 20),
    (1024, 30),
    (2048, 40),
    (4096, 50),
    (8192, 60),
    (16384, 70),
    (32767, 80),
)
"""Maximum size in GiB, and the number in the tier's name."""
SMALLEST_HDD = 4


def tier_of(storage: str, gigabytes: float) -> str | None:
    """``P10`` for Premium_LRS of 100 GiB; None for disks that aren't billed by tier."""
    family = FAMILIES.get(storage.lower())
    name = next((tier for most, tier in TIERS if gigabytes <= most), None)
    if family is None or name is None:
        return None
    return f"{family}{max(name, SMALLEST_HDD) if family == 'S' else name}"


def disk_entry(
    resource: Resource, part: str, disk: Mapping[str, Any], count: int, region: str
) -> Entry:
    """``count`` identical disks. ``disk`` is the block that declares them."""
    size = number(disk.get("disk_size_gb"))
    storage = text(
        disk.get("storage_account_type") or disk.get("managed_disk_type") or "Standard_LRS"
    )
    if size is None:
        return Unpriced(resource, part, "its size is set by the image: declare disk_size_gb")
    tier = tier_of(storage, size) if storage else None
    if tier is None:
        name = storage or "its kind"
        why = f"no known price for {name}; needs Microsoft's price for it"
        return Unpriced(resource, f"{part}, {size:g} GB", why)
    key = f"azure.disk.{tier.lower()}"
    if fact(key, region) is None:
        why = (
            f"no known price for a {tier} disk in {region}: Microsoft's price of managed disks"
            " there"
        )
        return Unpriced(resource, f"{part}, {tier}", why)
    return priced(resource, f"{part}, {tier} LRS", Decimal(count), "disks", key, region)
