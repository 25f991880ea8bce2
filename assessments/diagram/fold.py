"""Which part of a diagram is drawn: some groups open, the others folded into one box each, so that
it stays readable and bounded whatever the upload contains."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from assessments.diagram.types import INTERNET, Diagram, Group, Node

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

OPENED_BY_ITSELF = 90
"""Number of boxes up to which groups are open initially."""
MAX_DRAWN = 400
"""Most boxes drawn, whatever is opened."""
MAX_IN_GROUP = 120
"""Most boxes drawn in one group; the table has the others."""
MAX_LINES = 600
"""Most lines drawn: paths to data first, then requests. The layout's time grows quickly with them,
and nobody can follow more."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the drawing: a resource, a folded group, an open one, or the internet.
    ``nodes`` are the resources it stands for; for an open group, all that are in it."""

    id: str
    parent: str = ""
    node: Node | None = None
    group: Group | None = None
    is_open: bool = False
    nodes: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A line between two boxes. ``links`` are the indexes of the diagram's links that it stands
    for; ``paths`` the ids of the exposure paths that use it."""

    source: str
    target: str
    is_request: bool
    why: str = ""
    place: str = ""
    count: int = 1
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """``undrawn`` counts resources whose box had no room, by the id of their group;
    ``undrawn_lines`` the lines past ``MAX_LINES``."""

    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    undrawn: dict[str, int] = field(default_factory=dict)
    undrawn_lines: int = 0


def view_of(
    drawn: Diagram,
    *,
    opened: Collection[str] = (),
    folded: Collection[str] = (),
    with_references: bool = True,
) -> View:
    """The boxes and lines to draw. ``opened`` and ``folded`` are the ids of groups that the reader
    opened or folded; the others are open while there is room, those with exposure paths and the
    worst findings first."""
    tree = _Tree(drawn)
    is_open = tree.open_groups(opened=set(opened), folded=set(folded))
    boxes: list[Box] = []
    undrawn: dict[str, int] = {}
    box_of: dict[str, str] = {}
    for box, left_out in tree.boxes("", is_open):
        boxes.append(box)
        if not box.is_open:
            box_of |= {node.id: box.id for node in box.nodes}
        elif box.group and box.group.node:
            box_of[box.group.node] = box.id
        if left_out:
            undrawn[box.id] = left_out
    top_left_out = tree.left_out("", is_open)
    if top_left_out:
        undrawn[""] = top_left_out
    found = _lines(drawn, box_of, with_references=with_references)
    found.sort(key=lambda line: (not line.paths, not line.is_request))
    lines = found[:MAX_LINES]
    if any(line.source == INTERNET for line in lines):
        boxes.insert(0, Box(INTERNET))
    undrawn_lines = len(found) - len(lines)
    return View(boxes=boxes, lines=lines, undrawn=undrawn, undrawn_lines=undrawn_lines)


