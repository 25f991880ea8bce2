"""The line that a failed check is about, within the block that declares its resource.

Checkov names the attributes that decided, as paths: ``ingress/[1]/cidr_blocks``,
``spec/template/spec/containers/[0]/image``. The table of rules may name the attribute that shows
the problem; it takes precedence, as a check also lists what it merely looked at. A path is followed
downwards through the block's own lines, as far as it goes: a missing attribute has no line, so the
block or list item that should contain it stands in for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from assessments.scan.types import CodeLine

AROUND = 3
"""Lines of evidence before and after the marked one."""
MAX_EVIDENCE_LINES = 2 * AROUND + 1
MAX_SHOWN_CHARS = 160

_INDEX = re.compile(r"^\[?(\d+)\]?$")
_DECLARED = re.compile(r'^\s*(?:- +)?(?:dynamic\s+)?"?([\w.-]+)"?\s*(?:[:={]|$)')
_INLINE = re.compile(r'(?<![\w.-])"?([A-Za-z_][\w-]*)"?\s*(?:[:=](?!=)|\{)')
_COMPANION = re.compile(r"^(?:(?:aws|azurerm|google|alicloud|oci)_|NetworkPolicy$)")
_MAX_KEYS = 20
_MAX_DEPTH = 20
SELECTORS = frozenset({"name", "engine", "family", "databaseversion", "accountkind", "kind"})
"""What checks read to decide whether they apply; never the problem, unless the table says so."""


@dataclass(frozen=True, slots=True)
class Focus:
    """The 1-based ``line`` that shows the problem. ``missing`` is what should be there but isn't:
    ``http_tokens``, or the type of a separate resource (``aws_flow_log``)."""

    line: int
    missing: str = ""


def focus_of(
    lines: Sequence[CodeLine],
    keys: Sequence[str] = (),
    *,
    attribute: str = "",
    end: int | None = None,
) -> Focus | None:
    """Where ``lines`` show what ``keys`` (Checkov's paths) and ``attribute`` (alternatives
    separated by ``|``) name. ``end`` is the last line of the block, of which ``lines`` may be a
    part. Of paths that lead equally far, the last by name wins. None if neither names anything."""
    named = [tuple(each.split(".")) for each in attribute.split("|") if each]
    # Checkov's order varies; the result must not.
    paths = [path for key in sorted(keys)[:_MAX_KEYS] if (path := _path(key))]
    agreed = [
        path for path in paths if any(_same(name, each[-1]) for name in path for each in named)
    ]
    if not lines or not (paths or named):
        return None
    rest = [path for path in paths if _plain(path[-1]) not in SELECTORS]
    if not (agreed or rest or named):
        return None
    found = (
        _by_attribute(lines, rest, named) if named and not agreed else _focus(lines, agreed or rest)
    )
    return replace(found, missing="") if found.missing and _is_open(lines, end) else found


def _is_open(lines: Sequence[CodeLine], end: int | None) -> bool:
    """Whether an attribute may be set where these lines don't show it: after the last of them, or
    in a YAML anchor that they merge."""
    return (end or 0) > lines[-1].number or any("<<:" in line.text for line in lines)


def window(lines: Sequence[CodeLine], line: int) -> list[CodeLine]:
    """The lines to show: line number ``line`` and a few around it."""
    at = next((n for n, each in enumerate(lines) if each.number == line), 0)
    start = max(0, min(at - AROUND, len(lines) - MAX_EVIDENCE_LINES))
    return list(lines[start : start + MAX_EVIDENCE_LINES])


def shown(lines: Sequence[CodeLine], focus: Focus | None) -> str:
    """The marked line's statement, in one line: ``publicly_accessible = true``, ``http_tokens is
    not set``. Without a focus, the first line."""
    if focus and focus.missing:
        is_resource = _COMPANION.match(focus.missing)
        return f"{focus.missing} is {'missing or incomplete' if is_resource else 'not set'}"
    at = next((n for n, each in enumerate(lines) if focus and each.number == focus.line), 0)
    return _joined([" ".join(each.text.split()) for each in lines[at : at + MAX_EVIDENCE_LINES]])


def _joined(texts: Sequence[str]) -> str:
    """The first line; with the entries below it if it only opens a list."""
    if not texts or not texts[0].endswith(("[", "(", ":")):
        return texts[0] if texts else ""
    entries: list[str] = []
    for text in texts[1:]:
        if texts[0].endswith(":") and not text.startswith("- "):
            break
        entries.append(text)
        if text.startswith(("]", ")")) or text.rstrip(",").endswith(("]", ")")):
            break
    return " ".join((texts[0], *entries))[:MAX_SHOWN_CHARS]


def _path(key: str) -> tuple[str, ...]:
    """The names and indexes of a path; empty for one that is a query and can't be followed."""
    if "[?" in key:
        return ()
    names = [name for name in key.split("/")[:_MAX_DEPTH] if name and name != "*"]
    while names and _INDEX.match(names[-1]):
        names.pop()
    return tuple(names)


def _focus(lines: Sequence[CodeLine], paths: Sequence[tuple[str, ...]]) -> Focus:
    """Decided by the path that was followed furthest; its remainder is missing, unless its last
    name occurs in the lines that it led to."""
    trails = [_follow(lines, path) for path in paths]
    best = max(trails, key=lambda trail: (not trail.left, trail.depth, trails.index(trail)))
    if not best.left:
        return Focus(lines[best.at].number)
    return _within(lines, best, best.left[-1]) or Focus(lines[best.at].number, ".".join(best.left))


