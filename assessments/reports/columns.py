"""Widths of a PDF's columns, based on the words in them: no cell overlaps the next one."""

from __future__ import annotations

import re
from collections.abc import Sequence

WIDTH_MM, INSET_MM = 170.0, 2.2
"""The width of a page's text, and of the white space on both sides of a cell."""
CHAR_MM = 1.72
"""An upper bound for the average width of a word's characters at the size of a table's text."""
ROWS = 400
"""Rows that are measured; the columns of longer tables are based on those."""
ZERO_WIDTH_SPACE = "\u200b"
LONGEST_RUN = 24
_LONG_WORD = re.compile(r"\S{12,}")
_BREAKS_AFTER = re.compile(r"(?<=[/_.:=,;|(){}\[\]@-])(?=\S)")
_SPACE = re.compile(rf"[\s{ZERO_WIDTH_SPACE}]+")


def breakable(text: str, *, run: int = LONGEST_RUN) -> str:
    """Long words may be broken after their separators, and inside if they have none for ``run``
    characters: paths, addresses, URLs, digests."""
    return _LONG_WORD.sub(lambda word: _broken(word[0], run), text)


def _broken(word: str, run: int) -> str:
    parts = _BREAKS_AFTER.sub(ZERO_WIDTH_SPACE, word).split(ZERO_WIDTH_SPACE)
    pieces = [part[n : n + run] for part in parts for n in range(0, len(part), run)]
    return ZERO_WIDTH_SPACE.join(pieces)


def widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[float]:
    """Millimeters for each column of breakable cells: room for its longest word; the remaining
    space goes to the columns with the longest texts, as they make the rows tall."""
    measured = [columns, *rows[:ROWS]]
    cells = [[row[n] for row in measured] for n in range(len(columns))]
    least = [INSET_MM + CHAR_MM * max(map(_longest_word, column)) for column in cells]
    whole = [INSET_MM + CHAR_MM * max(map(len, column)) for column in cells]
    if sum(whole) <= WIDTH_MM:
        return [*whole[:-1], WIDTH_MM - sum(whole[:-1])]
    if sum(least) >= WIDTH_MM:
        return [WIDTH_MM * low / sum(least) for low in least]
    means = [CHAR_MM * sum(map(len, column)) / len(column) for column in cells]
    wants = [
        max(0.1, min(mean, full) - low) for mean, full, low in zip(means, whole, least, strict=True)
    ]
    share = (WIDTH_MM - sum(least)) / sum(wants)
    return [low + share * want for low, want in zip(least, wants, strict=True)]


def fitting(
    columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]], list[float]]:
    """Breakable cells and widths that fit them: if many columns leave little room, words are
    broken into shorter pieces."""
    for run in (LONGEST_RUN, 12, 8, 5):
        names = [breakable(name, run=run) for name in columns]
        cells = [[breakable(cell, run=run) for cell in row] for row in rows]
        if run < LONGEST_RUN:
            cells = [[_chopped(cell, run) for cell in row] for row in cells]
            names = [_chopped(name, run) for name in names]
        found = widths(names, cells)
        if (
            sum(INSET_MM + CHAR_MM * _widest(names, cells, n) for n in range(len(names)))
            <= WIDTH_MM
        ):
            break
    return names, cells, found


def _chopped(text: str, run: int) -> str:
    """Words without a separator are broken, too."""
    return re.sub(rf"[^\s{ZERO_WIDTH_SPACE}]{{{run}}}(?=\S)", rf"\g<0>{ZERO_WIDTH_SPACE}", text)


def _widest(names: Sequence[str], rows: Sequence[Sequence[str]], column: int) -> int:
    return max(_longest_word(row[column]) for row in [names, *rows[:ROWS]])


def _longest_word(text: str) -> int:
    return max(map(len, _SPACE.split(text)))
