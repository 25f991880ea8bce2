"""Findings grouped by what they share: the problem, the resource, the file, the scope or the agent;
the group with the worst finding first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Max, Min, Q

from assessments.agents import AGENTS
from assessments.agents.problems import UNKNOWN_VALUES
from assessments.pages.finding_filters import NOTHING
from assessments.pages.queries import changed
from assessments.rules import known_rules

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import QueryDict

    from assessments.models import Finding, FindingQuerySet

KEYS = {
    "problem": ("problem", "agent"),
    "resource": ("scope", "resource"),
    "file": ("file",),
    "scope": ("scope",),
    "agent": ("agent",),
}
"""The columns that a group's findings share: an address identifies a resource within one scope."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """``query`` lists its findings, with all other filters unchanged."""

    label: str
    note: str
    is_code: bool
    worst: int
    count: int
    severities: Mapping[int, int]
    query: str


def grouped(found: FindingQuerySet, by: str) -> QuerySet[Finding, Any]:
    """A row for each group, with its keys, counts by severity (``n4`` ... ``n0``), and one of its
    titles."""
    keys = KEYS[by]
    rows: QuerySet[Finding, Any] = (
        found.order_by()
        .values(*keys)
        .annotate(
            n=Count("pk"),
            worst=Max("severity"),
            title=Min("title"),
            resources=Count("resource", distinct=True),
            **{f"n{level}": Count("pk", filter=Q(severity=level)) for level in range(5)},
        )
        .order_by("-worst", "-n4", "-n3", "-n", *keys)
    )
    return rows


def group_of(
    row: Mapping[str, Any], by: str, *, scopes: Mapping[str, str], query: QueryDict
) -> Group:
    label, note = _words(row, by, scopes)
    keys = {key: row[key] for key in KEYS[by] if key != "scope" or scopes}
    for name in ("resource", "file"):
        if keys.get(name) == "":
            keys[name] = NOTHING
    return Group(
        label=label,
        note=note,
        is_code=by in {"resource", "file", "scope"},
        worst=row["worst"],
        count=row["n"],
        severities={level: row[f"n{level}"] for level in range(5) if row[f"n{level}"]},
        query=changed(query, group=None, **keys),
    )


def _words(row: Mapping[str, Any], by: str, scopes: Mapping[str, str]) -> tuple[str, str]:
    """A group's label, and the text beside it."""
    match by:
        case "problem":
            if row["problem"] == UNKNOWN_VALUES:
                return "Can't be determined from the upload", _agent(row["agent"])
            known = known_rules().get(row["problem"])
            return (known.title if known and known.title else row["title"]), _agent(row["agent"])
        case "resource":
            return row["resource"] or "About no single resource", scopes.get(row["scope"], "")
        case "file":
            return row["file"] or "About no file", ""
        case "scope":
            return scopes.get(row["scope"], row["scope"]) or "The whole upload", ""
        case _:
            return _agent(row["agent"]), ""


def _agent(name: str) -> str:
    return AGENTS[name].label if name in AGENTS else name.capitalize()
