"""Clusters of Google Kubernetes Engine and their node pools.

The cluster's fee is by the hour (cost_facts.json, ``google.gke.hour``). Nodes cost what their
machines and boot disks cost, in each zone: a regional cluster has three unless it names its own
(GKE documentation, "Regional clusters"). By default a node is an e2-medium with 100 GB of
pd-balanced (registry.terraform.io, google_container_cluster, ``node_config``; GKE documentation,
"Custom boot disks").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import (
    block,
    blocks,
    declared,
    flag,
    listed,
    number,
    text,
    whole,
)
from assessments.agents.cost.google.disks import disk_entry
from assessments.agents.cost.google.machines import Bought, compute, is_spot
from assessments.agents.cost.price_list import HOURS, Entry, Unpriced, priced
from assessments.agents.cost.references import referred
from assessments.agents.places import GOOGLE_ZONE

if TYPE_CHECKING:
    from assessments.scan.types import Resource

NODE = "e2-medium"
DISK, DISK_GB = "pd-balanced", 100
ZONES_OF_A_REGION = 3


def cluster(
    resource: Resource,
    attributes: Mapping[str, Any],
    region: str,
    resources: Mapping[str, Resource],
) -> Iterator[Entry]:
    yield priced(resource, "cluster management", HOURS, "hours", "google.gke.hour", region)
    if flag(declared(attributes, "enable_autopilot", False)):
        why = "Autopilot bills the vCPU and memory of the pods; needs their number and size"
        yield Unpriced(resource, "pods on Autopilot", why)
        return
    zones = _zones(attributes)
    pools = blocks(attributes.get("node_pool", []))
    for pool in pools:
        yield from _nodes(resource, pool, zones or _zones(pool), region)
    if pools or flag(declared(attributes, "remove_default_node_pool", False)):
        return
    yield from _nodes(resource, attributes, zones, region)


def node_pool(
    resource: Resource,
    attributes: Mapping[str, Any],
    region: str,
    resources: Mapping[str, Resource],
) -> Iterator[Entry]:
    owner = referred(resource, "cluster", resources)
    zones = len(listed(attributes.get("node_locations")) or [])
    zones = zones or (_zones(owner.attributes) if owner else 0) or _zones(attributes)
    yield from _nodes(resource, attributes, zones, region)


def _nodes(resource: Resource, pool: Mapping[str, Any], zones: int, region: str) -> Iterator[Entry]:
    """``zones`` is 0 if it can't be determined: then one is priced, as the minimum."""
    node = block(pool.get("node_config"))
    each, total = _count(pool)
    count = total if total is not None else None if each is None else each * max(1, zones)
    bought = Bought(text(declared(node, "machine_type", NODE)), count, spot=is_spot(node))
    yield from compute(resource, bought, region)
    if count:
        kind = text(declared(node, "disk_type", DISK))
        size = number(declared(node, "disk_size_gb", DISK_GB))
        yield disk_entry(resource, "boot disks", kind, size, count, region)
    if each and not zones:
        why = "whether the cluster is regional can't be determined: one zone is priced"
        yield Unpriced(resource, "nodes in additional zones", why)


def _count(pool: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Nodes in each zone, or in all of them together if the autoscaler states a total."""
    scaling = block(pool.get("autoscaling"))
    if scaling.get("total_min_node_count") is not None:
        return None, whole(scaling["total_min_node_count"])
    if scaling.get("min_node_count") is not None:
        return whole(scaling["min_node_count"]), None
    for key in ("node_count", "initial_node_count"):
        if pool.get(key) is not None:
            return whole(pool[key]), None
    return 1, None


def _zones(attributes: Mapping[str, Any]) -> int:
    """How many zones nodes run in; 0 if unknown."""
    named = listed(attributes.get("node_locations"))
    place = text(attributes.get("location") or attributes.get("zone") or attributes.get("region"))
    zonal = bool(place and GOOGLE_ZONE.fullmatch(place))
    if named:
        return len({*map(str, named), *([place] if zonal else [])})
    return 0 if place is None else 1 if zonal else ZONES_OF_A_REGION
