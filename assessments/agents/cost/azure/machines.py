"""Virtual machines and scale sets of Azure.

Price: hours of a month x the size's pay-as-you-go price for Linux in the region (azure.json.gz,
Microsoft's Retail Prices API); Windows adds its license by the hour, unless Azure Hybrid Benefit
supplies one. Spot capacity has no list price.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import block, blocks, declared, first, text, whole
from assessments.agents.azure_sizes import (
    hourly_price,
    price_list,
    price_source,
    windows_fee,
    windows_list,
    windows_source,
)
from assessments.agents.cost.azure.disks import disk_entry
from assessments.agents.cost.price_list import HOURS, Entry, Line, Price, Unpriced, cents
from assessments.agents.wording import counted

if TYPE_CHECKING:
    from assessments.scan.types import Resource

OPEN = "can't be determined from the code"
OWN_LICENSE = ("windows_server", "windows_client")
"""Values of ``license_type`` that supply a Windows license (Microsoft Learn, "Azure Hybrid Benefit
for Windows Server")."""
OPEN_LICENSE = "no known price for the Windows license of {size}; needs Microsoft's Windows price"


@dataclass(frozen=True, slots=True)
class Bought:
    """How identical machines are purchased. ``system`` is Linux or Windows, ``count`` None if
    unknown, ``spot`` None if it can't be determined."""

    size: str | None
    count: int | None
    system: str
    licensed: bool
    spot: bool | None


def machine_price(size: str, region: str) -> Price | None:
    """USD an hour of a size, pay as you go, Linux; None if we have no price."""
    usd = hourly_price(size, region)
    cited = price_source(size, region)
    return Price(Decimal(str(usd)), cited, *price_list()) if usd else None


def license_price(size: str) -> Price | None:
    """USD an hour of the Windows license of a size; None if unknown."""
    usd = windows_fee(size)
    return Price(Decimal(str(usd)), windows_source(size), *windows_list()) if usd else None


def virtual_machine(
    resource: Resource, attributes: Mapping[str, Any], region: str
) -> Iterator[Entry]:
    """``azurerm_linux_virtual_machine`` and similar, alone or as a scale set, with their disks. An
    ephemeral OS disk is part of the host and costs nothing."""
    bought = _bought(resource.type, attributes)
    yield from compute(resource, bought, region)
    count = bought.count or 0
    if not count:
        return
    system_disk = block(first(attributes, "os_disk", "storage_os_disk", "storage_profile_os_disk"))
    if not system_disk.get("diff_disk_settings"):
        yield disk_entry(resource, "OS disk", system_disk, count, region)
    extra = first(attributes, "data_disk", "storage_data_disk", "storage_profile_data_disk")
    for number, each in enumerate(blocks(extra)):
        yield disk_entry(resource, f"data disk {number}", each, count, region)


def compute(resource: Resource, bought: Bought, region: str) -> Iterator[Entry]:
    """The hours of the machines, and of their licenses."""
    if bought.size is None or bought.count is None:
        what = "size" if bought.size is None else "number"
        yield Unpriced(resource, "virtual machines", f"their {what} {OPEN}")
        return
    if bought.count == 0:
        return
    size, name = bought.size, f"{bought.size}, {bought.system}"
    price, hours = machine_price(size, region), HOURS * bought.count
    if price is None:
        why = f"no known price for {size} in {region}"
        yield Unpriced(resource, name, why, hours, "hours")
        return
    if bought.spot is not False:
        most = f"pay as you go it is {cents(hours * price.usd)} USD a month"
        why = (
            f"whether they are bought on the spot market {OPEN} ({most})"
            if bought.spot is None
            else f"spot capacity has no list price; needs the price you pay ({most} for Linux)"
        )
        name = f"{counted(bought.count, size)}, spot"
        yield Unpriced(resource, name, why, hours, "hours")
        return
    yield Line(resource, name, hours, "hours", price)
    if bought.system == "Windows" and not bought.licensed:
        fee = license_price(size)
        if fee is None:
            yield Unpriced(
                resource, "Windows license", OPEN_LICENSE.format(size=size), hours, "hours"
            )
        else:
            yield Line(resource, "Windows license", hours, "hours", fee)


def is_spot(attributes: Mapping[str, Any]) -> bool | None:
    priority = text(declared(attributes, "priority", "Regular"))
    return None if priority is None else priority.lower() in ("spot", "low")


def _bought(kind: str, attributes: Mapping[str, Any]) -> Bought:
    sku = block(attributes.get("sku"))
    size = first(attributes, "size", "vm_size", "sku_name", default=attributes.get("sku"))
    license_type = (text(attributes.get("license_type")) or "").lower()
    return Bought(
        size=text(sku.get("name")) if sku else text(size),
        count=_count(kind, attributes, sku),
        system=_system(kind, attributes),
        licensed=license_type in OWN_LICENSE,
        spot=is_spot(attributes),
    )


def _count(kind: str, attributes: Mapping[str, Any], sku: Mapping[str, Any]) -> int | None:
    """A scale set's machines; without a number the provider creates none (registry.terraform.io,
    azurerm 4, ``instances``)."""
    if not kind.endswith("_scale_set"):
        return 1
    if sku:
        return whole(sku.get("capacity"))
    return whole(attributes.get("instances", 0))


def _system(kind: str, attributes: Mapping[str, Any]) -> str:
    """Windows if the type, the profile or the image says so."""
    profile = block(attributes.get("os_profile"))
    image = block(first(attributes, "storage_image_reference", "source_image_reference"))
    publisher = (text(image.get("publisher")) or "").lower()
    windows = (
        "windows" in kind
        or declared(attributes, "os_profile_windows_config", []) != []
        or declared(profile, "windows_configuration", []) != []
        or publisher.startswith("microsoftwindows")
    )
    return "Windows" if windows else "Linux"
