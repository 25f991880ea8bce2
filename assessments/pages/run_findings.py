"""A run's findings, by page and by filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q

from assessments.agents import AGENTS
from assessments.listing import DISTINCT
from assessments.models import AssessmentRun, Finding
from assessments.pages.scopes import label_findings, scope_labels

if TYPE_CHECKING:
    from django.http import QueryDict


FINDINGS_PER_PAGE = 25


@dataclass(frozen=True, kw_only=True)
class FindingFilters:
    severity: int | None = None
    agent: str = ""
    since: str = ""
    scope: str | None = None
    muted: bool = False

    @classmethod
    def of(cls, query: QueryDict) -> FindingFilters:
        severity, agent, since = (
            query.get("severity", ""),
            query.get("agent", ""),
            query.get("since", ""),
        )
        return cls(
            severity=int(severity) if severity in {"0", "1", "2", "3", "4"} else None,
            agent=agent if agent in AGENTS else "",
            since=since if since in Finding.Since.values else "",
            scope=query.get("scope"),
            muted=query.get("muted") == "1",
        )

    @property
    def are_set(self) -> bool:
        return (
            self.severity is not None
            or self.muted
            or bool(self.agent or self.since or self.scope is not None)
        )

    @property
    def condition(self) -> Q:
        condition = Q(agent=self.agent) if self.agent else DISTINCT
        if self.severity is not None:
            condition &= Q(severity=self.severity)
        if self.scope is not None:
            condition &= Q(scope=self.scope)
        return condition & Q(since=self.since) if self.since else condition


def findings_page(run: AssessmentRun, filters: FindingFilters, *, page: str) -> Page[Finding]:
    chosen = run.findings.filter(filters.condition).defer("detail")
    chosen = chosen.muted() if filters.muted else chosen.unmuted()
    found = Paginator(chosen, FINDINGS_PER_PAGE).get_page(page)
    label_findings(found, scope_labels(run))
    return found


def severities_by_agent(run: AssessmentRun) -> dict[str, dict[int, int]]:
    counts: dict[str, dict[int, int]] = {}
    rows = (
        run.findings.unmuted().order_by().values_list("agent", "severity").annotate(n=Count("pk"))
    )
    for agent, severity, count in rows:
        counts.setdefault(agent, {})[severity] = count
    return counts
