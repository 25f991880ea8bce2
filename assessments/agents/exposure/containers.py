"""What can be reached from outside in Kubernetes and Compose."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from assessments.agents.attributes import block
from assessments.agents.exposure.evidence import Exposure, exposed
from assessments.agents.references import Graph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.scan.types import Resource

INTERNAL = {
    "service.beta.kubernetes.io/aws-load-balancer-internal",
    "service.beta.kubernetes.io/aws-load-balancer-scheme",
    "service.beta.kubernetes.io/azure-load-balancer-internal",
    "networking.gke.io/load-balancer-type",
    "cloud.google.com/load-balancer-type",
    "alb.ingress.kubernetes.io/scheme",
    "kubernetes.io/ingress.class",
}
"""Annotations that can keep a load balancer inside the network."""


def container_exposures(graph: Graph) -> Iterator[Exposure]:
    for resource in graph.resources.values():
        spec = block(resource.attributes.get("spec"))
        if resource.type == "Service" and not _is_internal(resource):
            kind = spec.get("type")
            ranges = spec.get("loadBalancerSourceRanges")
            if kind == "NodePort":
                yield exposed(resource, "it opens a port on every node (NodePort)")
            elif kind == "LoadBalancer" and not ranges:
                yield exposed(resource, "it has a load balancer of its own")
        elif resource.type == "Ingress" and not _is_internal(resource):
            yield exposed(resource, "the ingress controller publishes it")
        elif port := _published(resource):
            yield exposed(resource, f"{port} is published on every address of the host")


def _is_internal(resource: Resource) -> bool:
    annotations = block(block(resource.attributes.get("metadata")).get("annotations"))
    name = str(block(resource.attributes.get("spec")).get("ingressClassName", ""))
    values = [str(value).lower() for key, value in annotations.items() if key in INTERNAL]
    said = any("internal" in value or value == "true" for value in values)
    return said or "internal" in name.lower() or "private" in name.lower()


def _published(resource: Resource) -> str:
    """The first port of a Compose service that is published on more than the loopback address, in
    words."""
    ports = resource.attributes.get("ports") if resource.type == "compose_service" else None
    for each in ports if isinstance(ports, list) else ():
        if isinstance(each, dict):
            address, port = str(each.get("host_ip") or ""), f"port {each.get('published') or ''}"
        else:
            address, port = _short(str(each))
        if port != "port " and not _is_loopback(address):
            return port
    return ""


def _short(text: str) -> tuple[str, str]:
    """Address and published port of ``[HOST:]PUBLISHED:TARGET``; a bare target is published on a
    port of the host's choosing."""
    parts = text.split("/")[0].rsplit(":", 2)
    if len(parts) == 1:
        return "", f"the container's port {parts[0]}"
    return (
        (parts[0].strip("[]"), f"port {parts[1]}") if len(parts) == 3 else ("", f"port {parts[0]}")
    )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost" or "$" in address
