"""The paths of requests through one scope, from where they come in to where data is stored."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assessments.agents.attributes import block
from assessments.agents.flow import FRONTS, SERVING, SINGLES, STORES, Flow, Hop
from assessments.agents.references import Graph, kind_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from assessments.scan.types import Resource

MAX_PATHS = 100
MAX_HOPS = 200
"""Of one path."""


@dataclass(frozen=True, slots=True)
class RequestPath:
    """One way: ``front`` leads from where requests come in (``entry``) to what serves them,
    ``behind`` from there to all that it needs. ``serving`` holds one resource, or the machines that
    share the work. Without a hop in ``front``, what serves is reached directly."""

    entry: Resource
    front: tuple[Hop, ...]
    serving: tuple[Resource, ...]
    behind: tuple[Hop, ...]

    @property
    def resources(self) -> list[Resource]:
        """All that the request needs, each once, in its order."""
        listed = [self.entry, *(hop.target for hop in self.front), *self.serving]
        listed += [hop.target for hop in self.behind]
        return list({each.address: each for each in listed}.values())

    @property
    def hops(self) -> tuple[Hop, ...]:
        return (*self.front, *self.behind)

    def in_words(self) -> str:
        """``aws_lb.edge -> aws_ecs_service.app -> aws_db_instance.orders``: without what only ties
        others together."""
        chain = [self.entry.address]
        chain += [hop.target.address for hop in self.front[:-1] if _is_station(hop.target)]
        if self.front:
            chain.append(_together(self.serving))
        served = {each.address for each in self.serving}
        needed = [
            hop.target.address
            for hop in self.behind
            if _is_station(hop.target) and hop.target.address not in served
        ]
        return " -> ".join([*chain, *([", ".join(dict.fromkeys(needed))] if needed else [])])


def request_paths(graph: Graph, *, exposed: Collection[str] = ()) -> list[RequestPath]:
    """Every way from an entry to something that serves. ``exposed`` are the addresses of machines
    that are reached directly.

    Empty where the references don't lead from any entry to anything that serves: then the code
    doesn't show the path.
    """
    flow = Flow(graph)
    found: list[RequestPath] = []
    for resource in graph.resources.values():
        if _is_entry(resource, flow, exposed):
            found += _ways(resource, flow)
        if len(found) >= MAX_PATHS:
            break
    return found[:MAX_PATHS]


def _is_entry(resource: Resource, flow: Flow, exposed: Collection[str]) -> bool:
    kind = kind_of(resource)
    if flow.is_behind(resource):
        return False
    if kind == "compose_service":
        return bool(resource.attributes.get("ports"))
    if kind == "Service":
        wanted = block(resource.attributes.get("spec")).get("type")
        return wanted in ("LoadBalancer", "NodePort")
    return kind in FRONTS or (kind in SERVING and resource.address in exposed)


def _ways(entry: Resource, flow: Flow) -> Iterator[RequestPath]:
    if kind_of(entry) in SERVING:
        yield RequestPath(entry, (), (entry,), _behind((entry,), flow, front=()))
        return
    waiting: deque[tuple[Hop, ...]] = deque((hop,) for hop in flow.after(entry))
    seen = {entry.address}
    while waiting:
        hops = waiting.popleft()
        last = hops[-1].target
        between = tuple(hop.target for hop in hops[:-1])
        if last.address in seen:
            continue
        if kind_of(last) in SINGLES:
            together = _beside(hops[-1], flow)
            seen |= {each.address for each in together}
            yield RequestPath(
                entry, hops, together, _behind(together, flow, front=(entry, *between))
            )
        elif kind_of(last) in SERVING or kind_of(last) in STORES:
            seen.add(last.address)
            behind = _behind((last,), flow, front=(entry, *between))
            yield RequestPath(entry, hops, (last,), behind)
        elif len(hops) < MAX_HOPS:
            seen.add(last.address)
            waiting += [(*hops, hop) for hop in flow.after(last)]


def _beside(hop: Hop, flow: Flow) -> tuple[Resource, ...]:
    """The machines that the same front shares its requests among. Attachments, one a machine, stand
    between them and the front."""
    return tuple(
        each.target for each in flow.after(hop.source) if kind_of(each.target) in SINGLES
    ) or (hop.target,)


def _behind(
    serving: tuple[Resource, ...], flow: Flow, *, front: tuple[Resource, ...]
) -> tuple[Hop, ...]:
    """All that is needed to answer: what serves and everything it passes requests on to, but not
    back to what is in front of it."""
    hops: list[Hop] = []
    seen = {each.address for each in (*front, *serving)}
    waiting = deque(serving)
    while waiting and len(hops) < MAX_HOPS:
        for hop in flow.after(waiting.popleft()):
            if hop.target.address not in seen:
                seen.add(hop.target.address)
                hops.append(hop)
                waiting.append(hop.target)
    return tuple(hops)


def _is_station(resource: Resource) -> bool:
    kind = kind_of(resource)
    return kind in SERVING or kind in STORES or (kind in FRONTS and kind != "Service")


def _together(serving: tuple[Resource, ...]) -> str:
    names = [each.address for each in serving]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
