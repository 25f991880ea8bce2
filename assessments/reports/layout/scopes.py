"""Scopes by number in reports about many: their paths would fill the tables and the sources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from assessments.reports.layout.blocks import Block, Heading, Table, Text, clean, ranges

MOST_NAMED = 8
"""Up to this many scopes are named wherever they are mentioned."""
_SUM = "Sum over scopes: "
_TERM = re.compile(r"([^ ]+) \((.*?)\)(?: \+ |$)")


class Scopes:
    """The scopes of a report: ``S1`` and so on if there are many, otherwise their names."""

    def __init__(self, scopes: Sequence[Mapping[str, Any]]) -> None:
        self.is_numbered = len(scopes) > MOST_NAMED
        self._labels = [clean(scope["label"]) for scope in scopes]
        self._by_key = {scope["key"]: number for number, scope in enumerate(scopes, start=1)}
        self._by_label = {label: number for number, label in enumerate(self._labels, start=1)}

    def named(self, key: str) -> str:
        if self.is_numbered and key in self._by_key:
            return f"S{self._by_key[key]}"
        return key

    def listed(self) -> Iterator[Block]:
        """What the numbers stand for."""
        if self.is_numbered:
            yield Heading(2, "Scopes", "scopes")
            yield Text("The parts of this report that follow refer to scopes by number.", True)
            rows = [[f"S{number}", label] for number, label in enumerate(self._labels, start=1)]
            yield Table(["", "Scope"], rows, is_list=True)

    def grouped(self, columns: Sequence[str], rows: Sequence[list[Any]]) -> list[list[Any]]:
        """Rows that differ only in their scope, in the first column, become one."""
        if not self.is_numbered or not columns or columns[0].lower() != "scope":
            return list(rows)
        if not all(clean(str(row[0])) in self._by_label for row in rows):
            return list(rows)
        found: dict[str, tuple[list[int], list[Any]]] = {}
        for row in rows:
            numbers, _ = found.setdefault(repr(row[1:]), ([], row[1:]))
            numbers.append(self._by_label[clean(str(row[0]))])
        return [[", ".join(ranges("S", numbers)), *rest] for numbers, rest in found.values()]

    def source(self, text: str) -> str:
        """A sum over scopes by their numbers, without the terms that are 0."""
        if not self.is_numbered or not text.startswith(_SUM):
            return text
        terms = _TERM.findall(text.removeprefix(_SUM))
        if not terms or not all(clean(label) in self._by_label for _, label in terms):
            return text
        kept = [(value, self._by_label[clean(label)]) for value, label in terms if float(value)]
        if not kept:
            return f"Sum over {len(terms)} scopes, 0 in each"
        rest = "; 0 in the others" if len(kept) < len(terms) else ""
        words = " + ".join(f"{value} (S{number})" for value, number in kept)
        return f"Sum over {len(terms)} scopes: {words}{rest}"
