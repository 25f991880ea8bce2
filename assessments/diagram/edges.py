"""The relations that a diagram draws: what names what, where requests go, and what the internet can
reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from assessments.agents.exposure.reach import direct_exposures
from assessments.agents.flow import Flow
from assessments.agents.references import Graph, read_graph
from assessments.agents.wording import capital
from assessments.diagram.types import INTERNET, Edge

if TYPE_CHECKING:
    from assessments.scan.types import Resource


def edges_of(resources: Iterable[Resource]) -> list[Edge]:
    """The edges of all scopes, requests first, in an order independent of the input's."""
    by_scope: dict[str, list[Resource]] = {}
    for each in resources:
        by_scope.setdefault(each.scope, []).append(each)
    found: list[Edge] = []
    for scope, members in sorted(by_scope.items()):
        graph = read_graph(members)
        found += _reached(scope, graph)
        found += _requests(scope, graph)
        found += _references(scope, graph)
    return found


def _reached(scope: str, graph: Graph) -> Iterator[Edge]:
    for exposure in direct_exposures(graph):
        words = exposure.reason.partition("): ")[2] or exposure.reason
        yield Edge(
            scope=scope,
            source=INTERNET,
            target=exposure.resource.address,
            why=capital(words) if words.partition(" ")[0].isalpha() else words,
            place=f"{exposure.resource.file}:{exposure.resource.line_start}",
            is_request=True,
        )


def _requests(scope: str, graph: Graph) -> Iterator[Edge]:
    flow = Flow(graph)
    for resource in graph.resources.values():
        for hop in flow.after(resource):
            yield Edge(
                scope=scope,
                source=resource.address,
                target=hop.target.address,
                why=hop.why,
                place=hop.place,
                is_request=True,
            )


def _references(scope: str, graph: Graph) -> Iterator[Edge]:
    for edge in graph.edges():
        where = f" in {edge.at}" if edge.at else ""
        yield Edge(
            scope=scope,
            source=edge.source.address,
            target=edge.target.address,
            why=f"{edge.source.address} names {edge.target.address}{where}",
            place=edge.place,
        )
