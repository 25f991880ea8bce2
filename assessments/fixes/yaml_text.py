"""Edits a YAML or JSON file: keys set or added in a mapping, items added to a list.

PyYAML's node marks give the positions, so comments, quotes and order stay. A change is a tree, as
in ``hcl``: a mapping is merged into the mapping under that key, a key that ends in ``[]`` adds an
item to a list, anything else is set.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import yaml

from assessments.fixes.errors import CannotFix
from assessments.fixes.splices import Splice, line_end, newline_of, spliced

MAX_CHARS = 200_000
"""Larger files get no fix: PyYAML reads some 200 kB a second."""
MAX_DEPTH = 60
_DASH_UNDER_KEY = re.compile(r"^( *)(?:- )?[\w.-]+:[ \t]*\r?\n\1- ", re.MULTILINE)
"""A list whose items have the same indent as their key."""
Tree = Mapping[str, Any]


def roots_of(source: str) -> list[yaml.Node]:
    """The documents of a file. Raises CannotFix."""
    if len(source) > MAX_CHARS:
        raise CannotFix("The file is too large.")
    try:
        return list(_composed(source))
    except (yaml.YAMLError, RecursionError) as error:
        raise CannotFix("The file is not valid YAML.") from error


@lru_cache(maxsize=8)
def _composed(source: str) -> tuple[yaml.Node, ...]:
    """Cached, as several findings ask for the same file in a row. Nodes are never modified."""
    return tuple(node for node in yaml.compose_all(source, Loader=_Loader) if node)


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml is ten times as fast, and included in every wheel."""


def set_in_mapping(
    source: str, mappings: list[yaml.Node], *, changes: Tree, before: str = ""
) -> str:
    """``source`` with ``changes`` in each of the ``mappings``. New keys go at the end, or before
    the key ``before`` if it exists. Raises CannotFix."""
    text = YamlText(source, newline_of(source), "" if _DASH_UNDER_KEY.search(source) else "  ")
    return spliced(
        source,
        [
            splice
            for mapping in mappings
            for splice in text.edits(_mapping(mapping), changes, before=before)
        ],
    )


def child(node: yaml.Node, *path: str) -> yaml.Node | None:
    """What ``path`` leads to; None if a key is missing. Raises CannotFix for an alias."""
    for key in path:
        found = next((value for name, value in _entries(node) if name.value == key), None)
        if found is None:
            return None
        if not node.start_mark.index <= found.start_mark.index <= node.end_mark.index:
            raise CannotFix(f"{key} is an alias.")
        node = found
    return node


