"""The code that a finding is about: its line with a few around it, and what else is nearby."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assessments.pages.highlight import highlighted
from assessments.sources import source_of

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    from assessments.models import Finding

AROUND = 4
"""Lines before and after the marked one."""
FOLDED = 40
"""Lines before and after those, opened on demand; the code browser has the rest."""

type Lines = Sequence[tuple[int, SafeString]]


@dataclass(frozen=True, kw_only=True)
class Snippet:
    """Numbered lines as HTML. ``above`` and ``below`` are folded."""

    above: Lines
    shown: Lines
    below: Lines


def snippet_of(found: Finding) -> Snippet:
    """From the run's masked source, or, if that is not available (yet), the lines of evidence."""
    near = found.evidence
    line = near["line"] if near else 0
    numbered = _source(found, line) or [
        (each["number"], each["text"]) for each in found.detail.get("evidence", [])
    ]
    shown = highlighted([text for _, text in numbered], path=found.file)
    lines = [(number, code) for (number, _), code in zip(numbered, shown, strict=True)]
    return Snippet(
        above=[each for each in lines if each[0] < line - AROUND],
        shown=[each for each in lines if line - AROUND <= each[0] <= line + AROUND],
        below=[each for each in lines if each[0] > line + AROUND],
    )


def _source(found: Finding, line: int) -> list[tuple[int, str]]:
    """The lines near ``line``; empty if the file is not shown, or has no such line."""
    lines = source_of(found.run, found.file) if line else None
    if not lines or line > len(lines):
        return []
    first = max(1, line - AROUND - FOLDED)
    return list(enumerate(lines[first - 1 : line + AROUND + FOLDED], start=first))