def _by_attribute(
    lines: Sequence[CodeLine],
    paths: Sequence[tuple[str, ...]],
    named: Sequence[tuple[str, ...]],
) -> Focus:
    """By the table's attribute, at its occurrence nearest to where the paths lead. If it does not
    occur, the paths decide: a block that they lead to lacks it."""
    trails = [trail for trail in (_follow(lines, path) for path in paths) if not trail.left]
    best = max(trails, key=lambda trail: trail.depth) if trails else None
    near = best.at if best else 0
    for each in named:
        if found := _anywhere(lines, each, near=near, within=best.region if best else range(0)):
            return found
    if paths and paths[0][0].lower() == "properties":
        # CloudFormation's own names differ from those in the table, which uses Terraform's.
        return _focus(lines, paths)
    if not trails:
        return _focus(lines, named[:1])
    opens = lines[near].text.rstrip().endswith(("{", ":"))
    return Focus(lines[near].number, ".".join(named[0]) if opens else "")


def _anywhere(
    lines: Sequence[CodeLine], path: tuple[str, ...], *, near: int, within: range
) -> Focus | None:
    """``within`` are the lines that belong to the one at ``near``: they go first."""
    trail = _follow(lines, path)
    if len(path) > 1 and not trail.left:
        return Focus(lines[trail.at].number)
    if len(path) > 1 and trail.depth:
        return _within(lines, trail, path[-1])
    hits = [at for at in range(len(lines)) if _mentions(lines[at].text, path[-1])]
    inside = [at for at in hits if at == near or at in within]
    chosen = min(inside or hits, key=lambda at: abs(at - near), default=None)
    return None if chosen is None else Focus(lines[chosen].number)


@dataclass(frozen=True, slots=True)
class _Trail:
    """How far a path was followed: ``depth`` names found, the last at ``at``, its lines in
    ``region``; ``left`` are the names that were not found."""

    depth: int
    at: int
    region: range
    left: tuple[str, ...]


def _follow(lines: Sequence[CodeLine], path: Sequence[str]) -> _Trail:
    """Find each name of ``path`` within the one before."""
    region = range(len(lines))
    depth, at = 0, 0
    for position, name in enumerate(path):
        if _INDEX.match(name):
            continue
        index = _INDEX.match(path[position + 1]) if position + 1 < len(path) else None
        nth = int(index.group(1)) if index else 0
        hits = [hit for hit in region if _declares(lines[hit].text, name)]
        if not hits:
            return _Trail(depth, at, region, _names(path[position:]))
        at = hits[nth] if nth < len(hits) else hits[0]
        depth, region = depth + 1, _below(lines, at, region.stop)
        if index and lines[at].text.rstrip().endswith(":"):
            item = _item(lines, region, nth)
            if not item:
                return _Trail(depth, at, region, _names(path[position + 1 :]))
            at, region = item.start, item
    return _Trail(depth, at, region, ())


def _names(path: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in path if not _INDEX.match(name) and name != "Properties")


def _within(lines: Sequence[CodeLine], trail: _Trail, name: str) -> Focus | None:
    """The first mention of ``name`` in what a trail led to, even if several share a line
    (``versioning { enabled = false }``) or nothing is indented."""
    region = trail.region or range(trail.at + 1, len(lines))
    for at in (*((trail.at,) if trail.depth else ()), *region):
        if _mentions(lines[at].text, name):
            return Focus(lines[at].number)
    return None


def _declares(text: str, name: str) -> bool:
    return _named_by(text).declared == _plain(name)


def _mentions(text: str, name: str) -> bool:
    return _plain(name) in _named_by(text).mentioned


@dataclass(frozen=True, slots=True)
class _NamedBy:
    """The attributes that a line names, in normalized spelling: the one ``declared`` there, and all
    ``mentioned``."""

    declared: str | None
    mentioned: frozenset[str]


@lru_cache(maxsize=10_000)
def _named_by(text: str) -> _NamedBy:
    """Cached, because each of a block's checks goes over the same lines."""
    match = _DECLARED.match(text)
    declared = _plain(match[1]) if match else None
    if text.lstrip().startswith(("#", "//")):
        return _NamedBy(declared, frozenset())
    inline = {_plain(each[1]) for each in _INLINE.finditer(text[:2000])}
    return _NamedBy(declared, frozenset(inline if declared is None else {declared, *inline}))


def _same(one: str, other: str) -> bool:
    return _plain(one) == _plain(other)


@lru_cache(maxsize=10_000)
def _plain(name: str) -> str:
    """One spelling for Terraform, CloudFormation and policies: ``kms_key_id``, ``KmsKeyId``;
    ``actions``, ``Action``."""
    return name.replace("_", "").replace("-", "").lower().rstrip("s")


def _below(lines: Sequence[CodeLine], at: int, stop: int) -> range:
    """The lines that belong to the one at ``at``: those indented further, and, for YAML, a list at
    the same indent."""
    own = _indent(lines[at].text)
    is_key = lines[at].text.rstrip().endswith(":")
    for below in range(at + 1, stop):
        text = lines[below].text
        is_item = is_key and _indent(text) == own and text.lstrip().startswith("-")
        if text.strip() and _indent(text) <= own and not is_item:
            return range(at + 1, below)
    return range(at + 1, stop)


def _item(lines: Sequence[CodeLine], region: range, nth: int) -> range:
    """The lines of the nth item of the YAML list in ``region``; none if there are fewer."""
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
