"""Positions boxes and lines: a layered layout from left to right, by graphlay.

The server computes it for the page, its table's links, the exported file and the reports alike, so
one drawing serves them all, and none needs a script.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING, Any

import graphlay

from assessments.diagram.types import INTERNET

if TYPE_CHECKING:
    from assessments.diagram.fold import Box, Line, View

BOX = (196, 46)
"""Width and height of a resource, in px."""
INTERNET_BOX = (104, 46)
PADDING = 26
"""Between a frame and its content; its label goes there."""
GAP = 16
PACKED_SHAPE = 4.0
"""Ratio of width to height for things that are packed because nothing connects them."""
MARGIN = 16
CAREFUL_UP_TO = 60
"""Number of lines up to which the layout takes its time to avoid crossings. Above, it skips the
rounds that move line ends apart: with them, one box with 400 lines takes 18 s, during which nothing
else in the process runs, as the engine holds Python's lock; without them, 0.02 s."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Upper left corner and size, in px."""

    box: Box
    x: float
    y: float
    width: float
    height: float
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line's points from its source's border to its target's."""

    line: Line
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Boxes, with frames before their content; everything lies between (0, 0) and (width,
    height)."""

    boxes: list[Placed]
    lines: list[Drawn]
    width: float
    height: float


def layout_of(view: View) -> Layout:
    """The same view gives the same layout. Boxes that are connected by lines are layered by the
    engine; the others are packed in rows, frame by frame."""
    plan = _Plan(view)
    content = plan.content_of("")
    order = {box.id: place for place, box in enumerate(view.boxes)}
    boxes = sorted(content.boxes, key=lambda each: order[each.box.id])
    depths = {"": -1}
    for box in view.boxes:
        depths[box.id] = depths.get(box.parent, -1) + 1
    return Layout(
        boxes=[
            replace(each, x=each.x + MARGIN, y=each.y + MARGIN, depth=depths[each.box.id])
            for each in boxes
        ],
        lines=[_shifted(each, MARGIN, MARGIN) for each in content.lines],
        width=content.width + 2 * MARGIN,
        height=content.height + 2 * MARGIN,
    )


@dataclass(frozen=True, slots=True)
class _Content:
    """The content of a frame, from (0, 0)."""

    boxes: list[Placed]
    lines: list[Drawn]
    width: float
    height: float

    def at(self, x: float, y: float) -> _Content:
        return _Content(
            [replace(each, x=each.x + x, y=each.y + y) for each in self.boxes],
            [_shifted(each, x, y) for each in self.lines],
            self.width,
            self.height,
        )


class _Plan:
    def __init__(self, view: View) -> None:
        self._children: dict[str, list[Box]] = defaultdict(list)
        self._parent = {box.id: box.parent for box in view.boxes}
        for box in view.boxes:
            self._children[box.parent].append(box)
        self._lines = [
            x for x in view.lines if x.source in self._parent and x.target in self._parent
        ]
        self._tied: set[str] = set()
        for line in self._lines:
            ends = [list(self._chain(line.source)), list(self._chain(line.target))]
            self._tied |= set(ends[0]) ^ set(ends[1])

    def _chain(self, box: str) -> Iterator[str]:
        while box:
            yield box
            box = self._parent[box]

    def content_of(self, frame: str) -> _Content:
        graph = graphlay.Graph()
        blocks: dict[str, _Content] = {}
        drawn: dict[str, Box] = {}
        self._add(frame, None, graph, blocks=blocks, drawn=drawn)
        if not drawn:
            return blocks.get(frame, _Content([], [], 0, 0))
        lines = [x for x in self._lines if x.source in drawn and x.target in drawn]
        for line in lines:
            graph.edge(line.source, line.target, weight=4.0 if line.paths else 1.0)
        options = _OPTIONS if len(lines) <= CAREFUL_UP_TO else _OPTIONS | _QUICK
        raw = graphlay.layout(graph, options=options).raw
        return _read(raw, list(graph.ids), drawn=drawn, blocks=blocks, lines=lines)

    def _add(
        self,
        frame: str,
        place: int | None,
        graph: graphlay.Graph,
        *,
        blocks: dict[str, _Content],
        drawn: dict[str, Box],
    ) -> None:
        inside: dict[str, Any] = {} if place is None else {"parent": place}
        alone: list[_Content] = []
        for box in self._children[frame]:
            width, height = INTERNET_BOX if box.id == INTERNET else BOX
            if box.id not in self._tied:
                alone.append(self._alone(box))
                continue
            drawn[box.id] = box
            own = graph.node(box.id, width=width, height=height, **inside)
            if box.is_open:
                self._add(box.id, own, graph, blocks=blocks, drawn=drawn)
        if alone:
            blocks[frame] = _packed(alone)
            block = blocks[frame]
            graph.node(f"block {frame}", width=block.width, height=block.height, **inside)

    def _alone(self, box: Box) -> _Content:
        """A box that no line enters or leaves, with its content."""
        if not box.is_open:
            return _Content([Placed(box, 0, 0, *BOX)], [], *BOX)
        inner = self.content_of(box.id)
        width, height = max(inner.width, BOX[0]) + 2 * PADDING, inner.height + 2 * PADDING
        moved = inner.at(PADDING, PADDING)
        return _Content(
            [Placed(box, 0, 0, width, height), *moved.boxes], moved.lines, width, height
        )


def _packed(contents: Iterable[_Content]) -> _Content:
    """In rows, tallest first."""
    ordered = sorted(contents, key=lambda each: -each.height)
    area = sum((each.width + GAP) * (each.height + GAP) for each in ordered)
    most = max(sqrt(area * PACKED_SHAPE), max(each.width for each in ordered))
    boxes: list[Placed] = []
    lines: list[Drawn] = []
    x = y = row = width = 0.0
    for each in ordered:
        if x and x + each.width > most:
            x, y, row = 0.0, y + row + GAP, 0.0
        moved = each.at(x, y)
        boxes += moved.boxes
        lines += moved.lines
        x, row = x + each.width + GAP, max(row, each.height)
        width = max(width, x - GAP)
    return _Content(boxes, lines, width, y + row)


_OPTIONS: dict[str, Any] = {
    "direction": "leftright",
    "spacing": {
        "layer_gap": 52,
        "node_gap": GAP,
        "dummy_gap": 12,
        "port_gap": 8,
        "isolated_gap": GAP,
        "compound_padding": PADDING,
        "compound_header": 0,
    },
    "effort": "balanced",
}
_QUICK: dict[str, Any] = {
    "effort": "fast",
    "tuning": {"routing": {"port_relax_rounds": 0, "overlap_repair_rounds": 0}},
}


def _read(
    raw: dict[str, Any],
    ids: list[str],
    *,
    drawn: dict[str, Box],
    blocks: dict[str, _Content],
    lines: list[Line],
) -> _Content:
    """The engine's result with its upper left corner at (0, 0), and the packed blocks in their
    places."""
    nodes = dict(zip(ids, raw["nodes"], strict=True))
    routes = [[(p["x"], p["y"]) for p in edge["points"]] for edge in raw["edges"]]
    corners = [
        (n["center"], n["size"]["width"] / 2, n["size"]["height"] / 2) for n in nodes.values()
    ]
    xs = [c["x"] + side * w for c, w, _ in corners for side in (-1, 1)]
    ys = [c["y"] + side * h for c, _, h in corners for side in (-1, 1)]
    xs += [x for route in routes for x, _ in route]
    ys += [y for route in routes for _, y in route]
    left, top = min(xs), min(ys)
    boxes: list[Placed] = []
    inner: list[Drawn] = []
    for name, node in nodes.items():
        width, height = node["size"]["width"], node["size"]["height"]
        x, y = node["center"]["x"] - width / 2 - left, node["center"]["y"] - height / 2 - top
        if name in drawn:
            boxes.append(Placed(drawn[name], x, y, width, height))
        else:
            block = blocks[name.removeprefix("block ")].at(x, y)
            boxes += block.boxes
            inner += block.lines
    own = [
        Drawn(line, tuple((x - left, y - top) for x, y in route))
        for line, route in zip(lines, routes, strict=True)
    ]
    return _Content(boxes, [*own, *inner], max(xs) - left, max(ys) - top)


def _shifted(drawn: Drawn, x: float, y: float) -> Drawn:
    return Drawn(drawn.line, tuple((px + x, py + y) for px, py in drawn.points))
