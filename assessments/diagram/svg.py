"""The drawing as SVG: built from elements, never concatenated text, so nothing uploaded is markup.

Colors are presentation attributes with the light theme's values, which a file and a PDF need; the
page's style sheet overrides them by class. There are no style attributes, because the site's policy
forbids them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from assessments.diagram.fold import worst_of
from assessments.diagram.types import INTERNET, GroupKind, Role

if TYPE_CHECKING:
    from assessments.diagram.fold import Box
    from assessments.diagram.layout import Drawn, Layout, Placed
    from assessments.diagram.types import Node

NAMESPACE = "http://www.w3.org/2000/svg"
SEVERITY_WORDS = ("no finding", "info", "low", "medium", "high", "critical")
INK, FAINT, LINE, FRAME, PAPER, PATH = (
    "#15191c",
    "#626c74",
    "#848e96",
    "#c5ccd0",
    "#ffffff",
    "#a61b0b",
)
SEVERITIES = ("#848e96", "#626c74", "#1f587f", "#83661c", "#962f10", "#7d0a43")
"""None, then info to critical: tokens.css, the light theme."""
FONT = (
    "Libertinus Sans, Segoe UI, Roboto, Noto Sans, Liberation Sans, DejaVu Sans, Arial, sans-serif"
)
NAME_LENGTH, WORDS_LENGTH, LABEL_LENGTH = 20, 19, 40
RADIUS = 6
GROUP_WORDS = {
    GroupKind.SCOPE: "Scope",
    GroupKind.MODULE: "Module",
    GroupKind.NETWORK: "Network",
    GroupKind.SUBNET: "Subnet",
    GroupKind.NAMESPACE: "Namespace",
    GroupKind.KIND: "Alike",
}
_ICONS = {
    Role.ENTRY: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM1.5 8h13M8 1.5c4 4 4 9 0 13"
    "M8 1.5c-4 4-4 9 0 13",
    Role.COMPUTE: "M2 2.5h12v4.5H2ZM2 9h12v4.5H2ZM4.5 4.75h.01M4.5 11.25h.01",
    Role.DATA: "M2.5 4c0-3 11-3 11 0s-11 3-11 0v8c0 3 11 3 11 0V4M2.5 8c0 3 11 3 11 0",
    Role.NETWORK: "M6 1.5h4v4H6ZM1.5 10.5h4v4h-4ZM10.5 10.5h4v4h-4ZM8 5.5V8M3.5 10.5V8h9v2.5",
    Role.IDENTITY: "M5 11a3.5 3.5 0 1 1 2.6-5.8L14.5 5.2V8H12.5V9.5H10V8H8.4A3.5 3.5 0 0 1 5 11Z",
    Role.OTHER: "M8 1.5l6 3.2v6.6L8 14.5l-6-3.2V4.7ZM2 4.7l6 3.3 6-3.3M8 8v6.5",
}
"""In a 16 x 16 square; lines only."""

Href = Callable[["Box"], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """``agent`` limits findings to one pillar's, empty means all; ``with_cost`` shows prices;
    ``href`` gives a box's link, None in a file, where there is nothing to open."""

    agent: str = ""
    with_cost: bool = False
    href: Href | None = None
    selected: str = ""


def svg_of(layout: Layout, *, look: Look, title: str) -> str:
    """One self-contained ``<svg>`` element."""
    root = ET.Element(
        "svg",
        {
            "xmlns": NAMESPACE,
            "class": "map",
            "viewBox": f"0 0 {_n(layout.width)} {_n(layout.height)}",
            "width": _n(layout.width),
            "height": _n(layout.height),
            "font-family": FONT,
            "font-size": "12",
            "role": "group",
            "aria-label": clean(title),
        },
    )
    if look.href is None:
        _add(root, "rect", {"width": "100%", "height": "100%", "fill": PAPER})
    frames = [each for each in layout.boxes if each.box.is_open]
    for each in frames:
        _frame(root, each, look)
    lines = _add(root, "g", {"class": "lines", "fill": "none", "aria-hidden": "true"})
    for line in sorted(
        layout.lines, key=lambda each: (bool(each.line.paths), each.line.is_request)
    ):
        _line(lines, line)
    for each in layout.boxes:
        if not each.box.is_open:
            _box(root, each, look)
    return ET.tostring(root, encoding="unicode")


