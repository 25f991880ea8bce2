"""Maps lines rendered from a template back to the template's lines.

Helm reports which template a manifest comes from, but not which line. Lines that occur once in both
texts are anchors, in the longest common order; what lies between two anchors was produced by what
lies between them in the template. So a range is never too small, and a single line is named only if
it occurs in the template exactly as it was rendered.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence


class Origin:
    """All line numbers are 1-based."""

    def __init__(self, *, template: Sequence[str], rendered: Sequence[str]) -> None:
        self._end = max(1, len(template))
        self._anchors = _anchors(
            [line.strip() for line in rendered], [line.strip() for line in template]
        )
        self._known = sorted(self._anchors)

    def line(self, number: int) -> int | None:
        """The template line that was rendered unchanged; None if a value produced it."""
        return self._anchors.get(number)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """First and last line of the template range that produced the rendered lines."""
        before = bisect_right(self._known, start) - 1
        after = bisect_left(self._known, end)
        first = self._anchors[self._known[before]] if before >= 0 else 1
        last = self._anchors[self._known[after]] if after < len(self._known) else self._end
        return first, max(first, last)


def _anchors(rendered: list[str], template: list[str]) -> dict[int, int]:
    ours, theirs = Counter(rendered), Counter(template)
    place = {line: n for n, line in enumerate(template, 1) if theirs[line] == 1}
    pairs = [
        (n, place[line])
        for n, line in enumerate(rendered, 1)
        if line and ours[line] == 1 and line in place
    ]
    return _grown(dict(_rising(pairs)), rendered, template)


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence in which both numbers increase (patience sorting)."""
    tops: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for index, (_, line) in enumerate(pairs):
        pile = bisect_left(tops, line)
        tops[pile : pile + 1] = [line]
        at[pile : pile + 1] = [index]
        before.append(at[pile - 1] if pile else -1)
    found = []
    index = at[-1] if at else -1
    while index >= 0:
        found.append(pairs[index])
        index = before[index]
    return found[::-1]


def _grown(anchors: dict[int, int], rendered: list[str], template: list[str]) -> dict[int, int]:
    """With the equal lines that follow an anchor, and those that precede it."""
    found = dict(anchors)
    taken = set(anchors.values())
    for step in (1, -1):
        for start in sorted(anchors, reverse=step < 0):
            n, line = start + step, anchors[start] + step
            while (
                n not in found
                and line not in taken
                and 1 <= n <= len(rendered)
                and 1 <= line <= len(template)
                and rendered[n - 1] == template[line - 1]
            ):
                found[n] = line
                taken.add(line)
                n, line = n + step, line + step
    return found
