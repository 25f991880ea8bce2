"""The report as Markdown (CommonMark with GitHub's tables). What was uploaded is text and nothing
else in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from assessments.reports.layout import (
    Bars,
    Block,
    Code,
    Drawing,
    Heading,
    Table,
    Text,
    blocks_of,
    title_of,
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
            return  # Markdown's document has no drawing


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
