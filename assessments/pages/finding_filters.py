"""Which findings a person asks for: parsed from the URL, and turned into a condition on rows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

from django.db.models import Q

from assessments.agents import AGENTS
from assessments.listing import DISTINCT
from assessments.models import Finding, FindingQuerySet
from assessments.scan.types import FileKind
from tasks_ui.models.querysets import as_uuid

if TYPE_CHECKING:
    from django.http import QueryDict

MAX_VALUES = 30
"""How many values of one filter are considered."""
MAX_CHARS = 600
MUTED = "muted"
NOBODY = "-"
"""As an assignee: nobody."""
NOTHING = "-"
"""As a resource or file: findings about none."""
GROUPS = {
    "problem": "Problem",
    "resource": "Resource",
    "file": "File",
    "scope": "Scope",
    "agent": "Agent",
}


@dataclass(frozen=True, kw_only=True)
class FindingFilters:
    """Anything not understood is ignored. Several values of one filter widen it, several
    filters narrow the list. Without a status, muted findings are left out; without an agent, those
    of compliance: they repeat the others', control by control."""

    severity: tuple[int, ...] = ()
    agent: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    assignee: tuple[str, ...] = ()
    assessment: tuple[str, ...] = ()
    exposed: bool = False
    problem: str = ""
    resource: str = ""
    file: str = ""
    rule: str = ""
    q: str = ""
    group: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> Self:
        def known(name: str, values: Any) -> tuple[str, ...]:
            return tuple(value for value in _several(query, name) if value in values)

        group = query.get("group", "")
        return cls(
            severity=tuple(int(value) for value in known("severity", {"0", "1", "2", "3", "4"})),
            agent=known("agent", AGENTS),
            scope=_several(query, "scope"),
            status=(*known("status", {*Finding.Since.values, MUTED}), *_old_words(query)),
            kind=known("kind", set(FileKind)),
            assignee=_several(query, "assignee"),
            assessment=tuple(
                str(key) for value in _several(query, "assessment") if (key := as_uuid(value))
            ),
            exposed=query.get("exposed") == "1",
            **{name: _one(query, name) for name in ("problem", "resource", "file", "rule")},
            q=_one(query, "q").strip()[:100],
            group=group if group in GROUPS else "",
        )

    @property
    def are_set(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self) if each.name != "group")

    @property
    def words(self) -> Q:
        """The filters that narrow the list without being counted by value."""
        condition = Q()
        for name in ("problem", "resource", "file", "rule"):
            if value := getattr(self, name):
                condition &= Q(**{name: "" if value == NOTHING else value})
        if self.q:
            condition &= (
                Q(title__icontains=self.q)
                | Q(file__icontains=self.q)
                | Q(resource__icontains=self.q)
                | Q(rule__iexact=self.q)
            )
        return condition

    def narrow(self, found: FindingQuerySet) -> FindingQuerySet:
        """``found``, with all filters."""
        condition = self.words & (Q(agent__in=self.agent) if self.agent else DISTINCT)
        for name in ("severity", "scope"):
            if values := getattr(self, name):
                condition &= Q(**{f"{name}__in": values})
        if self.kind:
            condition &= Q(file_kind__in=self.kind)
        if self.assessment:
            condition &= Q(run__assessment__in=self.assessment)
        if self.exposed:
            condition &= Q(is_exposed=True)
        return self._of_status(self._of_assignee(found.filter(condition)))

    def _of_status(self, found: FindingQuerySet) -> FindingQuerySet:
        if not self.status:
            return found.unmuted()
        since = Q(since__in=[value for value in self.status if value != MUTED])
        if MUTED not in self.status:
            return found.unmuted().filter(since)
        if set(self.status) == {MUTED}:
            return found.muted()
        return found.with_mutes().filter(since | Q(is_muted=True))

    def _of_assignee(self, found: FindingQuerySet) -> FindingQuerySet:
        if not self.assignee:
            return found
        names = Q(assignee__in=[name for name in self.assignee if name != NOBODY])
        nobody = Q(assignee=None) if NOBODY in self.assignee else Q(pk__in=[])
        return found.with_assignee().filter(names | nobody)


def _several(query: QueryDict, name: str) -> tuple[str, ...]:
    values = (value.replace("\0", "")[:MAX_CHARS] for value in query.getlist(name)[:MAX_VALUES])
    return tuple(dict.fromkeys(value for value in values if value))


def _one(query: QueryDict, name: str) -> str:
    return query.get(name, "").replace("\0", "")[:MAX_CHARS]


def _old_words(query: QueryDict) -> tuple[str, ...]:
    """``muted=1`` and ``since=new``, as used in links from earlier releases and the run page."""
    since = query.get("since", "")
    muted = (MUTED,) if query.get("muted") == "1" else ()
    return (*((since,) if since in Finding.Since.values else ()), *muted)
