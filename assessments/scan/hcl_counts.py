"""Terraform source with its counts bounded, for an engine that expands them; no line moves."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from assessments.scan.hcl_values import UNKNOWN
from assessments.scan.intake import InputFile
from assessments.scan.terraform import MAX_COUNT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from assessments.scan.terraform import Counted, Root

ANY = "(unknown)"
"""The key of the one instance that stands for a collection that can't be determined."""
Edits = dict[str, list[tuple[int, int, str]]]
"""By path: byte ranges and their replacements."""


def large_counts(root: Root) -> Iterator[Counted]:
    """Counts above MAX_COUNT, in file order."""
    for _, counted in sorted(root.counted.items()):
        if counted.number is not None and counted.number > MAX_COUNT:
            yield counted


def bounded(root: Root) -> Edits:
    """Counts above MAX_COUNT become MAX_COUNT."""
    return _edits((each, str(MAX_COUNT), each.first) for each in large_counts(root))


def with_one_of_the_unknown(root: Root) -> Edits:
    """Each count that can't be determined becomes 1, and the others above MAX_COUNT are bounded."""
    unknown = ((c, "1", [ANY]) for c in root.counted.values() if c.number is None)
    return joined_edits(bounded(root), _edits(unknown))


def single(root: Root) -> Edits:
    """Every count becomes 1: for source whose counts take too long to evaluate."""
    every = [each for each in root.counted.values() if each.number != 0]
    return _edits((each, "1", _one(each.first)) for each in every)


def edited(files: Iterable[InputFile], edits: Edits) -> list[InputFile]:
    return [_edited(file, edits[file.path]) if file.path in edits else file for file in files]


def joined_edits(*every: Edits) -> Edits:
    paths = {path for edits in every for path in edits}
    return {path: [edit for edits in every for edit in edits.get(path, ())] for path in paths}


def _edits(changes: Iterable[tuple[Counted, str, Any]]) -> Edits:
    found: Edits = defaultdict(list)
    for counted, number, items in changes:
        text = number if counted.name == "count" else _collection(items)
        # JSON syntax has no byte ranges.
        if counted.end > counted.start and text:
            found[counted.path].append((counted.start, counted.end, text))
    return dict(found)


def _edited(file: InputFile, edits: list[tuple[int, int, str]]) -> InputFile:
    source = file.content
    for start, end, text in sorted(edits, reverse=True):
        lines = source.count(b"\n", start, end)
        source = source[:start] + text.encode() + b"\n" * lines + source[end:]
    return InputFile.of(file.path, source)


def _one(items: Any) -> Any:
    if isinstance(items, dict):
        return dict(list(items.items())[:1])
    return items[:1] if isinstance(items, list) else [ANY]


def _collection(items: Any) -> str:
    """As HCL: JSON is HCL, except where an interpolation starts."""
    text = json.dumps(_plain(items)).replace("${", "$${").replace("%{", "%%{")
    return f"toset({text})" if isinstance(items, list) else text if items else ""


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if value is UNKNOWN else value
