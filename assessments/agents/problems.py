"""One problem, however many rules see it.

Rules that the crosswalk puts under the same published check, or under the same words, are one
problem: ``CKV_AWS_53`` to ``CKV_AWS_56`` and ``CKV2_AWS_6`` all ask for a bucket's public access
block. A rule without a neighbor is a problem of its own.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache

from assessments.agents.crosswalk import Entry, entries


def problem_key(rule: str, *, title: str) -> str:
    """A stable key for the problem that ``rule`` sees: the first of its rules by name, or, for a
    rule that the crosswalk does not have, the finding's title."""
    return _problems().get(rule) or f"{rule}: {title}"[:200]


@cache
def _problems() -> dict[str, str]:
    """Connected components of rules that share their first check or their words."""
    sharing: dict[str, list[str]] = defaultdict(list)
    for entry in entries().values():
        for key in _keys(entry):
            sharing[key].append(entry.rule)
    first: dict[str, str] = {}
    for rule in sorted(entries()):
        if rule in first:
            continue
        waiting = [rule]
        while waiting:
            current = waiting.pop()
            if current in first:
                continue
            first[current] = rule
            waiting += [other for key in _keys(entries()[current]) for other in sharing[key]]
    return first


def _keys(entry: Entry) -> list[str]:
    """Words alone don't join rules of two providers: a bucket of S3 is not one of Azure's."""
    provider = entry.rule.split("_")[1] if "_" in entry.rule else ""
    return [*entry.checks[:1], f"{provider}: {entry.problem}"]
