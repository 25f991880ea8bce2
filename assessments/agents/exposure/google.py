"""What the internet can reach on Google Cloud. Conservative: a machine needs an external address
and a firewall rule of its network, for its tags, that lets the internet in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import block, blocks, first, flag, text
from assessments.agents.exposure.evidence import (
    Exposure,
    exposed,
    is_everywhere,
    place_of,
    texts,
)
from assessments.agents.references import Graph, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from assessments.scan.types import Resource

EVERYONE = {"allUsers", "allAuthenticatedUsers"}
NETWORK = "google_compute_network"


def google_exposures(graph: Graph) -> Iterator[Exposure]:
    for resource in graph.resources.values():
        look = _LOOKS.get(kind_of(resource))
        if look and (reason := look(graph, resource)):
            yield exposed(resource, *reason)


Reason = tuple[str, ...] | None


def _machine(graph: Graph, resource: Resource) -> Reason:
    interfaces = blocks(resource.attributes.get("network_interface"))
    if not any("access_config" in each for each in interfaces):
        return None
    tags = set(texts(resource.attributes.get("tags")))
    for rule in graph.of_kind("google_compute_firewall"):
        if _is_open(rule.attributes, tags) and _networks(graph, rule) & _networks(graph, resource):
            return (
                "it has an external address",
                f"{rule.address} allows the internet ({place_of(rule)})",
            )
    return None


def _is_open(rule: dict[str, Any], tags: set[str]) -> bool:
    if str(first(rule, "direction", default="INGRESS")) != "INGRESS" or not rule.get("allow"):
        return False
    if flag(first(rule, "disabled", default=False)) is not False or rule.get("source_tags"):
        return False
    wanted = rule.get("target_tags")
    if wanted and not tags & set(texts(wanted)):
        return False
    return not rule.get("target_service_accounts") and is_everywhere(rule.get("source_ranges"))


def _networks(graph: Graph, resource: Resource) -> set[str]:
    """The networks of a firewall rule or a machine: by reference, by its subnetwork's, or by
    name."""
    found = {edge.target.address for edge in graph.names(resource, NETWORK)}
    for edge in graph.names(resource, "google_compute_subnetwork"):
        found |= {each.target.address for each in graph.names(edge.target, NETWORK)}
    interfaces = blocks(resource.attributes.get("network_interface"))
    for value in (resource.attributes, *interfaces):
        if name := text(value.get("network")):
            found.add(name.rsplit("/", 1)[-1])
    return found


def _forwarding_rule(graph: Graph, resource: Resource) -> Reason:
    scheme = first(resource.attributes, "load_balancing_scheme", default="EXTERNAL")
    is_external = str(scheme) in ("EXTERNAL", "EXTERNAL_MANAGED")
    return ("it is an external load balancer",) if is_external else None


def _granted(graph: Graph, resource: Resource) -> str:
    """The grant that allows everyone to use it."""
    for edge in graph.named_by(resource):
        attributes = edge.source.attributes
        members = [*texts(attributes.get("member")), *texts(attributes.get("members"))]
        if "_iam_" in kind_of(edge.source) and EVERYONE & set(members):
            return f"{edge.source.address} grants everyone access ({edge.place})"
    return ""


def _service(graph: Graph, resource: Resource) -> Reason:
    ingress = str(first(resource.attributes, "ingress", "ingress_settings", default="all"))
    if "all" not in ingress.lower().split("_"):
        return None
    granted = _granted(graph, resource)
    return (granted,) if granted else None


def _bucket(graph: Graph, resource: Resource) -> Reason:
    if str(resource.attributes.get("public_access_prevention")) == "enforced":
        return None
    granted = _granted(graph, resource)
    return (granted,) if granted else None


def _database(graph: Graph, resource: Resource) -> Reason:
    network = block(block(resource.attributes.get("settings")).get("ip_configuration"))
    if flag(first(network, "ipv4_enabled", default=True)) is not True:
        return None
    for each in blocks(network.get("authorized_networks")):
        if is_everywhere(each.get("value")):
            return ("it has a public address and takes every source",)
    return None


def _cluster(graph: Graph, resource: Resource) -> Reason:
    attributes = resource.attributes
    private = block(attributes.get("private_cluster_config"))
    if flag(first(private, "enable_private_endpoint", default=False)) is not False:
        return None
    allowed = attributes.get("master_authorized_networks_config")
    if allowed is None:
        return ("its control plane has a public address and takes any source",)
    ranges = [each.get("cidr_block") for each in blocks(block(allowed).get("cidr_blocks"))]
    return ("its control plane takes any source",) if is_everywhere(ranges) else None


_LOOKS: dict[str, Callable[[Graph, Resource], Reason]] = {
    "google_cloud_run_service": _service,
    "google_cloud_run_v2_service": _service,
    "google_cloudfunctions2_function": _service,
    "google_cloudfunctions_function": _service,
    "google_compute_forwarding_rule": _forwarding_rule,
    "google_compute_global_forwarding_rule": _forwarding_rule,
    "google_compute_instance": _machine,
    "google_container_cluster": _cluster,
    "google_sql_database_instance": _database,
    "google_storage_bucket": _bucket,
}