def items_of(node: yaml.Node | None) -> list[yaml.Node]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def value_of(node: yaml.Node | None) -> str:
    """A scalar's text, empty for anything else."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


@dataclass(frozen=True)
class YamlText:
    """``dash`` is what a list's items are indented by below their key."""

    source: str
    eol: str
    dash: str

    def edits(
        self, mapping: yaml.MappingNode, changes: Tree, *, before: str = ""
    ) -> Iterator[Splice]:
        added: dict[str, Any] = {}
        for key, value in changes.items():
            name = key.removesuffix("[]")
            found = child(mapping, name)
            if found is None or _is_empty(found):
                added[key] = value
                if found is not None:
                    yield from self._filled(mapping, name, found, key, added)
            elif isinstance(value, Mapping):
                yield from self.edits(_mapping(found), value)
            elif key.endswith("[]"):
                yield from self._item(found, value)
            else:
                yield from self._scalar(found, value)
        if added:
            yield self._added(mapping, added, before=before)

    def _scalar(self, found: yaml.Node, value: Any) -> Iterator[Splice]:
        if isinstance(value, list):
            raise CannotFix("A list is there already.")
        if not isinstance(found, yaml.ScalarNode) or found.tag.startswith("!"):
            raise CannotFix("The value is an expression.")
        if found.style in {"|", ">"} or "${" in found.value or "{{" in found.value:
            raise CannotFix("The value is an expression.")
        if found.value != _plain(value):
            text = _rendered(value, json_style=found.style == '"' and isinstance(value, str))
            if found.value in {"True", "False"}:
                text = text.capitalize()
            yield Splice(found.start_mark.index, found.end_mark.index, text)

    def _item(self, found: yaml.Node, value: Any) -> Iterator[Splice]:
        if not isinstance(found, yaml.SequenceNode):
            raise CannotFix("It is not a list.")
        if any(value_of(item) == _plain(value) for item in found.value):
            return
        last = found.value[-1]
        if found.flow_style:
            is_json = isinstance(last, yaml.ScalarNode) and last.style == '"'
            at = self._end(last)
            yield Splice(at, at, f", {_rendered(value, json_style=is_json)}")
            return
        at = line_end(self.source, self._end(last))
        indent = " " * found.start_mark.column
        yield Splice(at, at, f"{self.eol}{indent}- {_rendered(value)}")

    def _filled(
        self,
        mapping: yaml.MappingNode,
        name: str,
        found: yaml.Node,
        key: str,
        added: dict[str, Any],
    ) -> Iterator[Splice]:
        """A key that exists but has no value."""
        value = added.pop(key)
        name_node = next(node for node, item in _entries(mapping) if item is found)
        if mapping.flow_style:
            raise CannotFix(f"{name} is empty.")
        start = self.source.index(":", name_node.end_mark.index) + 1
        rest = self.source[start : line_end(self.source, start)]
        text = found.start_mark.index != found.end_mark.index
        if not text and rest.strip():
            raise CannotFix(f"{name} is empty, and has a comment.")
        end = found.end_mark.index if text else start + len(rest)
        lines = self._lines({key: value}, indent=name_node.start_mark.column)
        body = lines[0].split(":", 1)[1]
        yield Splice(start, end, self.eol.join([body, *lines[1:]]))

    def _added(self, mapping: yaml.MappingNode, added: Tree, *, before: str) -> Splice:
        if mapping.flow_style:
            return self._added_in_flow(mapping, added)
        first = mapping.value[0][0]
        indent = first.start_mark.column
        if before and (anchor := next((k for k, _ in mapping.value if k.value == before), None)):
            at = self._above_comments(anchor.start_mark.index)
            above = self.source[:at].rstrip(" \t\r")
            gap = [] if not above or above.endswith(("\n\n", "\n\r\n", "\n\r")) else [""]
            lines = [*gap, *self._lines(added, indent=indent), ""]
            return Splice(at, at, "".join(line + self.eol for line in lines))
        at = line_end(self.source, self._end(mapping))
        lines = self._lines(added, indent=indent)
        return Splice(at, at, "".join(self.eol + line for line in lines))

    def _above_comments(self, at: int) -> int:
        """The start of the line of ``at``, or of the comment directly above it."""
        at = self.source.rfind("\n", 0, at) + 1
        while at > 0:
            above = self.source.rfind("\n", 0, at - 1) + 1
            if not self.source[above:at].lstrip().startswith("#"):
                break
            at = above
        return at

    def _added_in_flow(self, mapping: yaml.MappingNode, added: Tree) -> Splice:
        """JSON, or a mapping in braces: the keys go after the last one, each on its own line if
        the existing ones are."""
        if not mapping.value:
            raise CannotFix("The mapping is empty.")
        first, last = mapping.value[0][0], mapping.value[-1][1]
        is_json = first.style == '"'
        at = self._end(last)
        if first.start_mark.line == mapping.start_mark.line:
            items = [
                f", {_rendered(name, json_style=is_json)}: {_flow(value, json_style=is_json)}"
                for name, value in _flattened(added)
            ]
            return Splice(at, at, "".join(items))
        indent = first.start_mark.column
        step = max(1, indent - self._line_indent(mapping.start_mark.index))
        pad = self.eol + " " * indent
        items = []
        for name, value in _flattened(added):
            text = json.dumps(value, indent=step) if is_json else _flow(value, json_style=False)
            text = text.replace("\n", pad)
            items.append(f",{pad}{_rendered(name, json_style=is_json)}: {text}")
        return Splice(at, at, "".join(items))

    def _line_indent(self, at: int) -> int:
        start = self.source.rfind("\n", 0, at) + 1
        line = self.source[start : line_end(self.source, start)]
        return len(line) - len(line.lstrip(" "))

    def _lines(self, tree: Tree, *, indent: int) -> list[str]:
        pad = " " * indent
        lines: list[str] = []
        for key, value in tree.items():
            name = _rendered(key.removesuffix("[]"))
            if isinstance(value, Mapping):
                lines.append(f"{pad}{name}:")
                lines += self._lines(value, indent=indent + 2)
            elif key.endswith("[]") or isinstance(value, list):
                items = value if isinstance(value, list) else [value]
                lines.append(f"{pad}{name}:")
                lines += [f"{pad}{self.dash}- {_rendered(item)}" for item in items]
            else:
                lines.append(f"{pad}{name}: {_rendered(value)}")
        return lines

    def _end(self, node: yaml.Node, *, depth: int = 0) -> int:
        """Where the text of ``node`` ends: PyYAML's end mark of a block is at the next token,
        past blank lines and comments."""
        if depth > MAX_DEPTH:
            raise CannotFix("The file is nested too deeply.")
        if isinstance(node, yaml.ScalarNode):
            if node.style in {"|", ">"}:
                text = self.source[node.start_mark.index : node.end_mark.index]
                return node.start_mark.index + len(text.rstrip())
            return node.end_mark.index
        assert isinstance(node, yaml.CollectionNode)  # noqa: S101
        if node.flow_style or not node.value:
            return node.end_mark.index
        last = node.value[-1]
        last = last[1] if isinstance(last, tuple) else last
        if last.start_mark.index < node.start_mark.index:
            raise CannotFix("It ends in an alias.")
        return self._end(last, depth=depth + 1)


