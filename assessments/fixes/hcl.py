"""Edits one resource of a Terraform file: attributes and nested blocks, set or added.

The positions come from the tree-sitter grammar for HCL, so comments, order and alignment stay.
Additions are formatted as ``terraform fmt`` would.

A change is a tree: ``{"metadata_options": {"http_tokens": "required"}}``. A key is an attribute
if its value is a plain value, and a nested block if it is a mapping. ``{}`` at its end makes it an
attribute that holds an object, ``[name=x]`` selects the nested block whose attribute ``name`` is
``x``, and ``?`` only those blocks that already exist.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import Any

from tree_sitter import Language, Node, Parser
from tree_sitter_hcl import language

from assessments.fixes.errors import CannotFix
from assessments.fixes.splices import Splice, line_end, newline_of, spliced

MAX_CHARS = 300_000
"""Larger files get no fix: parsing takes about a second per 500 kB, and a fix parses several
times."""
_LANGUAGE = Language(language())
_SELECTOR = re.compile(r"^(?P<name>\w+)\[(?P<key>\w+)=(?P<value>[^\]]+)\]$")
Tree = Mapping[str, Any]


def set_in_resource(source: str, *, type: str, name: str, changes: Tree) -> str:
    """``source`` with the ``changes`` in ``resource "type" "name"``. Raises CannotFix."""
    file = HclText.of(source)
    return spliced(source, file.edits(file.resource(type, name), changes))


def rendered_resource(*, type: str, name: str, link: tuple[str, str], changes: Tree) -> str:
    """A new resource block; ``link`` is the attribute that refers to the resource it belongs to,
    and the reference."""
    attributes = {link[0]: Raw(link[1]), **changes}
    return f'resource "{type}" "{name}" {{\n{_rendered_body(attributes, indent="  ")}}}'


@dataclass(frozen=True)
class Raw:
    """HCL to insert unchanged, not a value to be quoted."""

    text: str


@dataclass(frozen=True)
class HclText:
    """A parsed file. The parser counts bytes, Python counts characters; for files that are not
    ASCII, positions are mapped."""

    source: str
    root: Node
    _chars: Sequence[int] | None

    @classmethod
    @lru_cache(maxsize=8)  # several findings ask for the same file in a row
    def of(cls, source: str) -> HclText:
        if len(source) > MAX_CHARS:
            raise CannotFix("The file is too large.")
        data = source.encode()
        root = Parser(_LANGUAGE).parse(data).root_node
        if root.has_error:
            raise CannotFix("The file is not valid HCL.")
        return cls(source, root, None if len(data) == len(source) else _char_places(source))

    def start(self, node: Node) -> int:
        return node.start_byte if self._chars is None else self._chars[node.start_byte]

    def end(self, node: Node) -> int:
        return node.end_byte if self._chars is None else self._chars[node.end_byte]

    def text(self, node: Node) -> str:
        return self.source[self.start(node) : self.end(node)]

    def resources(self, type: str) -> Iterator[tuple[str, Node]]:
        """Name and block of each resource of ``type``."""
        for block in _blocks(self.root):
            if self.head(block)[:2] == ["resource", type] and len(self.head(block)) == 3:
                yield self.head(block)[2], block

    def resource(self, type: str, name: str) -> Node:
        found = [block for label, block in self.resources(type) if label == name]
        if len(found) != 1:
            raise CannotFix("The resource is not in this file, or is there twice.")
        return found[0]

    def head(self, block: Node) -> list[str]:
        """A block's type and labels."""
        heads = [child for child in block.children if child.type in {"identifier", "string_lit"}]
        return [self.text(head).strip('"') for head in heads]

    def attributes(self, block: Node) -> dict[str, Node]:
        return {
            self.text(node.children[0]): node
            for node in _body(block)
            if node.type == "attribute" and node.children
        }

    def blocks(self, block: Node, name: str) -> list[Node]:
        """Nested blocks called ``name``. Raises CannotFix if they are generated."""
        nested = [node for node in _body(block) if node.type == "block"]
        if any(self.head(node)[:2] == ["dynamic", name] for node in nested):
            raise CannotFix(f"The blocks {name} are generated.")
        return [node for node in nested if self.head(node)[:1] == [name]]

    def literal(self, attribute: Node) -> str:
        """The attribute's value as written. Raises CannotFix for an expression."""
        value = attribute.children[-1]
        if not self._is_literal(value):
            raise CannotFix(f"{self.text(attribute.children[0])} is an expression.")
        return self.text(value)

    def edits(self, block: Node, changes: Tree) -> Iterator[Splice]:
        """What turns ``block`` into one with the ``changes``."""
        attributes = self.attributes(block)
        added: dict[str, Any] = {}
        splices: list[Splice] = []
        for key, value in changes.items():
            if key.endswith("{}"):
                splices += self._object(attributes, key, value, added)
            elif isinstance(value, Mapping):
                splices += self._nested(block, key, value, added, attributes)
            elif key not in attributes:
                added[key] = value
            elif self.literal(attributes[key]) != _rendered(value):
                node = attributes[key].children[-1]
                splices.append(Splice(self.start(node), self.end(node), _rendered(value)))
        if added and block.start_point[0] == block.end_point[0]:
            yield self._opened(block, changes)
            return
        yield from splices
        if added:
            yield from self._additions(block, added)

    def _nested(
        self,
        block: Node,
        key: str,
        value: Tree,
        added: dict[str, Any],
        attributes: Mapping[str, Node],
    ) -> Iterator[Splice]:
        selector = _SELECTOR.match(key)
        name = selector["name"] if selector else key.removesuffix("?")
        if name in attributes:
            raise CannotFix(f"{name} is an attribute here.")
        found = self.blocks(block, name)
        if selector:
            found = [node for node in found if self._is_selected(node, selector)]
        if not found and not key.endswith("?"):
            added[key] = value
        for node in found:
            yield from self.edits(node, value)

    def _is_selected(self, block: Node, selector: re.Match[str]) -> bool:
        attribute = self.attributes(block).get(selector["key"])
        return attribute is not None and self.literal(attribute) == f'"{selector["value"]}"'

    def _object(
        self, attributes: Mapping[str, Node], key: str, value: Tree, added: dict[str, Any]
    ) -> Iterator[Splice]:
        """An attribute that holds an object: its elements are set or added."""
        attribute = attributes.get(key.removesuffix("{}"))
        if attribute is None:
            added[key] = value
            return
        found = _first(attribute, "object")
        if found is None or self.start(found) != self.start(attribute.children[-1]):
            raise CannotFix(f"{key} is an expression.")
        elements = [child for child in found.children if child.type == "object_elem"]
        known = {self.text(node.children[0]).strip('"'): node for node in elements}
        for name, item in value.items():
            if name in known:
                node = known[name].children[-1]
                if not self._is_literal(node):
                    raise CannotFix(f"{name} is an expression.")
                is_bare = self.text(node) in {"true", "false"} and item in {"true", "false"}
                text = str(item) if is_bare else _rendered(item)
                yield Splice(self.start(node), self.end(node), text)
            elif elements and elements[-1].start_point[0] > found.start_point[0]:
                indent = " " * elements[-1].start_point[1]
                at = line_end(self.source, self.end(elements[-1]))
                text = f"{newline_of(self.source)}{indent}{name} = {_rendered(item)}"
                yield Splice(at, at, text)
            else:
                raise CannotFix(f"{key} stands on one line.")

    def _is_literal(self, expression: Node) -> bool:
        """A string without interpolation, a number, a bool, or a list of those."""
        inner = _unwrapped(expression)
        if inner.type == "literal_value":
            return True
        if inner.type != "collection_value" or _first(inner, "tuple") is None:
            return False
        items = [child for child in _unwrapped_tuple(inner).children if child.type == "expression"]
        return all(_unwrapped(item).type == "literal_value" for item in items)

    def _additions(self, block: Node, added: Tree) -> Iterator[Splice]:
        eol = newline_of(self.source)
        outer = self._indent(block)
        children = [node for node in _body(block) if node.type in {"attribute", "block"}]
        indent = " " * children[0].start_point[1] if children else outer + "  "
        plain = {key: value for key, value in added.items() if not isinstance(value, Mapping)}
        nested = {key: value for key, value in added.items() if isinstance(value, Mapping)}
        if plain:
            yield self._added_attributes(block, plain, indent=indent)
        if nested:
            closing = block.children[-1]
            at = self.start(closing) - len(outer)
            gap = "" if not children and not plain else eol
            text = gap + _rendered_body(nested, indent=indent).replace("\n", eol)
            yield Splice(at, at, text)

    def _opened(self, block: Node, changes: Tree) -> Splice:
        """Expands a single-line block over several lines."""
        if any(node.type == "block" for node in _body(block)):
            raise CannotFix("The block stands on one line.")
        outer = self._indent(block)
        kept = {
            name: Raw(self.text(node.children[-1])) for name, node in self.attributes(block).items()
        }
        start = next(child for child in block.children if child.type == "block_start")
        body = _rendered_body({**kept, **changes}, indent=outer + "  ")
        text = f"{{\n{body}{outer}}}".replace("\n", newline_of(self.source))
        return Splice(self.start(start), self.end(block), text)

    def _added_attributes(self, block: Node, plain: Tree, *, indent: str) -> Splice:
        """New attributes below the last attribute on a line of its own, aligned with it if they
        fit, otherwise as a separate group."""
        eol = newline_of(self.source)
        nodes = [node for node in _body(block) if node.type in {"attribute", "block"}]
        before = list(takewhile(lambda node: node.type == "attribute", nodes))
        single = [node for node in before if node.start_point[0] == node.end_point[0]]
        width = max(map(len, plain))
        if not single:
            first = next(child for child in block.children if child.type == "block_start")
            at = line_end(self.source, self.end(first))
            lines = _aligned(plain, width=width, indent=indent)
            gap = [""] if nodes and nodes[0].type == "block" else []
            return Splice(at, at, "".join(eol + line for line in [*lines, *gap]))
        run = _run_up_to(single)
        known = max(len(self.text(node.children[0])) for node in run)
        gap = [] if width <= known else [""]
        lines = _aligned(plain, width=max(width, known) if not gap else width, indent=indent)
        at = line_end(self.source, self.end(single[-1]))
        below = self.source[at:].lstrip("\r").removeprefix("\n").split("\n", 1)[0].strip()
        after = gap if below not in {"", "}"} else []
        return Splice(at, at, "".join(eol + line for line in [*gap, *lines, *after]))

    def _indent(self, block: Node) -> str:
        start = self.start(block)
        line = self.source[self.source.rfind("\n", 0, start) + 1 : start]
        return line if not line.strip() else ""