def _frame(root: ET.Element, placed: Placed, look: Look) -> None:
    box, group = placed.box, placed.box.group
    if group is None:
        return
    kind = group.kind.value
    frame = _add(root, "g", {"class": f"frame {kind}", "data-box": box.id})
    _add(
        frame,
        "rect",
        {
            **_at(placed),
            "rx": "10",
            "class": f"area d{min(placed.depth, 3)}",
            "fill": "#15191c",
            "fill-opacity": "0.025",
            "stroke": FRAME,
            **({"stroke-dasharray": "5 4"} if group.kind == GroupKind.MODULE else {}),
        },
    )
    own = box.nodes[0] if group.node and box.nodes else None
    name = f"{GROUP_WORDS[group.kind]} {group.label}"
    head = _linked(frame, box, look, f"{name}, {_resources(box)}: fold" if look.href else name)
    text = _text(head, placed.x + 12, placed.y + 16, "", size=11, fill=FAINT, css="label")
    if look.href:
        _span(text, "▾ ", "sign")
    _span(text, f"{GROUP_WORDS[group.kind]} ", "faint")
    room = max(8, int(placed.width / 7) - len(GROUP_WORDS[group.kind]) - 4)
    _span(text, short(group.label, min(LABEL_LENGTH, room)), "strong")
    _title(head, f"{name}: {_resources(box)}")
    if own is not None and (worst := worst_of(own, look.agent)):
        _bars(head, placed.x + placed.width - 22, placed.y + 6, worst)


def _line(lines: ET.Element, drawn: Drawn) -> None:
    line = drawn.line
    css = "path" if line.paths else "request" if line.is_request else "reference"
    color = PATH if line.paths else LINE
    group = _add(
        lines,
        "g",
        {
            "class": f"line {css}",
            "data-source": line.source,
            "data-target": line.target,
            "data-paths": " ".join(line.paths),
        },
    )
    more = {} if line.is_request else {"stroke-dasharray": "2 4"}
    width = "2.2" if line.paths else "1.3" if line.is_request else "1"
    _add(
        group, "path", {"d": rounded(drawn.points), "stroke": color, "stroke-width": width, **more}
    )
    if line.is_request:
        _add(group, "path", {"class": "tip", "d": arrow(drawn.points), "fill": color})
    more_words = f" (and {line.count - 1} more)" if line.count > 1 else ""
    _title(group, f"{line.why} ({line.place}){more_words}")


