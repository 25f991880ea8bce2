"""The report as Markdown (CommonMark with GitHub's tables). Uploaded content is only ever text in
it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from assessments.reports.layout import blocks_of, title_of
from assessments.reports.layout.blocks import (
    Bars,
    Block,
    Cards,
    Code,
    Drawing,
    Heading,
    Item,
    Lead,
    Notes,
    Notice,
    Patch,
    Ref,
    Table,
    Text,
)

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!$])")
_AT_START = re.compile(r"^([-+=]|\d+(?=[.)]))")


def as_markdown(document: dict[str, Any]) -> bytes:
    parts = [f"# {escape(title_of(document))}"]
    for block in blocks_of(document):
        parts += _written(block)
    return ("\n\n".join(parts) + "\n").encode()


def escape(text: str) -> str:
    """One line of text that Markdown shows unchanged (CommonMark 0.31, section 2.4, "Backslash
    escapes")."""
    text = _SPECIAL.sub(r"\\\1", text)
    return _AT_START.sub(lambda m: f"\\{m[0]}" if m[0] in "-+=" else f"{m[0]}\\", text)


def _written(block: Block) -> Iterator[str]:
    match block:
        case Heading():
            yield f"{'#' * block.level} {escape(block.text)}"
        case Text():
            text = escape(_with_refs(block.text, block.refs))
            yield f"*{text}*" if block.is_dim and text else text
        case Lead():
            yield escape(block.text)
        case Notice():
            yield escape(block.text)
        case Cards():
            rows = [[label, value, remark] for value, label, remark in block.rows]
            yield _table(["Figure", "Value", "Remark"], rows, {1})
        case Item():
            severity = f"{block.severity.capitalize()}: " if block.severity else ""
            number = f"{block.number} " if block.number else ""
            yield f"### {escape(number + severity + block.title)}"
            yield from (escape(words) for words in (block.text, *block.notes) if words)
            if block.place or block.refs:
                yield f"*{escape(_with_refs(block.place, block.refs))}*"
        case Notes():
            yield from (escape(f"[{n}] {text}") for n, text in enumerate(block.rows, start=1))
        case Code():
            yield _fenced(block.lines)
        case Patch():
            yield from map(_fenced, block.diffs)
        case Bars():
            rows = [[label, words, remark] for label, _, words, remark in block.rows]
            yield _table(*_with_cites(block.columns, rows, block.cites), {1})
        case Table():
            yield _table(*_with_cites(block.columns, block.rows, block.cites), block.numeric)
        case Drawing():
            if block.words:  # Markdown has no drawing
                yield escape(block.words)


def _with_refs(text: str, refs: Iterable[Ref]) -> str:
    return " ".join(filter(None, [text, *(ref.label for ref in refs)]))


def _with_cites(
    columns: list[str], rows: list[list[str]], cites: list[list[Ref]]
) -> tuple[list[str], list[list[str]]]:
    """Rows with the sources that they cite in a separate column."""
    if not cites:
        return columns, rows
    cited = [[*row, _with_refs("", refs)] for row, refs in zip(rows, cites, strict=True)]
    return [*columns, "Source"], cited


def _fenced(lines: list[str]) -> str:
    """The fence is longer than any run of backticks within (section 4.5, "Fenced code blocks")."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([fence, *lines, fence])


def _table(columns: list[str], rows: list[list[str]], numeric: set[int]) -> str:
    marks = ["---:" if n in numeric else "---" for n in range(len(columns))]
    return "\n".join(
        f"| {' | '.join(cells)} |" for cells in ([*map(escape, columns)], marks, *_cells(rows))
    )


def _cells(rows: list[list[str]]) -> Iterator[list[str]]:
    return ([escape(cell) for cell in row] for row in rows)