class _Tree:
    def __init__(self, drawn: Diagram) -> None:
        self._groups = {group.id: group for group in drawn.groups}
        self._inner: dict[str, list[Group]] = defaultdict(list)
        self._nodes: dict[str, list[Node]] = defaultdict(list)
        self._by_id = {node.id: node for node in drawn.nodes}
        self._on_path = {step.target for path in drawn.paths for step in path.steps}
        self._on_path |= {entry.target for entry in drawn.entries}
        self._tied = {end for link in drawn.links for end in (link.source, link.target)}
        for group in drawn.groups:
            self._inner[group.parent].append(group)
        standing_for = {group.node for group in drawn.groups if group.node}
        for node in drawn.nodes:
            if node.id not in standing_for:
                self._nodes[node.group].append(node)
        self._all: dict[str, tuple[Node, ...]] = {}

    def all_in(self, group: str) -> tuple[Node, ...]:
        """The resources in a group, its own first."""
        if group not in self._all:
            own = self._by_id.get(self._groups[group].node) if group else None
            listed = [*([own] if own else []), *self._nodes[group]]
            for inner in self._inner[group]:
                listed += self.all_in(inner.id)
            self._all[group] = tuple(listed)
        return self._all[group]

    def open_groups(self, *, opened: set[str], folded: set[str]) -> set[str]:
        found: set[str] = set()
        room = MAX_DRAWN - self._width("")
        for key in self._ancestors(opened):
            if key not in folded and self._width(key) <= room:
                found.add(key)
                room -= self._width(key)
        room = min(room, OPENED_BY_ITSELF - self._width(""))
        waiting = [self._by_importance(group) for group in self._inner[""]]
        heapify(waiting)
        while waiting:
            group = heappop(waiting)[1]
            if group.id in folded:
                continue
            if group.id not in found:
                if self._width(group.id) > room:
                    continue
                found.add(group.id)
                room -= self._width(group.id)
            for inner in self._inner[group.id]:
                heappush(waiting, self._by_importance(inner))
        return found

    def _ancestors(self, opened: set[str]) -> list[str]:
        """The groups that contain ``opened`` and those groups themselves, outermost first."""
        found: list[str] = []
        for key in sorted(opened & self._groups.keys()):
            chain: list[str] = []
            while key:
                chain.append(key)
                key = self._groups[key].parent
            found += [each for each in reversed(chain) if each not in found]
        return found

    def _width(self, group: str) -> int:
        """Boxes directly in a group."""
        return min(len(self._nodes[group]), MAX_IN_GROUP) + len(self._inner[group])

    def _by_importance(self, group: Group) -> tuple[tuple[int, int, int, str], Group]:
        """The group, preceded by its sort key: paths to data, then the worst findings, then smaller
        ones. Ids are unique, so groups themselves are never compared."""
        nodes = self.all_in(group.id)
        on_path = any(node.id in self._on_path for node in nodes)
        worst = max(map(worst_of, nodes), default=0)
        return (-on_path, -worst, len(nodes), group.id), group

    def boxes(self, group: str, is_open: Collection[str]) -> Iterator[tuple[Box, int]]:
        for inner in self._inner[group]:
            if inner.id in is_open:
                box = Box(inner.id, group, None, inner, True, self.all_in(inner.id))
                yield box, self.left_out(inner.id, is_open)
                yield from self.boxes(inner.id, is_open)
            else:
                yield Box(inner.id, group, None, inner, False, self.all_in(inner.id)), 0
        for node in self._shown(group):
            yield Box(node.id, group, node, None, False, (node,)), 0

    def left_out(self, group: str, is_open: Collection[str]) -> int:
        return max(0, len(self._nodes[group]) - MAX_IN_GROUP)

    def _shown(self, group: str) -> list[Node]:
        """The resources of a group that are drawn: on a path, the worst, those with connections."""
        nodes = self._nodes[group]
        if len(nodes) <= MAX_IN_GROUP:
            return nodes
        ranked = sorted(
            nodes, key=lambda n: (n.id not in self._on_path, -worst_of(n), n.id not in self._tied)
        )
        return ranked[:MAX_IN_GROUP]


def worst_of(node: Node, agent: str = "") -> int:
    """1 (info) to 5 (critical) by the worst of its findings, from one agent or all; 0 if there are
    none."""
    counted = [c for name, c in node.findings.items() if not agent or name == agent]
    return max((level + 1 for c in counted for level in range(5) if c[level]), default=0)


def _lines(drawn: Diagram, box_of: dict[str, str], *, with_references: bool) -> list[Line]:
    on_paths: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in drawn.paths:
        for step in path.steps:
            on_paths[step.source, step.target].append(path.id)
    found: dict[tuple[str, str], Line] = {}
    steps = [(e.source, e.target, True, e.why, e.place) for e in drawn.entries]
    links = [(x.source, x.target, x.is_request, x.why, x.place) for x in drawn.links]
    for source, target, is_request, why, place in [*steps, *links]:
        start = INTERNET if source == INTERNET else box_of.get(source)
        end = box_of.get(target)
        if start is None or end is None or start == end:
            continue
        if not is_request and not with_references:
            continue
        paths = on_paths.get((source, target), ())
        line = found.get((start, end))
        if line is None:
            found[start, end] = Line(start, end, is_request, why, place, 1, tuple(paths))
        else:
            found[start, end] = Line(
                start,
                end,
                line.is_request or is_request,
                line.why,
                line.place,
                line.count + 1,
                tuple(dict.fromkeys([*line.paths, *paths])),
            )
    return list(found.values())
