"""Finds the manifest, or the patch, from which Kustomize took a line of a rendered object.

Kustomize names the file of each object, and puts its keys in another order. An object is recognized
by its kind and name (a prefix or suffix may have been added), and a line by its path of keys and
its value: if only a patch has that value there, the line is the patch's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import yaml

from assessments.scan.documents import DocumentError, nodes_of, span_of

Path = tuple[str, ...]


@dataclass(frozen=True)
class Declared:
    """One object of a file; lines are 1-based and inclusive."""

    file: str
    node: yaml.MappingNode
    start: int
    end: int

    @cached_property
    def kind(self) -> str:
        return _text(_get(self.node, "kind"))

    @cached_property
    def name(self) -> str:
        metadata = _get(self.node, "metadata")
        return _text(_get(metadata, "name")) or _text(_get(metadata, "generateName"))

    @cached_property
    def values(self) -> dict[Path, tuple[int, str | None]]:
        """Line and text of each key; the text is None for a mapping or a list."""
        return {path: (line, text) for path, line, text in _values(self.node, ())}

    @cached_property
    def paths(self) -> dict[int, Path]:
        """The last key of each line."""
        return {line: path for path, (line, _) in self.values.items()}


def declared_in(file: str, text: str) -> list[Declared]:
    """The objects of a file, those of a list each by itself; none if it can't be read."""
    try:
        nodes = nodes_of(text)
    except DocumentError:
        return []
    return [Declared(file, node, *span_of(node)) for each in nodes for node in _objects(each)]


def source_of(made: Declared, sources: Iterable[Declared]) -> Declared | None:
    """The object from which ``made`` was rendered: the only one of its kind, or the one with its
    name, or with the longest part of it."""
    same = [each for each in sources if each.kind == made.kind]
    if len(same) == 1:
        return same[0]
    named = [each for each in same if each.name and each.name in made.name]
    return max(named, key=lambda each: len(each.name), default=None)


def line_of(
    made: Declared, line: int, candidates: Sequence[Declared]
) -> tuple[Declared, int] | None:
    """The first of ``candidates`` that has the key at ``line`` of ``made`` with the same value, and
    the line of that key."""
    path = made.paths.get(line)
    if path is None:
        return None
    _, text = made.values[path]
    for each in candidates:
        found = each.values.get(path)
        if found and found[1] == text:
            return each, found[0]
    return None


def _objects(node: yaml.Node) -> Iterator[yaml.MappingNode]:
    if not isinstance(node, yaml.MappingNode):
        return
    items = _get(node, "items")
    if _text(_get(node, "kind")).endswith("List") and isinstance(items, yaml.SequenceNode):
        yield from (each for each in items.value if isinstance(each, yaml.MappingNode))
    else:
        yield node


def _values(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int, str | None]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*path, _text(key))
            yield place, key.start_mark.line + 1, _text(value) if _is_scalar(value) else None
            yield from _values(value, place)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            place = (*path, _key_of(value, number))
            if _is_scalar(value):
                yield place, value.start_mark.line + 1, _text(value)
            yield from _values(value, place)


def _key_of(item: yaml.Node, number: int) -> str:
    name = _text(_get(item, "name"))
    return f"name={name}" if name else str(number)


def _is_scalar(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode)


def _get(node: yaml.Node | None, name: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for key, value in pairs if _text(key) == name), None)


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""
