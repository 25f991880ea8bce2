"""What the internet can reach in a scope, with the chain that leads there.

A resource is reached directly if it has a public address that something lets the internet use. It
is reached indirectly if requests are passed to it, up to what serves them: a database behind a
public service is not exposed by that. What the code leaves open is not exposed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from assessments.agents.exposure.aws import Aws
from assessments.agents.exposure.azure import MACHINES, azure_exposures, lets_in
from assessments.agents.exposure.containers import container_exposures
from assessments.agents.exposure.evidence import Exposure
from assessments.agents.exposure.google import google_exposures
from assessments.agents.flow import SERVING, STORES, Flow
from assessments.agents.references import Graph, kind_of, read_graph

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from assessments.scan.types import Resource

_INDEXES = re.compile(r"\[[^\]]{0,200}\]")
MAX_LINKS = 6
"""Links of a chain that its description shows."""
PARTS = (
    "aws_api_gateway_method",
    "aws_api_gateway_stage",
    "aws_apigatewayv2_stage",
    "aws_lb_listener_certificate",
    "aws_s3_bucket_acl",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_website_configuration",
)
"""Declarations that belong to what they name: anything reported about them applies to that."""


Place = tuple[str, str, str]
"""Scope, file, and address without indexes: how a finding identifies its resource."""


def reasons_by_place(resources: Iterable[Resource]) -> dict[Place, str]:
    """For the resources of all scopes: why the internet can reach those that it can, in words."""
    by_scope: dict[str, list[Resource]] = {}
    for each in resources:
        by_scope.setdefault(each.scope, []).append(each)
    found: dict[Place, str] = {}
    for scope, members in sorted(by_scope.items()):
        for exposure in exposures(read_graph(members)).values():
            place = place_in(scope, exposure.resource.file, exposure.resource.address)
            found.setdefault(place, exposure.reason)
    return found


def place_in(scope: str, file: str, address: str) -> Place:
    """The key of ``reasons_by_place``. Engines report on a block, the resource model on each of its
    instances; an address that occurs twice has its file appended."""
    return scope, file, _INDEXES.sub("", address).split(" (")[0]


def exposures(graph: Graph) -> dict[str, Exposure]:
    aws = Aws(graph)
    found = {each.resource.address: each for each in _direct(graph, aws)}
    _add_reached(found, graph)
    _add_parts(found, graph)
    _add_groups(found, graph, aws)
    return dict(sorted(found.items()))


def direct_exposures(graph: Graph) -> list[Exposure]:
    """What the internet reaches without passing through anything else, by its address."""
    found = {each.resource.address: each for each in _direct(graph, Aws(graph))}
    return [exposure for _, exposure in sorted(found.items())]


def _direct(graph: Graph, aws: Aws) -> Iterator[Exposure]:
    """Anything that may not exist at all (a Condition that can't be decided) is not exposed."""
    direct = [*aws.exposures(), *azure_exposures(graph), *google_exposures(graph)]
    direct += container_exposures(graph)
    yield from (each for each in direct if not each.resource.uncertain)


def _add_reached(found: dict[str, Exposure], graph: Graph) -> None:
    """What requests are passed to, up to what serves them."""
    flow = Flow(graph)
    waiting = [(each.resource, each.reason, 0) for each in found.values()]
    while waiting:
        resource, reason, links = waiting.pop()
        if kind_of(resource) in SERVING or kind_of(resource) in STORES:
            continue
        for hop in flow.after(resource):
            target = hop.target
            if target.address in found or kind_of(target) in STORES:
                continue
            if kind_of(target) in MACHINES and not lets_in(graph, target):
                continue
            link = f" -> {target.address} ({hop.place})" if links < MAX_LINKS else ""
            found[target.address] = Exposure(target, reason + link)
            waiting.append((target, reason + link, links + 1))


def _add_parts(found: dict[str, Exposure], graph: Graph) -> None:
    for each in list(found.values()):
        for edge in graph.named_by(each.resource, *PARTS):
            reason = f"{edge.source.address} ({edge.place}) belongs to {each.reason}"
            found.setdefault(edge.source.address, Exposure(edge.source, reason))


def _add_groups(found: dict[str, Exposure], graph: Graph, aws: Aws) -> None:
    """Security groups that let the internet in to something that it can reach."""
    for address, words in aws.open.items():
        group = graph.resources[address]
        for edge in graph.named_by(group):
            if edge.source.address in found and kind_of(edge.source) != "aws_security_group":
                reason = f"{words}; {edge.source.address} uses it ({edge.place})"
                found.setdefault(address, Exposure(group, reason))
                break
