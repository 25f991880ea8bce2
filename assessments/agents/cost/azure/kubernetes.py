"""Clusters of Azure Kubernetes Service and their node pools.

Nodes cost what their virtual machines and OS disks cost; an autoscaled pool is priced at its
minimum. Cluster management is free in the Free tier and billed by the hour in the others
(cost_facts.json, ``azure.aks.*``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import block, declared, first, flag, number, text, whole
from assessments.agents.cost.azure.disks import disk_entry
from assessments.agents.cost.azure.machines import Bought, compute, is_spot
from assessments.agents.cost.price_list import HOURS, Entry, Unpriced, priced

if TYPE_CHECKING:
    from assessments.scan.types import Resource

FREE_TIER = "Free"


def cluster(resource: Resource, attributes: Mapping[str, Any], region: str) -> Iterator[Entry]:
    """The management fee and the pool that the cluster itself declares."""
    tier = text(declared(attributes, "sku_tier", FREE_TIER))
    if tier is None:
        yield Unpriced(resource, "cluster management", "its tier can't be determined from the code")
    elif tier != FREE_TIER:
        key = f"azure.aks.{tier.lower()}.hour"
        yield priced(resource, f"cluster management, {tier}", HOURS, "hours", key, region)
    pool = block(attributes.get("default_node_pool"))
    if pool:
        yield from node_pool(resource, pool, region)


def node_pool(resource: Resource, pool: Mapping[str, Any], region: str) -> Iterator[Entry]:
    count = _nodes(pool)
    system = "Windows" if text(pool.get("os_type")) == "Windows" else "Linux"
    bought = Bought(text(pool.get("vm_size")), count, system, licensed=False, spot=is_spot(pool))
    yield from compute(resource, bought, region)
    if not count or text(pool.get("os_disk_type")) == "Ephemeral":
        return
    size = number(pool.get("os_disk_size_gb"))
    if size is None:
        why = "AKS sets its size by the nodes' size: declare os_disk_size_gb"
        yield Unpriced(resource, "OS disks", why)
        return
    disk = {"disk_size_gb": size, "storage_account_type": "Premium_LRS"}
    yield disk_entry(resource, "OS disks", disk, count, region)


def _nodes(pool: Mapping[str, Any]) -> int | None:
    """The minimum number that runs."""
    scaled = first(pool, "auto_scaling_enabled", "enable_auto_scaling", default=False)
    if flag(scaled):
        return whole(first(pool, "min_count", "node_count"))
    return whole(declared(pool, "node_count", 1))
