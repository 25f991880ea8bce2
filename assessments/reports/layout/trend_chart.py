"""The trend as a drawing: one line for all findings, one for the severe ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

WIDTH, HEIGHT, TOP, BOTTOM, LEFT, RIGHT = 680, 150, 16, 26, 14, 150
INK, FAINT, LINE, SEVERE = "#15191c", "#626c74", "#dfe3e5", "#962f10"
FONT = (
    "Libertinus Serif, Segoe UI, Roboto, Noto Sans, Liberation Sans, DejaVu Sans, Arial, sans-serif"
)


def trend_chart(trend: Sequence[dict[str, Any]]) -> str:
    """An SVG document from the rows of a report's trend; only numbers, nothing uploaded."""
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {HEIGHT}",
            "width": str(WIDTH),
            "height": str(HEIGHT),
            "font-family": FONT,
            "font-size": "12",
            "role": "img",
            "aria-label": "Findings by run",
        },
    )
    base = HEIGHT - BOTTOM
    _line(root, LEFT, base, WIDTH - RIGHT, base, LINE)
    step = (WIDTH - RIGHT - 2 * LEFT) / (len(trend) - 1)
    places = [LEFT * 2 + step * n for n in range(len(trend))]
    for x, row in zip(places, trend, strict=True):
        _words(root, x, HEIGHT - 8, f"Run {row['run']}", FAINT, "middle")
    most = max(*(row["findings"] for row in trend), 1)
    ends = []
    for key, color in (("findings", INK), ("severe", SEVERE)):
        values = [row[key] for row in trend]
        heights = [base - (base - TOP) * value / most for value in values]
        _curve(root, list(zip(places, heights, strict=True)), color)
        ends.append(heights[-1])
    if ends[1] - ends[0] < 14:  # the labels would overlap
        ends = [ends[0] - 7, ends[0] + 8]
    last = trend[-1]
    noun = "finding" if last["findings"] == 1 else "findings"
    _words(root, places[-1] + 10, ends[0] + 4, f"{last['findings']:,} {noun}", INK)
    _words(root, places[-1] + 10, ends[1] + 4, f"{last['severe']:,} critical or high", SEVERE)
    return ET.tostring(root, encoding="unicode")


def _curve(root: ET.Element, points: Sequence[tuple[float, float]], color: str) -> None:
    path = " ".join(f"{'L' if n else 'M'}{_n(x)} {_n(y)}" for n, (x, y) in enumerate(points))
    ET.SubElement(
        root,
        "path",
        {
            "d": path,
            "fill": "none",
            "stroke": color,
            "stroke-width": "2",
            "stroke-linejoin": "round",
        },
    )
    for x, y in points:
        ET.SubElement(root, "circle", {"cx": _n(x), "cy": _n(y), "r": "3", "fill": color})


def _line(root: ET.Element, x1: float, y1: float, x2: float, y2: float, color: str) -> None:
    at = {"x1": _n(x1), "y1": _n(y1), "x2": _n(x2), "y2": _n(y2)}
    ET.SubElement(root, "line", {**at, "stroke": color})


def _words(
    root: ET.Element, x: float, y: float, text: str, color: str, anchor: str = "start"
) -> None:
    at = {"x": _n(x), "y": _n(y), "fill": color, "text-anchor": anchor}
    ET.SubElement(root, "text", at).text = text


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
