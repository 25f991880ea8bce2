"""Builds one diagram from everything known in a run: resources, their relations, findings and
prices."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assessments.agents.exposure.reach import place_in
from assessments.agents.references import kind_of
from assessments.diagram.groups import Frame, Surroundings
from assessments.diagram.kinds import belongs_to, keeps_data, role_of, words_for
from assessments.diagram.paths import opened, opens, paths_of
from assessments.diagram.types import (
    INTERNET,
    Diagram,
    Edge,
    ExposurePath,
    FoundProblem,
    Group,
    GroupKind,
    Link,
    Node,
    Part,
    Role,
    Step,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from assessments.scan.types import Resource, Scope

MAX_NODES = 20_000
"""Resources of one diagram; the rest are counted."""
ALIKE = 12
"""From this many unconnected resources of one type on, they share a group."""
NOT_RESOURCES = frozenset({"provider"})
Prices = dict[tuple[str, str], float]
"""USD a month by scope and address."""


def diagram(
    resources: Iterable[Resource],
    edges: Iterable[Edge],
    findings: Iterable[FoundProblem],
    scopes: Sequence[Scope],
) -> Diagram:
    """The whole diagram. ``edges`` come from ``edges.edges_of``; ``findings`` are the run's unmuted
    ones."""
    return with_findings(_drawn(resources, edges, scopes), findings)


def with_findings(drawn: Diagram, findings: Iterable[FoundProblem]) -> Diagram:
    """``drawn`` with the findings on its nodes and at the steps that they open."""
    places = _Places(drawn.nodes)
    counts: dict[str, dict[str, list[int]]] = defaultdict(dict)
    openings: dict[str, list[FoundProblem]] = defaultdict(list)
    for finding in findings:
        for node in places.of(finding):
            counts[node].setdefault(finding.agent, [0] * 5)[finding.severity] += 1
            if opens(finding.rule):
                openings[node].append(finding)
    guards = _guards(drawn)

    def with_openings(step: Step) -> Step:
        near = [step.target, *guards.get(step.target, ())]
        return opened(step, [each for node in near for each in openings.get(node, ())])

    return drawn.replace(
        nodes=[each.replace(findings=counts.get(each.id, {})) for each in drawn.nodes],
        entries=[with_openings(each) for each in drawn.entries],
        paths=[
            ExposurePath(id=path.id, steps=[with_openings(step) for step in path.steps])
            for path in drawn.paths
        ],
    )


def with_prices(drawn: Diagram, prices: Prices) -> Diagram:
    """``drawn`` with the monthly price of each node and its parts."""

    def priced(node: Node) -> Node:
        addresses = [node.address, *(part.address for part in node.parts)]
        known = [prices[key] for a in addresses if (key := (node.scope, a)) in prices]
        return node.replace(monthly_usd=round(sum(known), 2)) if known else node

    return drawn.replace(nodes=[priced(each) for each in drawn.nodes])


def _drawn(
    resources: Iterable[Resource], edges: Iterable[Edge], scopes: Sequence[Scope]
) -> Diagram:
    listed = [each for each in resources if each.type not in NOT_RESOURCES]
    kept = sorted(listed, key=lambda each: (each.scope, each.address, each.file))[:MAX_NODES]
    by_scope: dict[str, list[Resource]] = defaultdict(list)
    for each in kept:
        by_scope[each.scope].append(each)
    edges_by_scope: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        edges_by_scope[edge.scope].append(edge)
    labels = {scope.key: scope.label for scope in scopes}
    building = _Building()
    for scope, members in by_scope.items():
        top = (
            building.group("", Frame(GroupKind.SCOPE, scope, labels.get(scope, scope) or "Files"))
            if len(by_scope) > 1
            else ""
        )
        building.add_scope(members, edges_by_scope[scope], top=top)
    drawn = building.done(left_out=len(listed) - len(kept))
    stores = {
        node.id for node in drawn.nodes if node.role == Role.DATA and node.id in building.stores
    }
    paths, more = paths_of(drawn.entries, drawn.links, stores)
    return drawn.replace(paths=paths, paths_left_out=more)


@dataclass
class _Building:
    """A diagram being built, scope by scope."""

    nodes: list[Node] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    links: dict[tuple[str, str], Link] = field(default_factory=dict)
    entries: list[Step] = field(default_factory=list)
    stores: set[str] = field(default_factory=set)
    _group_ids: dict[tuple[str, GroupKind, str], str] = field(default_factory=dict)

    def group(self, parent: str, frame: Frame, node: str = "") -> str:
        key = parent, frame.kind, frame.key
        if key not in self._group_ids:
            self._group_ids[key] = f"g{len(self.groups)}"
            self.groups.append(
                Group(
                    id=self._group_ids[key],
                    label=frame.label,
                    kind=frame.kind,
                    parent=parent,
                    node=node,
                )
            )
        return self._group_ids[key]

    def add_scope(self, members: list[Resource], edges: list[Edge], *, top: str) -> None:
        resources = {each.address: each for each in members}
        owners = _owners(resources, edges)
        around = Surroundings(resources, edges)
        frames = {a: around.of(r) for a, r in resources.items() if owners[a] == a}
        framing = {frame.address for each in frames.values() for frame in each if frame.address}
        ids = {a: f"n{len(self.nodes) + place}" for place, a in enumerate(sorted(frames))}
        parts: dict[str, list[Part]] = defaultdict(list)
        for address, owner in owners.items():
            if owner != address:
                part = resources[address]
                parts[owner].append(Part(address=address, file=part.file, line=part.line_start))
        for address in ids:
            resource = resources[address]
            if keeps_data(resource):
                self.stores.add(ids[address])
            self.nodes.append(
                Node(
                    id=ids[address],
                    name=_name(resource),
                    address=address,
                    type=resource.type,
                    words=words_for(resource),
                    role=role_of(resource),
                    scope=resource.scope,
                    group=self._within(top, frames[address], ids),
                    file=resource.file,
                    line=resource.line_start,
                    parts=sorted(parts[address], key=lambda each: each.address),
                    is_group=address in framing,
                )
            )
        self._relate(
            edges, {a: ids[owner] for a, owner in owners.items()}, framing=framing, ids=ids
        )

    def _within(self, top: str, frames: list[Frame], ids: Mapping[str, str]) -> str:
        inner = top
        for frame in frames:
            inner = self.group(inner, frame, node=ids.get(frame.address, ""))
        return inner

    def _relate(
        self,
        edges: list[Edge],
        node_of: Mapping[str, str],
        *,
        framing: set[str],
        ids: Mapping[str, str],
    ) -> None:
        frames = {ids[address] for address in framing}
        for edge in edges:
            target = node_of.get(edge.target)
            if target is None or (target in frames and edge.source != INTERNET):
                continue
            if edge.source == INTERNET:
                if all(entry.target != target for entry in self.entries[-len(node_of) :]):
                    self.entries.append(
                        Step(source=INTERNET, target=target, why=edge.why, place=edge.place)
                    )
                continue
            source = node_of.get(edge.source)
            if source is None or source == target or source in frames:
                continue
            self._link(source, target, edge)

    def _link(self, source: str, target: str, edge: Edge) -> None:
        """One line for each pair of nodes: a request is more informative than a name."""
        known = self.links.get((source, target)) or self.links.get((target, source))
        if known is None or (edge.is_request and (source, target) not in self.links):
            if known is not None and not known.is_request:
                self.links.pop((target, source), None)
            self.links[source, target] = Link(
                source=source,
                target=target,
                why=edge.why,
                place=edge.place,
                is_request=edge.is_request,
            )

    def done(self, *, left_out: int) -> Diagram:
        links = list(self.links.values())
        nodes, groups = _flattened(self.nodes, self.groups)
        nodes, groups = _alike(nodes, groups, links, self.entries)
        return Diagram(
            nodes=nodes, groups=groups, links=links, entries=self.entries, left_out=left_out
        )


def _name(resource: Resource) -> str:
    """With its index, if its block stands for several."""
    index = _INDEX.search(resource.address)
    return f"{resource.name}{index[0] if index else ''}"[:200] or resource.address[:200]


def _owners(resources: Mapping[str, Resource], edges: Iterable[Edge]) -> dict[str, str]:
    """Maps each address to that of the resource it is a part of, or to itself."""
    direct: dict[str, str] = {}
    for edge in edges:
        source, target = resources.get(edge.source), resources.get(edge.target)
        if source is None or target is None or edge.is_request or edge.source in direct:
            continue
        if belongs_to(kind_of(source), kind_of(target)):
            direct[edge.source] = edge.target
    owners: dict[str, str] = {}
    for address in resources:
        owner, seen = address, {address}
        while owner in direct and direct[owner] not in seen:
            owner = direct[owner]
            seen.add(owner)
        owners[address] = owner
    return owners


def _flattened(nodes: list[Node], groups: list[Group]) -> tuple[list[Node], list[Group]]:
    """Without modules that contain only one thing: a frame around it adds nothing."""
    held: dict[str, int] = defaultdict(int)
    for each in [*(n.group for n in nodes), *(g.parent for g in groups)]:
        held[each] += 1
    gone = {g.id: g.parent for g in groups if g.kind == GroupKind.MODULE and held[g.id] == 1}

    def kept(group: str) -> str:
        while group in gone:
            group = gone[group]
        return group

    return (
        [each.replace(group=kept(each.group)) for each in nodes],
        [each.replace(parent=kept(each.parent)) for each in groups if each.id not in gone],
    )


def _alike(
    nodes: list[Node], groups: list[Group], links: list[Link], entries: list[Step]
) -> tuple[list[Node], list[Group]]:
    """Many unconnected resources of one type share a group."""
    tied = {end for link in links for end in (link.source, link.target)}
    tied |= {entry.target for entry in entries}
    loose: dict[tuple[str, str], list[str]] = defaultdict(list)
    for node in nodes:
        if node.id not in tied and not node.is_group:
            loose[node.group, node.words].append(node.id)
    made = list(groups)
    moved: dict[str, str] = {}
    for (parent, words), members in loose.items():
        if len(members) >= ALIKE:
            group = Group(id=f"k{len(made)}", label=words, kind=GroupKind.KIND, parent=parent)
            made.append(group)
            moved |= dict.fromkeys(members, group.id)
    return [n.replace(group=moved[n.id]) if n.id in moved else n for n in nodes], made


class _Places:
    """Nodes by how a finding identifies its resource."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._exact: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        self._by_address: dict[tuple[str, str], list[str]] = defaultdict(list)
        for node in nodes:
            own = Part(address=node.address, file=node.file)
            for part in [own, *node.parts]:
                scope, file, address = place_in(node.scope, part.file, part.address)
                self._exact[scope, file, address].append(node.id)
                self._by_address[scope, address].append(node.id)

    def of(self, finding: FoundProblem) -> list[str]:
        if not finding.resource:
            return []
        scope, file, address = place_in(finding.scope, finding.file, finding.resource)
        found = self._exact.get((scope, file, address)) or self._by_address.get((scope, address))
        return list(dict.fromkeys(found or ()))


_INDEX = re.compile(r"\[[^\[\]]{1,100}\]$")
_GUARD = re.compile(r"security group|firewall|network policy", re.IGNORECASE)


def _guards(drawn: Diagram) -> dict[str, list[str]]:
    """For each node, the firewalls that it names: their openings open the step to it."""
    guards = {node.id for node in drawn.nodes if _GUARD.search(node.words)}
    found: dict[str, list[str]] = defaultdict(list)
    for link in drawn.links:
        if link.target in guards:
            found[link.source].append(link.target)
    return found
