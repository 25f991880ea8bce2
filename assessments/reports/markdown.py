"""The report as Markdown (CommonMark with GitHub's tables). What was uploaded is text and nothing
else in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
    """One line of text that Markdown shows as it is (CommonMark 0.31, section 2.4, "Backslash
    escapes")."""
    text = _SPECIAL.sub(r"\\\1", text)
    return _AT_START.sub(lambda m: f"\\{m[0]}" if m[0] in "-+=" else f"{m[0]}\\", text)


def _written(block: Block) -> Iterator[str]:
    match block:
        case Heading():
            yield f"{'#' * block.level} {escape(block.text)}"
        case Text():
            yield f"*{escape(block.text)}*" if block.is_dim and block.text else escape(block.text)
        case Lead():
            yield escape(block.text)
        case Notice():
            yield escape(block.text)
        case Cards():
            rows = [[label, value, remark] for value, label, remark in block.rows]
            yield _table(["Figure", "Value", "Remark"], rows, {1})
        case Item():
            severity = f"{block.severity.capitalize()}: " if block.severity else ""
            yield f"### {escape(severity + block.title)}"
            yield escape(block.text)
            if block.place:
                yield f"*{escape(block.place)}*"
        case Notes():
            rows = [[str(number), text] for number, text in enumerate(block.rows, start=1)]
            yield _table(["Number", "Source"], rows, {0})
        case Code():
            yield _fenced(block.lines)
        case Bars():
            yield _table(
                block.columns,
                [[label, words, remark] for label, _, words, remark in block.rows],
                {1},
            )
        case Table():
            yield _table(block.columns, block.rows, block.numeric)
        case Drawing():
            if block.words:  # Markdown's document has no drawing
                yield escape(block.words)


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
