"""The paths from the internet to data, along the requests that the code shows."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from assessments.agents.crosswalk import entries as crosswalk
from assessments.diagram.types import ExposurePath, Opening, Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from assessments.diagram.types import FoundProblem, Link

MAX_PATHS = 60
MAX_STEPS = 30
MAX_OPENINGS = 5
"""Findings named at one step."""
_OPENING_WORDS = ("public", "internet", "unrestricted", "exposed")


def paths_of(
    entries: Sequence[Step], links: Iterable[Link], stores: Collection[str]
) -> tuple[list[ExposurePath], bool]:
    """From each entry, the shortest path to each store behind it, and whether there are more than
    ``MAX_PATHS``."""
    after: dict[str, list[Link]] = {}
    for link in links:
        if link.is_request:
            after.setdefault(link.source, []).append(link)
    found: list[ExposurePath] = []
    for entry in entries:
        for steps in _ways(entry, after, stores):
            if len(found) == MAX_PATHS:
                return found, True
            found.append(ExposurePath(id=f"p{len(found)}", steps=steps))
    return found, False


def _ways(
    entry: Step, after: Mapping[str, list[Link]], stores: Collection[str]
) -> list[list[Step]]:
    """Breadth first: each node once, so the first path to it is a shortest one."""
    if entry.target in stores:
        return [[entry]]
    ways: list[list[Step]] = []
    waiting: deque[list[Step]] = deque([[entry]])
    seen = {entry.target}
    while waiting:
        way = waiting.popleft()
        for link in after.get(way[-1].target, []) if len(way) < MAX_STEPS else ():
            if link.target in seen:
                continue
            seen.add(link.target)
            step = Step(source=link.source, target=link.target, why=link.why, place=link.place)
            (ways if link.target in stores else waiting).append([*way, step])
    return ways


def opens(rule: str) -> bool:
    """Whether a rule is about what the internet can reach, judging by the names of the published
    checks that test the same thing (``rds_instance_no_public_access``)."""
    entry = crosswalk().get(rule)
    checks = " ".join(entry.checks) if entry else ""
    return any(word in checks for word in _OPENING_WORDS)


def opened(step: Step, openings: Iterable[FoundProblem]) -> Step:
    """``step`` with the findings that open it, worst first."""
    worst = sorted(openings, key=lambda each: (-each.severity, each.title, each.id))
    unique = list({each.title: each for each in reversed(worst)}.values())[::-1]
    named = [Opening(id=f.id, title=f.title, severity=f.severity) for f in unique[:MAX_OPENINGS]]
    return step.replace(opened_by=named)
