"""Azure networking billed by the hour: public addresses, NAT gateways, firewalls, bastions, private
endpoints, application gateways (cost_facts.json, ``azure.*``). Traffic is billed separately."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import block, declared, text
from assessments.agents.cost.price_list import HOURS, TRAFFIC, Entry, Unpriced, priced

if TYPE_CHECKING:
    from assessments.scan.types import Resource

CARRIED = "data processed"


def public_ip(resource: Resource, attributes: Mapping[str, Any], region: str) -> Iterator[Entry]:
    """The Global tier has a price of its own, as does the retired Basic kind."""
    kind = (text(declared(attributes, "sku", "Standard")) or "unknown").lower()
    tier = (text(declared(attributes, "sku_tier", "Regional")) or "unknown").lower()
    key = f"azure.public_ip.{kind}.hour" if tier == "regional" else f"azure.public_ip.{tier}.hour"
    yield priced(resource, "public IP address", HOURS, "hours", key, region)


def nat_gateway(resource: Resource, attributes: Mapping[str, Any], region: str) -> Iterator[Entry]:
    yield priced(resource, "NAT gateway", HOURS, "hours", "azure.nat.hour", region)
    yield Unpriced(resource, CARRIED, TRAFFIC)


def firewall(resource: Resource, attributes: Mapping[str, Any], region: str) -> Iterator[Entry]:
    tier = (text(declared(attributes, "sku_tier", "Standard")) or "unknown").lower()
    key = f"azure.firewall.{tier}.hour"
    yield priced(resource, f"firewall, {tier}", HOURS, "hours", key, region)
    yield Unpriced(resource, CARRIED, TRAFFIC)


def bastion(resource: Resource, attributes: Mapping[str, Any], region: str) -> Iterator[Entry]:
    kind = (text(declared(attributes, "sku", "Basic")) or "unknown").lower()
    yield priced(resource, f"bastion, {kind}", HOURS, "hours", f"azure.bastion.{kind}.hour", region)
    yield Unpriced(resource, "data transferred out", TRAFFIC)


def private_endpoint(
    resource: Resource, attributes: Mapping[str, Any], region: str
) -> Iterator[Entry]:
    key = "azure.private_endpoint.hour"
    yield priced(resource, "private endpoint", HOURS, "hours", key, region)
    yield Unpriced(resource, CARRIED, TRAFFIC)


def application_gateway(
    resource: Resource, attributes: Mapping[str, Any], region: str
) -> Iterator[Entry]:
    tier = (text(block(attributes.get("sku")).get("tier")) or "unknown").lower()
    key = f"azure.application_gateway.{tier}.hour"
    yield priced(resource, f"application gateway, {tier}", HOURS, "hours", key, region)
    yield Unpriced(resource, "capacity units", TRAFFIC)