def _blocks(root: Node) -> Iterator[Node]:
    for child in root.children:
        if child.type == "body":
            yield from (node for node in child.children if node.type == "block")


def _body(block: Node) -> list[Node]:
    body = next((child for child in block.children if child.type == "body"), None)
    return body.children if body is not None else []


def _unwrapped(node: Node) -> Node:
    while node.type == "expression" and len(node.children) == 1:
        node = node.children[0]
    return node


def _unwrapped_tuple(node: Node) -> Node:
    found = _first(node, "tuple")
    assert found is not None  # noqa: S101
    return found


def _first(node: Node, type: str, *, depth: int = 4) -> Node | None:
    """The first node of ``type`` within ``node``, not deeper than ``depth``."""
    if node.type == type:
        return node
    for child in node.children if depth else []:
        if (found := _first(child, type, depth=depth - 1)) is not None:
            return found
    return None


def _run_up_to(single: list[Node]) -> list[Node]:
    """The attributes that ``terraform fmt`` aligns with the last one: those on the lines directly
    above it."""
    run = [single[-1]]
    for node in reversed(single[:-1]):
        if node.start_point[0] != run[0].start_point[0] - 1:
            break
        run.insert(0, node)
    return run


def _aligned(plain: Tree, *, width: int, indent: str) -> list[str]:
    return [f"{indent}{key:<{width}} = {_rendered(value)}" for key, value in plain.items()]


