"""Reads YAML and JSON that may be hostile: within a budget, with line numbers, without executing
anything.

A document's budget is counted on the event stream, before any object is built, and an alias counts
as much as what it expands to: so a "billion laughs" file is refused after a few thousand events.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NODES = 400_000
"""Expanded nodes that a file may have. 5 MB of dense YAML holds about this many."""
MAX_DEPTH = 60


class DocumentError(Exception):
    """A file that can't be read as YAML or JSON; ``line`` is 1-based."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True)
class Document:
    """One YAML or JSON document. ``lines`` maps key paths (at most four keys long) to 1-based
    (first, last) lines."""

    value: Any
    line_start: int
    line_end: int
    lines: dict[tuple[str, ...], tuple[int, int]]


def text_of(content: bytes) -> str:
    """``content`` as text; raises DocumentError with the line of the first bad byte."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise DocumentError(
            "This file is not UTF-8 text.", content.count(b"\n", 0, e.start) + 1
        ) from e
    if "\0" in text:
        raise DocumentError(
            "This file contains NUL bytes, so it is not a text file.",
            text.count("\n", 0, text.index("\0")) + 1,
        )
    return text


def read_yaml(text: str) -> list[Document]:
    """All non-empty documents of a YAML file. CloudFormation's short tags become their long forms.

    Raises DocumentError for bad syntax and for documents over the budget.
    """
    try:
        _check_budget(text)
        loader = _Loader(text)
        try:
            return list(_documents(loader))
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        raise DocumentError(
            f"This YAML can't be read: {e.problem or e.context}.", mark.line + 1 if mark else None
        ) from e
    except yaml.YAMLError as e:
        raise DocumentError(
            "This YAML can't be read: it contains characters that YAML doesn't allow."
        ) from e
    except (RecursionError, ValueError, TypeError, OverflowError) as e:
        raise DocumentError(f"This YAML can't be read: {type(e).__name__}.") from e


def nodes_of(text: str) -> list[yaml.Node]:
    """The documents of a YAML file as nodes, which know their lines. Raises DocumentError, as
    ``read_yaml``."""
    try:
        _check_budget(text)
        return list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DocumentError(f"This YAML can't be read: {type(error).__name__}.") from error


def read_json(text: str) -> Any:
    """A JSON value; raises DocumentError with the line."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as e:
        raise DocumentError(f"This JSON can't be read: {e.msg}.", e.lineno) from e
    except (RecursionError, ValueError) as e:
        raise DocumentError(
            "This JSON is nested too deeply, or has a number too long to read."
        ) from e


class _Loader(yaml.CSafeLoader):
    """Plain JSON types only: dates stay text, unknown tags become ``{"Fn::X": ...}``."""


def _tagged(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    value: Any = None
    if isinstance(node, yaml.ScalarNode):
        value = node.value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


def _generic(loader: _Loader, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else None


for _tag in ("timestamp", "binary", "set", "omap", "pairs"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _generic)
_Loader.add_multi_constructor("!", _tagged)
_Loader.add_multi_constructor("tag:", lambda loader, suffix, node: _generic(loader, node))


def _documents(loader: _Loader) -> Iterator[Document]:
    while loader.check_node():
        node = loader.get_node()
        assert node is not None  # noqa: S101
        lines = dict(_key_lines(node, prefix=(), depth=4))
        start, end = span_of(node)
        value = _json_types(loader.construct_document(node))
        if value is not None:
            yield Document(value=value, line_start=start, line_end=end, lines=lines)


def _key_lines(
    node: yaml.Node, *, prefix: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], tuple[int, int]]]:
    if not isinstance(node, yaml.MappingNode) or depth == 0:
        return
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            path = (*prefix, str(key.value))
            yield path, (key.start_mark.line + 1, max(key.start_mark.line + 1, span_of(value)[1]))
            yield from _key_lines(value, prefix=path, depth=depth - 1)


def span_of(node: yaml.Node) -> tuple[int, int]:
    """1-based first and last line. A block collection's own end mark is at the start of what
    follows it, so its last line is that of its last item."""
    start, end = node.start_mark, node.end_mark
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return start.line + 1, span_of(last[1] if isinstance(last, tuple) else last)[1]
    ends_before = end.column == 0 and end.line > start.line
    return start.line + 1, end.line if ends_before else end.line + 1


def _json_types(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _json_types(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_json_types(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**18:
        return hex(value)
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _check_budget(text: str) -> None:
    """Refuse cyclic aliases, and more expanded nodes or levels than the budget, judging by the
    events alone."""
    anchors: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            anchors = {}
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in {name for name, _ in open_nodes}:
                raise DocumentError("This YAML has an alias inside the value it refers to.", line)
            # An alias that was never defined is reported by the composer, with its line.
            total += anchors.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                anchors[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor:
                anchors[anchor] = total - before
        if total > MAX_NODES:
            raise DocumentError(
                f"This YAML expands to more than {MAX_NODES:,} values (aliases counted in full).",
                line,
            )
        if len(open_nodes) > MAX_DEPTH:
            raise DocumentError(f"This YAML is nested more than {MAX_DEPTH} levels deep.", line)
