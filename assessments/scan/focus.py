"""The line that a failed check is about, within the block that declares its resource.

Checkov names the attributes that decided, as paths: ``ingress/[1]/cidr_blocks``,
``spec/template/spec/containers/[0]/image``. The path is followed through the block's own lines,
downwards, as far as it goes: an attribute that is missing has no line, and the block or list item
that should hold it stands for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assessments.scan.types import CodeLine

_INDEX = re.compile(r"^\[?(\d+)\]?$")
_MAX_KEYS = 20
_MAX_DEPTH = 20


def focus_of(lines: Sequence[CodeLine], keys: Sequence[str]) -> int | None:
    """The 1-based number of the line that ``keys`` lead to: of the key that was followed furthest,
    and of equal ones the last, as rules name ports before addresses. None for none."""
    best_depth, best_line = 0, None
    for key in keys[:_MAX_KEYS]:
        depth, line = _follow(lines, key.split("/")[:_MAX_DEPTH])
        if depth and depth >= best_depth:
            best_depth, best_line = depth, line
    return best_line


def _follow(lines: Sequence[CodeLine], path: Sequence[str]) -> tuple[int, int | None]:
    """How many names of ``path`` were found, each within the one before, and the line of the
    last."""
    region = range(len(lines))
    depth, found = 0, None
    for position, name in enumerate(path):
        if _INDEX.match(name) or name == "*":
            continue
        index = _INDEX.match(path[position + 1]) if position + 1 < len(path) else None
        nth = int(index.group(1)) if index else 0
        hits = [at for at in region if _declares(lines[at].text, name)]
        if not hits:
            break
        hit = hits[nth] if nth < len(hits) else hits[0]
        depth, found, region = depth + 1, lines[hit].number, _below(lines, hit, region.stop)
        if index and lines[hit].text.rstrip().endswith(":"):
            region = _item(lines, region, nth)
            if not region:
                break
            found = lines[region.start].number
    return depth, found


def _declares(text: str, name: str) -> bool:
    return re.match(rf'^\s*(?:- +)?"?{re.escape(name)}"?\s*(?:[:={{]|$)', text) is not None


def _below(lines: Sequence[CodeLine], at: int, stop: int) -> range:
    """The lines that belong to the one at ``at``: those indented more, and, for YAML, a list at its
    own indent."""
    own = _indent(lines[at].text)
    is_key = lines[at].text.rstrip().endswith(":")
    for below in range(at + 1, stop):
        text = lines[below].text
        is_item = is_key and _indent(text) == own and text.lstrip().startswith("-")
        if text.strip() and _indent(text) <= own and not is_item:
            return range(at + 1, below)
    return range(at + 1, stop)


def _item(lines: Sequence[CodeLine], region: range, nth: int) -> range:
    """The lines of the nth item of the YAML list in ``region``; none where there are fewer."""
    dashes = [at for at in region if lines[at].text.lstrip().startswith("-")]
    if not dashes:
        return range(0)
    indent = _indent(lines[dashes[0]].text)
    items = [at for at in dashes if _indent(lines[at].text) == indent]
    if nth >= len(items):
        return range(0)
    return range(items[nth], items[nth + 1] if nth + 1 < len(items) else region.stop)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())
