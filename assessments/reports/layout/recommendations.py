"""What to do, in order: each action with its steps, its proven fix and the findings that it
resolves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from assessments.agents.wording import counted
from assessments.reports.layout.blocks import (
    TO,
    Block,
    Code,
    Heading,
    Item,
    Patch,
    Ref,
    Text,
    clean,
    coded,
    ranges,
    sentence,
)

PLACES = 3
"""Places that a step names if its findings, which name theirs, are in the report too."""


def recommendations(
    section: Sequence[Mapping[str, Any]], *, document: Mapping[str, Any]
) -> Iterator[Block]:
    yield Heading(2, "What to do first", "actions")
    numbers = {
        row["fingerprint"]: number
        for number, row in enumerate(document.get("findings", []), start=1)
    }
    for row in section:
        yield _item(row, sorted(numbers[f] for f in row["findings"] if f in numbers))
        for step in row["steps"]:
            if "\n" in step:  # an engine wrote code over several lines
                yield Code([coded(line) for line in step.splitlines()])
        yield from _fix(row["fix"] or {})


def _item(row: Mapping[str, Any], numbers: Sequence[int]) -> Item:
    exposure = row["impact"].get("exposure", [])
    more = f", and {counted(len(exposure) - 1, 'more')}" if exposure[1:] else ""
    saves = f"Saves {row['saving']['monthly_usd']} USD a month." if row["saving"] else ""
    steps = (step for step in row["steps"] if "\n" not in step)
    notes = [
        *(_step(step, has_all=len(numbers) == len(row["findings"])) for step in steps),
        f"Internet-facing: {exposure[0]}{more}." if exposure else "",
        saves,
    ]
    return Item(
        severity=row["severity"],
        title=clean(row["title"]),
        text="" if row["title"].endswith(row["why"]) else sentence(row["why"]),
        place=clean(row["source"]),
        anchor=f"r-{row['priority']}",
        number=f"R{row['priority']}",
        notes=[sentence(note) for note in notes if note],
        refs=[Ref(words, f"f-{words.partition(TO)[0][1:]}") for words in ranges("F", numbers)],
        is_short=True,
    )


def _step(step: str, *, has_all: bool) -> str:
    """A step with its places, or the first of many: the findings name theirs if the report
    ``has_all`` of them."""
    step = step.removesuffix(" ()")  # written by earlier releases for a step without a place
    if not step.endswith(")") and not step.startswith("Look at "):
        return step
    words, _, places = step.removesuffix(")").rpartition(" (")
    if not words:
        words, _, places = step.rpartition("Look at ")
    named = places.split(", ")
    if has_all and len(named) > PLACES + 1:
        places = f"{', '.join(named[:PLACES])}, and {counted(len(named) - PLACES, 'more place')}"
    return f"{words.removesuffix('.')} ({places})" if words else f"Look at {places}"


def _fix(fix: Mapping[str, Any]) -> Iterator[Block]:
    if fix.get("untried"):
        yield Text(clean(fix["untried"]))
    if not fix.get("files"):
        return
    yield Text(clean(proof_of(fix)))
    for note in fix["notes"]:
        yield Text(clean(note))
    yield Patch([[coded(line) for line in file["diff"].splitlines()] for file in fix["files"]])


def proof_of(fix: Mapping[str, Any]) -> str:
    """The result of trying the fix, in a sentence or two."""
    replaces = " Applying it replaces a resource." if fix["recreates"] else ""
    return (
        f"Proven fix: removes {counted(fix['removes'], 'finding')}, adds {fix['adds']}. It was"
        f" applied to a copy of the upload and scanned again.{replaces}"
    )
