"""The patches of one fix as a PDF shows them: a change that is the same in many files is shown
once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assessments.reports.layout.blocks import Block, Code, Patch, Text

_HUNK = re.compile(r"^@@ -(\d+)")


def shown_once(patch: Patch) -> Iterator[Block]:
    """Each different change with the file it is in, and where else it is made."""
    alike: dict[tuple[str, ...], list[Sequence[str]]] = {}
    for diff in patch.diffs:
        alike.setdefault(_changes(diff), []).append(diff)
    for first, *others in alike.values():
        yield Code([_path(first), *first[2:]])
        if others:
            places = ", ".join(f"{_path(diff)}:{_line(diff)}" for diff in others)
            yield Text(f"The same change, as a patch in the HTML report: {places}", is_dim=True)


def _changes(diff: Sequence[str]) -> tuple[str, ...]:
    """The lines that are added and removed, however far they are indented."""
    return tuple(f"{line[0]}{line[1:].strip()}" for line in diff[2:] if line[:1] in ("+", "-"))


def _path(diff: Sequence[str]) -> str:
    return diff[1].removeprefix("+++ b/")


def _line(diff: Sequence[str]) -> int:
    """The number, in the uploaded file, of the first line that changes."""
    start = next((n for n, line in enumerate(diff) if _HUNK.match(line)), None)
    if start is None:
        return 1
    first = int(_HUNK.findall(diff[start])[0])
    before = next((n for n, line in enumerate(diff[start + 1 :]) if line[:1] in ("+", "-")), 0)
    return first + before