def _box(root: ET.Element, placed: Placed, look: Look) -> None:
    box = placed.box
    if box.id == INTERNET:
        _internet(root, placed)
        return
    worst = max((worst_of(node, look.agent) for node in box.nodes), default=0)
    count = sum(_count(node, look.agent) for node in box.nodes)
    group = box.group
    node = box.node
    name = group.label if group else node.name if node else ""
    words = _folded_words(box) if group else node.words if node else ""
    if group and group.kind == GroupKind.SCOPE:
        name = name.split()[-1]  # the path; the label describes it
    label = f"{words} {name}, {_found(count, worst)}{': open' if group and look.href else ''}"
    holder = _add(
        root,
        "g",
        {
            "class": " ".join(
                [
                    "box",
                    f"s{worst}",
                    *(["folded"] if group else []),
                    *(["on"] if look.selected == box.id else []),
                ]
            ),
            "data-box": box.id,
            "data-text": clean(" ".join([name, words, node.address if node else ""]).lower())[:300],
            "data-x": _n(placed.x + placed.width / 2),
            "data-y": _n(placed.y + placed.height / 2),
        },
    )
    link = _linked(holder, box, look, label)
    if group:
        _add(
            link,
            "rect",
            {**_at(placed, shift=4), "rx": "7", "class": "under", "fill": PAPER, "stroke": FRAME},
        )
    _add(
        link,
        "rect",
        {
            **_at(placed),
            "rx": "7",
            "class": "face",
            "fill": PAPER,
            "stroke": SEVERITIES[worst] if worst else FRAME,
        },
    )
    if worst:
        start = f"M{_n(placed.x + 7)} {_n(placed.y)}"
        edge = f"{start}h-1a6 6 0 0 0-6 6v{_n(placed.height - 12)}a6 6 0 0 0 6 6h1z"
        _add(link, "path", {"d": edge, "class": "mark", "fill": SEVERITIES[worst]})
    role = node.role if node else Role.OTHER
    icon = _add(
        link,
        "g",
        {
            "class": "icon",
            "transform": f"translate({_n(placed.x + 14)} {_n(placed.y + 15)})",
            "fill": "none",
            "stroke": FAINT,
            "stroke-width": "1.3",
            "stroke-linejoin": "round",
            "stroke-linecap": "round",
        },
    )
    _add(icon, "path", {"d": _ICONS[role] if node else "M1.5 4h5l1.5 2h6.5v8h-13Z"})
    _text(
        link,
        placed.x + 38,
        placed.y + 20,
        short(name, NAME_LENGTH),
        size=12.5,
        fill=INK,
        css="name",
    )
    second = short(words, WORDS_LENGTH)
    if look.with_cost and (price := _price(box)):
        second = short(words, WORDS_LENGTH - len(price) - 1)
        _text(
            link,
            placed.x + placed.width - 40,
            placed.y + 36,
            price,
            size=11,
            fill=INK,
            css="cost",
            anchor="end",
        )
    _text(link, placed.x + 38, placed.y + 36, second, size=11, fill=FAINT, css="words")
    if count:
        _bars(link, placed.x + placed.width - 34, placed.y + 26, worst)
        _text(
            link,
            placed.x + placed.width - 8,
            placed.y + 36,
            str(min(count, 999)),
            size=11,
            fill=INK,
            css="count",
            anchor="end",
        )
    _title(
        link, f"{node.address} ({node.file}:{node.line}): {_found(count, worst)}" if node else label
    )


def _internet(root: ET.Element, placed: Placed) -> None:
    group = _add(root, "g", {"class": "internet", "data-box": INTERNET})
    _add(group, "rect", {**_at(placed), "rx": _n(placed.height / 2), "class": "face", "fill": INK})
    icon = _add(
        group,
        "g",
        {
            "transform": f"translate({_n(placed.x + 14)} {_n(placed.y + 15)})",
            "fill": "none",
            "stroke": PAPER,
            "stroke-width": "1.3",
            "class": "icon",
        },
    )
    _add(icon, "path", {"d": _ICONS[Role.ENTRY]})
    _text(group, placed.x + 37, placed.y + 27, "Internet", size=12.5, fill=PAPER, css="name")


def _linked(parent: ET.Element, box: Box, look: Look, label: str) -> ET.Element:
    if look.href is None:
        return _add(parent, "g", {})
    return _add(parent, "a", {"href": look.href(box), "aria-label": clean(label)[:300]})


def _bars(parent: ET.Element, x: float, y: float, worst: int) -> None:
    """The four rising bars of a severity; ``worst`` as ``worst_of`` counts."""
    group = _add(
        parent,
        "g",
        {
            "class": f"bars s{worst}",
            "fill": SEVERITIES[worst],
            "transform": f"translate({_n(x)} {_n(y)})",
        },
    )
    for place, (dx, dy) in enumerate(((0, 8), (3, 5.4), (6, 2.8), (9, 0.2))):
        filled = place < worst - 1
        _add(
            group,
            "rect",
            {
                "x": _n(dx),
                "y": _n(dy if filled else 9),
                "width": "2.2",
                "height": _n(10.4 - dy if filled else 1.4),
                "rx": ".6",
                **({} if filled else {"fill-opacity": ".35"}),
            },
        )


