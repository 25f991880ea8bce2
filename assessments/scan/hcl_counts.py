"""Terraform source with its ``count`` bounded for an engine that unfolds it; no line moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.scan.documents import DocumentError
from assessments.scan.hcl import Attribute, Block, Literal, read_hcl

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_COUNT = 100
"""Copies of one block that are counted out. tfparse takes 28 s for 5,000 (measured), so 0.6 s for
this many."""


def large_counts(body: Block) -> Iterator[tuple[int, int]]:
    """(line, count) of each literal count above MAX_COUNT."""
    for attribute in _counts(body):
        if _is_large(attribute) and isinstance(attribute.expression, Literal):
            yield attribute.line_start, int(attribute.expression.value or 0)


def with_bounded_counts(text: str) -> str:
    """Literal counts above MAX_COUNT become MAX_COUNT."""
    return _rewritten(text, to=MAX_COUNT, only_large=True)


def with_single_counts(text: str) -> str:
    """Every count becomes 1: for source whose counts take too long to work out."""
    return _rewritten(text, to=1, only_large=False)


def _rewritten(text: str, *, to: int, only_large: bool) -> str:
    if "count" not in text:
        return text
    try:
        body = read_hcl(text, path="main.tf").body
    except DocumentError:
        return text
    source = text.encode()
    for attribute in sorted(_counts(body), key=lambda each: -each.start):
        if only_large and not _is_large(attribute):
            continue
        lines = source.count(b"\n", attribute.start, attribute.end)
        number = str(to).encode() + b"\n" * lines
        source = source[: attribute.start] + number + source[attribute.end :]
    return source.decode()


def _counts(body: Block) -> Iterator[Attribute]:
    """The meta-argument alone: a nested block's ``count`` (of GPUs, say) is a value like others."""
    for block in body.blocks:
        if block.type in {"resource", "data", "module"} and "count" in block.attributes:
            yield block.attributes["count"]


def _is_large(attribute: Attribute) -> bool:
    value = attribute.expression.value if isinstance(attribute.expression, Literal) else 0
    return isinstance(value, int | float) and value > MAX_COUNT
