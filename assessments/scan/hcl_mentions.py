"""Every name that occurs in the blocks of a Terraform file, with the attribute it occurs in, using
the tree-sitter grammar for HCL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tree_sitter import Parser

from assessments.scan.documents import DocumentError
from assessments.scan.hcl import LANGUAGE, MAX_BYTES, Block, label_of, read_hcl, references

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

MAX_DEPTH = 200
"""In nodes of the syntax tree; an expression in brackets takes three."""
MAX_INDEX = 80


@dataclass(frozen=True)
class Mention:
    """A name with its steps: ``("aws_lb", "web", "arn")``; ``indexes`` belong to the steps, as
    written (``[0]``). ``at`` is the path from the block to the attribute."""

    steps: tuple[str, ...]
    indexes: tuple[str, ...]
    at: tuple[str, ...]
    line: int


Place = int | str
Mentions = dict[Place, list[Mention]]


def mentions_of(text: str, *, path: str) -> Mentions:
    """By block: its first line, or in JSON, which has no lines, its address within the module
    (``aws_lb.web``, ``data.aws_ami.linux``, ``locals``)."""
    if path.endswith(".json"):
        return _of_json(text, path)
    source = text.encode()
    found: Mentions = {}
    if len(source) > MAX_BYTES:
        return found
    for body in Parser(LANGUAGE).parse(source).root_node.children:
        for block in body.children if body.type == "body" else ():
            if block.type == "block":
                line = block.start_point[0] + 1
                found.setdefault(line, []).extend(_in_block(block, (), 0))
    return found


def _in_block(block: Node, at: tuple[str, ...], depth: int) -> Iterator[Mention]:
    if depth > MAX_DEPTH:
        return
    for body in block.children:
        for child in body.children if body.type == "body" else ():
            if child.type == "attribute":
                yield from _in_attribute(child, at)
            elif child.type == "block":
                yield from _in_block(child, (*at, *_named(child)), depth + 1)


def _named(block: Node) -> tuple[str, ...]:
    """The name of a nested block; for a ``dynamic`` one, its label."""
    names = [label_of(each) for each in block.children if each.type in {"identifier", "string_lit"}]
    if names[:1] == ["dynamic"]:
        return tuple(names[1:2])
    return () if names[:1] == ["content"] else tuple(names[:1])


def _in_attribute(attribute: Node, at: tuple[str, ...]) -> Iterator[Mention]:
    names = [label_of(each) for each in attribute.children if each.type == "identifier"]
    for value in attribute.children:
        if value.type == "expression":
            yield from _in_expression(value, (*at, *names[:1]), 0)


def _in_expression(node: Node, at: tuple[str, ...], depth: int) -> Iterator[Mention]:
    if depth > MAX_DEPTH:
        return
    waiting = [child for child in node.named_children if child.type != "comment"]
    if node.type == "object_elem" and len(waiting) == 2:
        at, waiting = (*at, *_key(waiting[0])), waiting[1:]
    waiting.reverse()
    while waiting:
        child = waiting.pop()
        if child.type != "variable_expr":
            yield from _in_expression(child, at, depth + 1)
            continue
        steps = []
        while waiting and waiting[-1].type in {"get_attr", "index", "splat"}:
            steps.append(waiting.pop())
        yield from _mention(child, steps, at)
        for step in steps:
            yield from _in_expression(step, at, depth + 1)  # names inside an index


def _key(node: Node) -> tuple[str, ...]:
    text = (node.text or b"").decode(errors="replace").strip('"')
    return (text[:100],) if text.replace("-", "_").isidentifier() else ()


def _mention(name: Node, nodes: list[Node], at: tuple[str, ...]) -> Iterator[Mention]:
    steps, indexes = [label_of(name)], [""]
    for node in _flat(nodes):
        text = (node.text or b"").decode(errors="replace")
        if node.type == "new_index":
            indexes[-1] = indexes[-1] or (text if len(text) <= MAX_INDEX else "[]")
        else:
            steps.append(text.lstrip(". \t\n"))
            indexes.append("")
    if len(steps) > 1:
        line = name.start_point[0] + 1
        yield Mention(tuple(steps), tuple(indexes), at, line)


def _flat(nodes: list[Node]) -> Iterator[Node]:
    """Steps and indexes; those after a splat are inside it."""
    for node in nodes:
        for inner in node.named_children if node.type == "index" else [node]:
            if inner.type == "splat":
                for part in inner.named_children:
                    yield from _flat([each for each in part.named_children if each.is_named])
            else:
                yield inner


def _of_json(text: str, path: str) -> Mentions:
    try:
        body = read_hcl(text, path=path).body
    except DocumentError:
        return {}
    found: Mentions = {}
    for block in body.blocks:
        kind = () if block.type == "resource" else (block.type,)
        found.setdefault(".".join((*kind, *block.labels)), []).extend(_in_fields(block))
    return found


def _in_fields(block: Block) -> Iterator[Mention]:
    for name, attribute in block.attributes.items():
        for parts in references(attribute.expression):
            if len(parts) > 1:
                yield Mention(parts, ("",) * len(parts), (name,), attribute.line_start)
