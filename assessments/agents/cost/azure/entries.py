"""The components of Azure's resources, by type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from assessments.agents.cost.azure.disks import disk_entry
from assessments.agents.cost.azure.kubernetes import cluster, node_pool
from assessments.agents.cost.azure.machines import virtual_machine
from assessments.agents.cost.azure.network import (
    application_gateway,
    bastion,
    firewall,
    nat_gateway,
    private_endpoint,
    public_ip,
)
from assessments.agents.cost.price_list import Entry

if TYPE_CHECKING:
    from assessments.scan.types import Resource

PROVIDER = "azurerm"


def azure_entries(
    resource: Resource, attributes: Mapping[str, Any], region: str
) -> Iterator[Entry] | None:
    """The components of a resource; None for a type that has no prices here."""
    reader = _READERS.get(resource.type)
    return reader(resource, attributes, region) if reader else None


def _managed_disk(
    resource: Resource, attributes: Mapping[str, Any], region: str
) -> Iterator[Entry]:
    yield disk_entry(resource, "disk", attributes, 1, region)


Reader = Callable[["Resource", Mapping[str, Any], str], Iterator[Entry]]

_READERS: dict[str, Reader] = {
    "azurerm_application_gateway": application_gateway,
    "azurerm_bastion_host": bastion,
    "azurerm_firewall": firewall,
    "azurerm_kubernetes_cluster": cluster,
    "azurerm_kubernetes_cluster_node_pool": node_pool,
    "azurerm_linux_virtual_machine": virtual_machine,
    "azurerm_linux_virtual_machine_scale_set": virtual_machine,
    "azurerm_managed_disk": _managed_disk,
    "azurerm_nat_gateway": nat_gateway,
    "azurerm_orchestrated_virtual_machine_scale_set": virtual_machine,
    "azurerm_private_endpoint": private_endpoint,
    "azurerm_public_ip": public_ip,
    "azurerm_virtual_machine": virtual_machine,
    "azurerm_virtual_machine_scale_set": virtual_machine,
    "azurerm_windows_virtual_machine": virtual_machine,
    "azurerm_windows_virtual_machine_scale_set": virtual_machine,
}
