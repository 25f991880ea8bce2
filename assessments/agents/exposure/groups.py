"""AWS security groups that let the whole internet in."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import blocks, first, whole
from assessments.agents.exposure.evidence import is_everywhere, place_of
from assessments.agents.inventory import attributes_of
from assessments.agents.references import Graph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.scan.types import Resource

RULES = ("aws_security_group_rule", "aws_vpc_security_group_ingress_rule")
OPEN_TO = ("cidr_blocks", "ipv6_cidr_blocks", "cidr_ip", "cidr_ipv4", "cidr_ipv6")

MAX_OPENINGS = 6
"""How many openings of one group are named."""


def open_groups(graph: Graph) -> dict[str, str]:
    """By the group's address, what lets the internet in, in words with its location."""
    found: dict[str, str] = {}
    for group in graph.of_kind("aws_security_group"):
        openings = list(dict.fromkeys(islice(_openings(graph, group), MAX_OPENINGS)))
        if openings:
            ports = " and ".join(words for words, _ in openings)
            places = ", ".join(dict.fromkeys(place for _, place in openings))
            found[group.address] = f"{group.address} allows {ports} from anywhere ({places})"
    return found


def _openings(graph: Graph, group: Resource) -> Iterator[tuple[str, str]]:
    """What is let in, and where that is declared."""
    attributes = attributes_of(group)
    for rule in blocks(first(attributes, "ingress", "security_group_ingress")):
        if _is_open(rule):
            yield _ports(rule), place_of(group)
    for edge in graph.named_by(group, *RULES):
        if "source" in edge.at.lower() or "referenced" in edge.at.lower():
            continue
        rule = attributes_of(edge.source)
        if str(rule.get("type", "ingress")) == "ingress" and _is_open(rule):
            yield _ports(rule), edge.place


def _is_open(rule: dict[str, Any]) -> bool:
    return any(is_everywhere(rule.get(key)) for key in OPEN_TO)


def _ports(rule: dict[str, Any]) -> str:
    if str(first(rule, "protocol", "ip_protocol")) in ("-1", "all"):
        return "every port"
    low, high = whole(rule.get("from_port")), whole(rule.get("to_port"))
    if low is None or high is None:
        return "traffic"
    return f"port {low}" if low == high else f"ports {low} to {high}"