def _rendered_body(tree: Tree, *, indent: str) -> str:
    """The lines of a block's body, each terminated: attributes first, then nested blocks."""
    plain = {key: value for key, value in tree.items() if not isinstance(value, Mapping)}
    nested = {key: value for key, value in tree.items() if isinstance(value, Mapping)}
    width = max(map(len, plain), default=0)
    parts = ["".join(f"{line}\n" for line in _aligned(plain, width=width, indent=indent))]
    parts += [_rendered_block(key, value, indent=indent) for key, value in nested.items()]
    return "\n".join(part for part in parts if part)


def _rendered_block(key: str, value: Tree, *, indent: str) -> str:
    selector = _SELECTOR.match(key)
    if selector:
        key, value = selector["name"], {selector["key"]: selector["value"], **value}
    sign = " =" if key.endswith("{}") else ""
    body = _rendered_body(value, indent=indent + "  ")
    head = f"{indent}{key.removesuffix('{}')}{sign} {{"
    return f"{head}\n{body}{indent}}}\n" if body else f"{head}}}\n"


def _rendered(value: Any) -> str:
    if isinstance(value, Raw):
        return value.text
    return json.dumps(value, ensure_ascii=False)


def _char_places(source: str) -> list[int]:
    """For each byte of the file, the index of the character it belongs to."""
    places: list[int] = []
    for number, char in enumerate(source):
        places += [number] * len(char.encode())
    return [*places, len(source)]
