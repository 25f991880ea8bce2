"""What a report is built from, in reading order: the parts that HTML, Markdown and PDF share.

A block's text is plain: characters that are special in a format are escaped by that format's
writer, in one place. Invisible characters (controls, marks that change the reading direction) are
shown as U+FFFD.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar


@dataclass(frozen=True)
class Ref:
    """A word that links to the block, or the source, with the ``anchor``."""

    label: str
    anchor: str


@dataclass(frozen=True)
class Heading:
    """``anchor``: what it is linked by, "" if nothing links to it. Those of level 2, and others
    with ``is_listed``, are in the contents."""

    kind: ClassVar = "heading"
    level: int
    text: str
    anchor: str = ""
    is_listed: bool = False


@dataclass(frozen=True)
class Text:
    """A paragraph; ``is_dim`` for secondary text: places, sources."""

    kind: ClassVar = "text"
    text: str
    is_dim: bool = False
    refs: list[Ref] = field(default_factory=list)


@dataclass(frozen=True)
class Lead:
    """The answer in a sentence or two, before everything else."""

    kind: ClassVar = "lead"
    text: str


@dataclass(frozen=True)
class Notice:
    """What the answer lacks; it is shown before the answer."""

    kind: ClassVar = "notice"
    text: str


@dataclass(frozen=True)
class Code:
    kind: ClassVar = "code"
    lines: list[str]


@dataclass(frozen=True)
class Patch:
    """The proven changes of one recommendation, a unified diff for each file."""

    kind: ClassVar = "patch"
    diffs: list[list[str]]


@dataclass(frozen=True)
class Bars:
    """One bar per row: label, length in percent (None: no bar), the value in words, a remark;
    ``cites`` as in a table."""

    kind: ClassVar = "bars"
    columns: list[str]
    rows: list[tuple[str, int | None, str, str]]
    cites: list[list[Ref]] = field(default_factory=list)

    @property
    def cited(self) -> list[tuple[tuple[str, int | None, str, str], list[Ref]]]:
        """Each row with what it cites."""
        return list(zip(self.rows, self.cites or [[]] * len(self.rows), strict=True))


@dataclass(frozen=True)
class Table:
    """``numeric`` holds the right-aligned columns; ``shares`` the columns' relative widths, if they
    should not depend on the length of their text. ``is_list``: short rows that may be set in two
    columns. ``cites``: the sources of each row, in a separate column."""

    kind: ClassVar = "table"
    columns: list[str]
    rows: list[list[str]]
    numeric: set[int] = field(default_factory=set)
    shares: list[int] = field(default_factory=list)
    is_list: bool = False
    cites: list[list[Ref]] = field(default_factory=list)

    @property
    def cited(self) -> list[tuple[list[str], list[Ref]]]:
        """Each row with what it cites."""
        return list(zip(self.rows, self.cites or [[]] * len(self.rows), strict=True))


@dataclass(frozen=True)
class Cards:
    """A few figures to see at a glance: the value, what it counts, a remark."""

    kind: ClassVar = "cards"
    rows: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Item:
    """One item of a list: ``severity`` is a word of ``Severity`` or "", ``place`` is code,
    ``notes`` are further paragraphs. ``is_short``: one of hundreds."""

    kind: ClassVar = "item"
    severity: str
    title: str
    text: str
    place: str
    anchor: str = ""
    number: str = ""
    notes: list[str] = field(default_factory=list)
    refs: list[Ref] = field(default_factory=list)
    is_short: bool = False


@dataclass(frozen=True)
class Notes:
    """Numbered from 1: what the report's other parts cite as ``[1]``."""

    kind: ClassVar = "notes"
    rows: list[str]


@dataclass(frozen=True)
class Drawing:
    """An SVG document that this application drew: values in it are already escaped. ``words``
    describe it where a drawing isn't possible. ``is_filling``: as large as the rest of its page."""

    kind: ClassVar = "drawing"
    svg: str
    words: str = ""
    is_filling: bool = False


Block = (
    Heading | Text | Lead | Notice | Code | Patch | Bars | Table | Cards | Item | Notes | Drawing
)


def shown(value: Any) -> str:
    """A cell or a value as readers see it: the same characters in each format."""
    if isinstance(value, list):
        return clean(", ".join(map(str, value)))
    if isinstance(value, float):
        return f"{Decimal(str(value)):f}"  # prices of a request would read 2e-07
    return "" if value is None else clean(str(value))


def clean(text: str) -> str:
    """One line without invisible characters."""
    return "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split())
    )


def sentence(text: str) -> str:
    """``clean`` with a period at its end: another sentence follows in the same paragraph."""
    text = clean(text)
    return text if not text or text[-1] in ".!?:…" or text.endswith(".)") else f"{text}."


def coded(line: str) -> str:
    """A line of code: tabs and spaces unchanged, without invisible characters."""
    return "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line)


def clipped(text: str, limit: int) -> str:
    """``clean`` and at most ``limit`` characters, if a page has no room for more."""
    text = clean(text)
    if len(text) <= limit:
        return text
    words, _, last = text[:limit].rpartition(" ")
    return f"{words if words and len(last) < LONGEST_WORD else text[: limit - 1]}…"


def clipped_place(text: str, limit: int) -> str:
    """A path, with its end: the file and line say more than the folders in between."""
    text = clean(text)
    start = limit // 3
    return text if len(text) <= limit else f"{text[:start]}…{text[start + 1 - limit :]}"


LONGEST_WORD = 20
"""In characters; anything longer is a path or an address, and may be cut in the middle."""


TO = "\N{EN DASH}"


def ranges(letter: str, numbers: Sequence[int]) -> list[str]:
    """``F1``, then ``F4`` to ``F7`` as one word: sorted numbers, consecutive ones as a range."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return [
        f"{letter}{first}" if first == last else f"{letter}{first}{TO}{letter}{last}"
        for first, last in found
    ]


class Sources:
    """The sources of a report, each once, by the numbers under which they are cited."""

    def __init__(self, *, limit: int = 0) -> None:
        """``limit``: characters of each, if a page has no room for more."""
        self._numbers: dict[str, int] = {}
        self._limit = limit

    def cite(self, *sources: str) -> str:
        """``[1]``, ``[1] [2]``."""
        numbers = (
            self._numbers.setdefault(clean(source), len(self._numbers) + 1)
            for source in sources
            if source
        )
        return " ".join(f"[{number}]" for number in dict.fromkeys(numbers))

    def refs(self, *sources: str) -> list[Ref]:
        """The same as references to the list of sources."""
        numbers = self.cite(*sources).split()
        return [Ref(number, f"source-{number[1:-1]}") for number in numbers]

    def notes(self) -> Notes:
        limit = self._limit
        return Notes([clipped(each, limit) if limit else each for each in self._numbers])