def _entries(node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
    return list(node.value) if isinstance(node, yaml.MappingNode) else []


def _mapping(node: yaml.Node) -> yaml.MappingNode:
    if not isinstance(node, yaml.MappingNode) or node.tag.startswith("!"):
        raise CannotFix("It is not a mapping.")
    if any(name.value in {"Ref", "Fn::If", "Fn::GetAtt"} for name, _ in node.value):
        raise CannotFix("It is an expression.")
    for (_, value), (later, _) in pairwise(node.value):
        if value.start_mark.index > later.start_mark.index:
            raise CannotFix("It holds an alias.")
    return node


def _is_empty(node: yaml.Node) -> bool:
    if isinstance(node, yaml.ScalarNode):
        return not node.style and node.value in {"", "~", "null"}
    return not node.value


def _flattened(tree: Tree) -> list[tuple[str, Any]]:
    """Keys with plain JSON values: an item to be added to a missing list becomes the list."""
    return [(key.removesuffix("[]"), _json(key, value)) for key, value in tree.items()]


def _json(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(_flattened(value))
    return [value] if key.endswith("[]") else value


def _flow(value: Any, *, json_style: bool) -> str:
    if json_style:
        return json.dumps(value)
    if isinstance(value, Mapping):
        inner = ", ".join(
            f"{name}: {_flow(item, json_style=False)}" for name, item in value.items()
        )
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(_flow(item, json_style=False) for item in value)}]"
    return _rendered(value)


def _plain(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | int) else str(value)


def _rendered(value: Any, *, json_style: bool = False) -> str:
    """A scalar as YAML: quoted only if it would otherwise read as something else."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    text = str(value)
    if json_style or yaml.safe_load(text) != text or ": " in text or "{" in text:
        return json.dumps(text)
    return text
