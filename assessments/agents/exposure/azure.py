"""What the internet can reach on Azure. Conservative, as for AWS: machines need a public address
and a security group that lets the internet in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import block, blocks, first, flag, text
from assessments.agents.exposure.evidence import Exposure, exposed, is_everywhere, place_of
from assessments.agents.references import Graph, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from assessments.scan.types import Resource

NIC = "azurerm_network_interface"
GROUP = "azurerm_network_security_group"
PUBLIC_IP = "azurerm_public_ip"
ASSOCIATIONS = (
    "azurerm_network_interface_security_group_association",
    "azurerm_subnet_network_security_group_association",
)


def azure_exposures(graph: Graph) -> Iterator[Exposure]:
    for resource in graph.resources.values():
        look = _LOOKS.get(kind_of(resource))
        if look and (reason := look(graph, resource)):
            yield exposed(resource, *reason)


Reason = tuple[str, ...] | None


def _with_address(graph: Graph, resource: Resource) -> Reason:
    for edge in graph.names(resource, PUBLIC_IP):
        return (f"{edge.target.address} is its public address ({edge.place})",)
    return None


def _machine(graph: Graph, resource: Resource) -> Reason:
    for edge in graph.names(resource, NIC):
        address, words = _with_address(graph, edge.target), _let_in(graph, edge.target)
        if address and words:
            return (*address, words)
    return None


def _scale_set(graph: Graph, resource: Resource) -> Reason:
    for interface in blocks(resource.attributes.get("network_interface")):
        for part in blocks(interface.get("ip_configuration")):
            if part.get("public_ip_address") and (words := _let_in(graph, resource)):
                return ("its machines have public addresses", words)
    return None


def _let_in(graph: Graph, carrier: Resource) -> str:
    """The rule of a group, on the interface or its subnet, that lets the internet in."""
    groups = [edge.target for edge in graph.names(carrier, GROUP)]
    subnets = [edge.target for edge in graph.names(carrier, "azurerm_subnet")]
    for place in (carrier, *subnets):
        for edge in graph.named_by(place, *ASSOCIATIONS):
            groups += [each.target for each in graph.names(edge.source, GROUP)]
    for group in groups:
        for rule in blocks(group.attributes.get("security_rule")):
            if _is_open(rule):
                return f"{group.address} allows {_port(rule)} from anywhere ({place_of(group)})"
        for edge in graph.named_by(group, "azurerm_network_security_rule"):
            rule = edge.source.attributes
            if _is_open(rule):
                return f"{edge.source.address} allows {_port(rule)} from anywhere ({edge.place})"
    return ""


def lets_in(graph: Graph, resource: Resource) -> bool:
    """Whether a machine behind a balancer accepts requests from the internet: a balancer forwards
    them unchanged, so the machine's own security group decides."""
    carriers = [resource, *(edge.target for edge in graph.names(resource, NIC))]
    return any(_let_in(graph, each) for each in carriers)


MACHINES = frozenset(
    {
        "azurerm_linux_virtual_machine",
        "azurerm_linux_virtual_machine_scale_set",
        "azurerm_virtual_machine",
        "azurerm_virtual_machine_scale_set",
        "azurerm_windows_virtual_machine",
        "azurerm_windows_virtual_machine_scale_set",
    }
)


def _is_open(rule: dict[str, Any]) -> bool:
    inbound = str(rule.get("direction")).lower() == "inbound"
    allowed = str(rule.get("access")).lower() == "allow"
    sources = [rule.get("source_address_prefix"), rule.get("source_address_prefixes")]
    return inbound and allowed and is_everywhere(sources)


def _port(rule: dict[str, Any]) -> str:
    port = text(rule.get("destination_port_range"))
    return f"port {port}" if port and port != "*" else "traffic"


def _app(graph: Graph, resource: Resource) -> Reason:
    attributes = resource.attributes
    if flag(first(attributes, "public_network_access_enabled", default=True)) is not True:
        return None
    if block(attributes.get("site_config")).get("ip_restriction"):
        return None
    return ("its address is public and no restriction is declared",)


def _container_group(graph: Graph, resource: Resource) -> Reason:
    kind = str(first(resource.attributes, "ip_address_type", default="Public")).lower()
    return ("it has a public address",) if kind == "public" else None


def _container_app(graph: Graph, resource: Resource) -> Reason:
    ingress = block(resource.attributes.get("ingress"))
    is_external = flag(ingress.get("external_enabled")) is True
    return ("its ingress is external",) if is_external else None


def _front_door(graph: Graph, resource: Resource) -> Reason:
    return ("it serves the internet",)


def _kubernetes(graph: Graph, resource: Resource) -> Reason:
    attributes = resource.attributes
    if flag(first(attributes, "private_cluster_enabled", default=False)) is not False:
        return None
    profile = block(attributes.get("api_server_access_profile"))
    ranges = first(
        attributes, "api_server_authorized_ip_ranges", default=profile.get("authorized_ip_ranges")
    )
    if ranges and not is_everywhere(ranges):
        return None
    if profile and "authorized_ip_ranges" in profile and not ranges:
        return None
    return ("its API server has a public address and takes any source",)


def _server(graph: Graph, resource: Resource) -> Reason:
    for edge in graph.named_by(resource):
        rule = edge.source
        if not kind_of(rule).endswith("firewall_rule"):
            continue
        ends = rule.attributes.get("start_ip_address"), rule.attributes.get("end_ip_address")
        if ends == ("0.0.0.0", "255.255.255.255"):  # noqa: S104 - compared, not bound
            return (f"{rule.address} allows every address ({edge.place})",)
    return None


def _container(graph: Graph, resource: Resource) -> Reason:
    access = text(resource.attributes.get("container_access_type"))
    is_public = access in ("blob", "container")
    return (f"its access type is {access}: anyone can read",) if is_public else None


def _account(graph: Graph, resource: Resource) -> Reason:
    for edge in graph.named_by(resource, "azurerm_storage_container"):
        if _container(graph, edge.source):
            return (f"anyone can read {edge.source.address} ({edge.place})",)
    return None


_LOOKS: dict[str, Callable[[Graph, Resource], Reason]] = {
    "azurerm_app_service": _app,
    "azurerm_application_gateway": _with_address,
    "azurerm_cdn_frontdoor_endpoint": _front_door,
    "azurerm_container_app": _container_app,
    "azurerm_container_group": _container_group,
    "azurerm_frontdoor": _front_door,
    "azurerm_function_app": _app,
    "azurerm_kubernetes_cluster": _kubernetes,
    "azurerm_lb": _with_address,
    "azurerm_linux_function_app": _app,
    "azurerm_linux_virtual_machine": _machine,
    "azurerm_linux_virtual_machine_scale_set": _scale_set,
    "azurerm_linux_web_app": _app,
    "azurerm_mssql_server": _server,
    "azurerm_mysql_flexible_server": _server,
    "azurerm_mysql_server": _server,
    "azurerm_postgresql_flexible_server": _server,
    "azurerm_postgresql_server": _server,
    "azurerm_sql_server": _server,
    "azurerm_storage_account": _account,
    "azurerm_storage_container": _container,
    "azurerm_virtual_machine": _machine,
    "azurerm_windows_function_app": _app,
    "azurerm_windows_virtual_machine": _machine,
    "azurerm_windows_virtual_machine_scale_set": _scale_set,
    "azurerm_windows_web_app": _app,
}
