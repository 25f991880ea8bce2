"""The filters of a list of findings; each value comes with the number of findings it would show.

One query counts the findings by every combination of values. A value's count is the number of
findings that all *other* filters let through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Value

from assessments.agents import AGENTS
from assessments.listing import KIND_WORDS
from assessments.models import AssessmentRun, Finding, FindingAssignment, FindingMute
from assessments.pages.finding_filters import MUTED, NOBODY, FindingFilters
from assessments.pages.queries import toggled
from assessments.scan.types import FileKind

if TYPE_CHECKING:
    from django.http import QueryDict

    from assessments.models import FindingQuerySet

SEVERITIES = {"4": "Critical", "3": "High", "2": "Medium", "1": "Low", "0": "Info"}
LABELS = {
    "severity": "Severity",
    "agent": "Agent",
    "scope": "Scope",
    "status": "Status",
    "kind": "File kind",
    "assignee": "Assignee",
    "assessment": "Assessment",
}
MAX_SHOWN = 40
"""How many values of one filter are offered; the chosen ones always are."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One value of a filter. ``query`` adds it to the URL, or removes it again."""

    value: str
    label: str
    count: int
    query: str
    is_chosen: bool


@dataclass(frozen=True, kw_only=True)
class Facet:
    """``left_out`` values are not offered: there are too many."""

    name: str
    label: str
    choices: list[Choice]
    left_out: int

    @property
    def chosen(self) -> list[Choice]:
        return [choice for choice in self.choices if choice.is_chosen]


@dataclass(frozen=True, kw_only=True)
class Counted:
    """``total`` findings pass all filters; ``muted`` more would if they were not muted;
    ``repeated`` are compliance's, which the list leaves out."""

    facets: dict[str, Facet]
    total: int
    muted: int
    repeated: int
    exposed: int

    @property
    def shown(self) -> list[Facet]:
        """Those that offer a choice; severities are handled separately."""
        return [
            facet
            for name, facet in self.facets.items()
            if name != "severity" and (len(facet.choices) > 1 or facet.chosen)
        ]


def counted(
    found: FindingQuerySet,
    filters: FindingFilters,
    *,
    runs: Sequence[AssessmentRun],
    scopes: Mapping[str, str],
    query: QueryDict,
) -> Counted:
    """``found`` by the values of each filter. ``scopes`` gives their labels, empty if there is
    only one; ``runs`` are those that ``found`` comes from."""
    rows = [_Row(row) for row in _cube(found.filter(filters.words), runs)]
    tests = _tests(filters)
    counts: dict[str, Counter[str]] = {name: Counter() for name in tests}
    total = muted = repeated = exposed = 0
    for row in rows:
        failed = [name for name, passes in tests.items() if not passes(row)]
        if not failed:
            total += row.n
        for name in failed if len(failed) == 1 else tests if not failed else ():
            for value in row.values[name]:
                counts[name][value] += row.n
        muted += row.n if failed == ["status"] and MUTED in row.values["status"] else 0
        repeated += row.n if failed == ["agent"] and row.values["agent"] == ("compliance",) else 0
        exposed += row.n if set(failed) <= {"exposed"} and row.is_exposed else 0
    labels = _labels(runs, scopes)
    facets = {
        name: _facet(name, counts[name], labels[name], getattr(filters, name), query)
        for name in LABELS
        if (name != "scope" or scopes) and (name != "assessment" or len(runs) > 1)
    }
    return Counted(facets=facets, total=total, muted=muted, repeated=repeated, exposed=exposed)


class _Row:
    """One combination of values, and how many findings have it."""

    def __init__(self, row: tuple[Any, ...]) -> None:
        severity, agent, scope, since, kind, run, self.is_exposed, is_muted, who, self.n = row
        self.values: dict[str, tuple[str, ...]] = {
            "severity": (str(severity),),
            "agent": (agent,),
            "scope": (scope,),
            "status": (MUTED,) if is_muted else (since,) if since else (),
            "kind": (kind,) if kind else (),
            "assignee": (who or NOBODY,),
            "assessment": (str(run),),
            "exposed": (),
        }


def _cube(found: FindingQuerySet, runs: Sequence[AssessmentRun]) -> Iterable[tuple[Any, ...]]:
    """Mutes and assignments are looked up only if there are any: most assessments have none."""
    about = {"assessment__in": {run.assessment_id for run in runs}}
    has_mutes = FindingMute.objects.filter(**about).exists()
    has_names = FindingAssignment.objects.filter(**about).exists()
    found = found.with_mutes() if has_mutes else found.annotate(is_muted=Value(False))
    found = found.with_assignee() if has_names else found.annotate(assignee=Value(""))
    columns = ("severity", "agent", "scope", "since", "file_kind", "run__assessment")
    rows = found.order_by().values_list(*columns, "is_exposed", "is_muted", "assignee")
    return rows.annotate(n=Count("pk")).iterator(chunk_size=2000)


def _tests(filters: FindingFilters) -> dict[str, Callable[[_Row], bool]]:
    def among(name: str, chosen: tuple[Any, ...]) -> Callable[[_Row], bool]:
        wanted = {str(value) for value in chosen}
        return lambda row: not wanted or not wanted.isdisjoint(row.values[name])

    tests = {name: among(name, getattr(filters, name)) for name in LABELS}
    if not filters.agent:
        tests["agent"] = lambda row: row.values["agent"] != ("compliance",)
    if not filters.status:
        tests["status"] = lambda row: MUTED not in row.values["status"]
    tests["exposed"] = lambda row: row.is_exposed or not filters.exposed
    return tests


def _labels(
    runs: Sequence[AssessmentRun], scopes: Mapping[str, str]
) -> dict[str, Mapping[str, str]]:
    """Each value's label, in the filter's order; other values follow by count."""
    return {
        "severity": SEVERITIES,
        "agent": {name: agent.label for name, agent in AGENTS.items()},
        "scope": scopes,
        "status": {**{s.value: s.label for s in Finding.Since}, MUTED: "Muted"},
        "kind": {kind.value: KIND_WORDS[kind] for kind in FileKind},
        "assignee": {NOBODY: "Nobody"},
        "assessment": {str(run.assessment_id): run.assessment.name for run in runs},
    }


def _facet(
    name: str,
    counts: Mapping[str, int],
    labels: Mapping[str, str],
    chosen: tuple[Any, ...],
    query: QueryDict,
) -> Facet:
    wanted = {str(value) for value in chosen}
    is_ordered = name in {"severity", "agent", "status"}
    order = {value: place for place, value in enumerate(labels)}
    values = sorted(
        {value for value in (*counts, *wanted) if value},
        key=lambda v: (order.get(v, 99) if is_ordered else -counts.get(v, 0), labels.get(v, v)),
    )
    offered = [v for place, v in enumerate(values) if place < MAX_SHOWN or v in wanted]
    return Facet(
        name=name,
        label=LABELS[name],
        choices=[
            Choice(
                value=value,
                label=labels.get(value, value),
                count=counts.get(value, 0),
                query=toggled(query, name, value),
                is_chosen=value in wanted,
            )
            for value in offered
        ],
        left_out=len(values) - len(offered),
    )
