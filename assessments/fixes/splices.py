"""Text changes by position, so that everything around them keeps its formatting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from assessments.fixes.errors import CannotFix


@dataclass(frozen=True, order=True)
class Splice:
    """``text`` replaces everything from ``start`` to ``end``; equal positions insert."""

    start: int
    end: int
    text: str


def spliced(source: str, splices: Iterable[Splice]) -> str:
    """``source`` with all ``splices`` applied. Raises CannotFix if two of them overlap."""
    ordered = sorted(set(splices))
    if any(later.start < earlier.end for earlier, later in pairwise(ordered)):
        raise CannotFix("Two changes overlap.")
    for splice in reversed(ordered):
        source = source[: splice.start] + splice.text + source[splice.end :]
    return source


def line_end(source: str, at: int) -> int:
    """Where the line that ``at`` is on ends, before its line break."""
    end = source.find("\n", at)
    end = len(source) if end < 0 else end
    return end - 1 if end > at and source[end - 1] == "\r" else end


def newline_of(source: str) -> str:
    return "\r\n" if "\r\n" in source else "\n"
