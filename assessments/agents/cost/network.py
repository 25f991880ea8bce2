"""Load balancers, NAT gateways, interface endpoints, and network connections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import blocks, listed, text
from assessments.agents.cost.price_list import HOURS, TRAFFIC, Entry, Unpriced, priced
from assessments.agents.cost.references import referred
from assessments.agents.inventory import LoadBalancer, attributes_of, resource_type

if TYPE_CHECKING:
    from assessments.scan.types import Resource

FREE_ENDPOINTS = ("gateway",)


def balancer_entries(balancer: LoadBalancer, region: str) -> Iterator[Entry]:
    resource, kind = balancer.resource, balancer.kind
    yield priced(resource, f"{kind} load balancer", HOURS, "hours", f"lb.{kind}.hour", region)
    if balancer.internal is False and kind in ("application", "network") and not _has_own(resource):
        if balancer.zones is None:
            why = "one for each zone: the subnets aren't known"
            yield Unpriced(resource, "public IPv4 addresses", why)
        else:
            hours = HOURS * balancer.zones
            key = "public_ipv4.hour"
            yield priced(resource, "public IPv4 addresses", hours, "hours", key, region)
    yield Unpriced(resource, "capacity units", TRAFFIC)


def _has_own(balancer: Resource) -> bool:
    """Whether it is given Elastic IPs, which are priced themselves."""
    parts = blocks(attributes_of(balancer).get("subnet_mapping"))
    return any("allocation_id" in each for each in parts)


def nat_entries(resource: Resource, region: str) -> Iterator[Entry]:
    yield priced(resource, "NAT gateway", HOURS, "hours", "nat.hour", region)


def endpoint_entries(
    resource: Resource,
    attributes: dict[str, Any],
    region: str,
    resources: Mapping[str, Resource],
) -> Iterator[Entry]:
    """An interface endpoint is billed in every zone it has a subnet in; a gateway endpoint is free
    (AWS PrivateLink pricing page)."""
    kind = text(attributes.get("vpc_endpoint_type", "Gateway"))
    if kind is None:
        why = "whether it is a free gateway or a billed interface is unknown: declare its type"
        yield Unpriced(resource, "endpoint", why)
        return
    if kind.lower() in FREE_ENDPOINTS:
        return
    subnets = listed(attributes.get("subnet_ids"))
    zones = len(subnets) if subnets else _associated(resource, resources)
    key = f"endpoint.{kind.lower()}.hour"
    yield priced(resource, f"{kind} endpoint by zone", HOURS * max(1, zones), "hours", key, region)
    if not zones:
        why = "its subnets can't be determined from the code: one zone is priced, as the minimum"
        yield Unpriced(resource, "endpoint in additional zones", why)


def attachment_entries(resource: Resource, region: str) -> Iterator[Entry]:
    key = "tgw.attachment.hour"
    yield priced(resource, "transit gateway attachment", HOURS, "hours", key, region)


def vpn_entries(resource: Resource, region: str) -> Iterator[Entry]:
    yield priced(resource, "VPN connection", HOURS, "hours", "vpn.hour", region)
    yield Unpriced(resource, "data transferred out", TRAFFIC)


def _associated(resource: Resource, resources: Mapping[str, Resource]) -> int:
    """The subnets that separate resources put the endpoint into."""
    return sum(
        1
        for each in resources.values()
        if resource_type(each) == "aws_vpc_endpoint_subnet_association"
        and referred(each, "vpc_endpoint_id", resources) is resource
    )
