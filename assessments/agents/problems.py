"""One problem, however many rules report it.

Rules that the crosswalk puts under the same published check, or that share a line of the table of
rules, are one problem: ``CKV_AWS_53`` to ``CKV_AWS_56`` and ``CKV2_AWS_6`` all ask for a bucket's
public access block. A rule without a neighbor is a problem of its own.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache

from assessments.agents.crosswalk import entries
from assessments.rules import known_rules

UNDECIDED = "Can't be determined: "
"""How the title of a finding begins that claims no problem: its value is not in the upload."""
NOT_MET = "Not met: "
"""How it begins where it turns an engine's demand around."""
UNKNOWN_VALUES = "unknown-values"
"""The one problem of all of them: values are missing, whatever the rules would say about them."""


def problem_key(rule: str, *, title: str) -> str:
    """A stable key for the problem that ``rule`` sees: the first of its rules by name, or, for a
    rule that has no title of ours, the finding's title."""
    if title.startswith(UNDECIDED):
        return UNKNOWN_VALUES
    return _problems().get(rule) or f"{rule}: {title}"[:200]


def problems_of(rule: str, *, title: str) -> set[str]:
    """The problem of a finding, and, if it can't be determined, the one that it may be."""
    asked = title.removeprefix(UNDECIDED)
    titles = (title, asked, f"{NOT_MET}{asked}") if asked != title else (title,)
    return {problem_key(rule, title=each) for each in titles}


@cache
def _problems() -> dict[str, str]:
    """Connected components of rules that share their first check or their words."""
    keys = {rule: _keys(rule) for rule in entries().keys() | known_rules().keys()}
    sharing: dict[str, list[str]] = defaultdict(list)
    for rule, shared in keys.items():
        for key in shared:
            sharing[key].append(rule)
    first: dict[str, str] = {}
    for rule in sorted(rule for rule, shared in keys.items() if shared):
        waiting = [rule]
        while waiting:
            current = waiting.pop()
            if first.setdefault(current, rule) == rule:
                waiting += [
                    other for key in keys[current] for other in sharing[key] if other not in first
                ]
    return first


def _keys(rule: str) -> list[str]:
    """Wording alone doesn't join rules of two providers: an S3 bucket is not an Azure one."""
    entry, known = entries().get(rule), known_rules().get(rule)
    provider = rule.split("_")[1] if "_" in rule else ""
    titled = [f"{provider}: {known.title or known.action}"] if known else []
    return [*(entry.checks[:1] if entry else ()), *titled]