def _folded_words(box: Box) -> str:
    kind = GROUP_WORDS[box.group.kind] if box.group else ""
    return f"{kind}, {_resources(box)}"


def _resources(box: Box) -> str:
    return f"{len(box.nodes):,} resource{'' if len(box.nodes) == 1 else 's'}"


def _found(count: int, worst: int) -> str:
    if not count:
        return "no findings"
    return f"{count:,} finding{'' if count == 1 else 's'}, worst {SEVERITY_WORDS[worst]}"


def _count(node: Node, agent: str) -> int:
    return sum(sum(c) for name, c in node.findings.items() if not agent or name == agent)


def _price(box: Box) -> str:
    known = [node.monthly_usd for node in box.nodes if node.monthly_usd is not None]
    return f"${sum(known):,.0f}" if known else ""


def rounded(points: tuple[tuple[float, float], ...]) -> str:
    """A path with rounded corners. Each corner takes at most half of the shorter side."""
    parts = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        entering, leaving = _towards(corner, before), _towards(corner, after)
        parts.append(f"L{entering}Q{_n(corner[0])} {_n(corner[1])} {leaving}")
    parts.append(f"L{_n(points[-1][0])} {_n(points[-1][1])}")
    return "".join(parts)


def _towards(corner: tuple[float, float], other: tuple[float, float]) -> str:
    dx, dy = other[0] - corner[0], other[1] - corner[1]
    length = max(abs(dx), abs(dy), 0.001)
    share = min(RADIUS, length / 2) / length
    return f"{_n(corner[0] + dx * share)} {_n(corner[1] + dy * share)}"


def arrow(points: tuple[tuple[float, float], ...]) -> str:
    """A triangle at the last point, in the direction of the last segment."""
    (x0, y0), (x, y) = points[-2], points[-1]
    length = max(((x - x0) ** 2 + (y - y0) ** 2) ** 0.5, 0.001)
    ux, uy = (x - x0) / length, (y - y0) / length
    bx, by = x - 7 * ux, y - 7 * uy
    return (
        f"M{_n(x)} {_n(y)}L{_n(bx - 3.6 * uy)} {_n(by + 3.6 * ux)}"
        f"L{_n(bx + 3.6 * uy)} {_n(by - 3.6 * ux)}Z"
    )


def short(text: str, length: int) -> str:
    """Cut in the middle: names differ at their ends."""
    shown = clean(text)
    if len(shown) <= length:
        return shown
    tail = max(1, length * 2 // 5)
    return f"{shown[: length - tail - 1]}…{shown[-tail:]}"


def clean(text: str) -> str:
    """One line of visible characters that XML allows."""
    return "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split())
    )


def _at(placed: Placed, *, shift: float = 0) -> dict[str, str]:
    return {
        "x": _n(placed.x + shift),
        "y": _n(placed.y + shift),
        "width": _n(placed.width),
        "height": _n(placed.height),
    }


def _text(
    parent: ET.Element,
    x: float,
    y: float,
    words: str,
    *,
    size: float,
    fill: str,
    css: str,
    anchor: str = "",
) -> ET.Element:
    more = {"text-anchor": anchor} if anchor else {}
    text = _add(
        parent,
        "text",
        {"x": _n(x), "y": _n(y), "font-size": _n(size), "fill": fill, "class": css, **more},
    )
    text.text = words
    return text


def _span(text: ET.Element, words: str, css: str) -> None:
    weight = {"font-weight": "600", "fill": INK} if css == "strong" else {}
    _add(text, "tspan", {"class": css, **weight}).text = words


def _title(parent: ET.Element, words: str) -> None:
    _add(parent, "title", {}).text = clean(words)[:500]


def _add(parent: ET.Element, tag: str, attributes: dict[str, str]) -> ET.Element:
    return ET.SubElement(parent, tag, attributes)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
