"""The components of Google Cloud's resources, by type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import declared, number, text
from assessments.agents.cost.google.databases import sql_instance
from assessments.agents.cost.google.disks import disk_entry
from assessments.agents.cost.google.kubernetes import cluster, node_pool
from assessments.agents.cost.google.machines import instance, managed_group
from assessments.agents.cost.price_list import HOURS, ONE, Entry, Line, Price, Unpriced, priced
from assessments.agents.google_machines import address_price, price_list, source, tunnel_price

if TYPE_CHECKING:
    from assessments.scan.types import Resource


def google_entries(
    resource: Resource,
    attributes: Mapping[str, Any],
    region: str,
    resources: Mapping[str, Resource],
) -> Iterator[Entry] | None:
    """The components of a resource; None for a type that has no prices here."""
    reader = _READERS.get(resource.type)
    return reader(resource, attributes, region, resources) if reader else None


def _disk(
    resource: Resource,
    attributes: Mapping[str, Any],
    region: str,
    resources: Mapping[str, Resource],
) -> Iterator[Entry]:
    kind = text(declared(attributes, "type", "pd-standard"))
    name = kind.rpartition("/")[2] if kind else None
    regional = resource.type == "google_compute_region_disk"
    size = number(attributes.get("size"))
    yield disk_entry(resource, "disk", name, size, 1, region, regional=regional)


def _address(
    resource: Resource,
    attributes: Mapping[str, Any],
    region: str,
    resources: Mapping[str, Resource],
) -> Iterator[Entry]:
    """An external address costs least while a machine uses it; an internal one is free."""
    if text(declared(attributes, "address_type", "EXTERNAL")) != "INTERNAL":
        cited = f"external IPv4 address in use in {region}"
        yield _hourly(resource, "external IPv4 address", address_price(region), cited, region)


def _tunnel(
    resource: Resource,
    attributes: Mapping[str, Any],
    region: str,
    resources: Mapping[str, Resource],
) -> Iterator[Entry]:
    yield _hourly(resource, "VPN tunnel", tunnel_price(region), f"VPN tunnel in {region}", region)


def _zone(
    resource: Resource,
    attributes: Mapping[str, Any],
    region: str,
    resources: Mapping[str, Resource],
) -> Iterator[Entry]:
    yield priced(resource, "managed zone", ONE, "months", "google.dns.zone", "global")


def _hourly(resource: Resource, name: str, usd: float | None, cited: str, region: str) -> Entry:
    if usd is None:
        return Unpriced(resource, name, f"no known price in {region}")
    return Line(
        resource, name, HOURS, "hours", Price(Decimal(str(usd)), source(cited), *price_list())
    )


Reader = Callable[["Resource", Mapping[str, Any], str, Mapping[str, "Resource"]], Iterator[Entry]]

_READERS: dict[str, Reader] = {
    "google_compute_address": _address,
    "google_compute_disk": _disk,
    "google_compute_instance": instance,
    "google_compute_instance_group_manager": managed_group,
    "google_compute_region_disk": _disk,
    "google_compute_region_instance_group_manager": managed_group,
    "google_compute_vpn_tunnel": _tunnel,
    "google_container_cluster": cluster,
    "google_container_node_pool": node_pool,
    "google_dns_managed_zone": _zone,
    "google_sql_database_instance": sql_instance,
}
GLOBAL = ("google_dns_managed_zone",)
"""Types that have no region, and the same price everywhere."""
