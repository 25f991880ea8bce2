"""A run's findings, by page and by filter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.paginator import Page, Paginator
from django.db.models import Count, F, Q, Window
from django.db.models.functions import RowNumber

from assessments.agents import AGENTS
from assessments.listing import DISTINCT
from assessments.models import AssessmentRun, Finding
from assessments.pages.scopes import label_findings, scope_labels

if TYPE_CHECKING:
    from django.http import QueryDict

    from tasks_ui.models import TaskRun


FINDINGS_PER_PAGE = 25
SHOWN_PER_AGENT = 5
WORST_FIRST = ("-severity", "file", "line_start", "rule", "fingerprint")


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


@dataclass(frozen=True, kw_only=True)
class AgentSoFar:
    """An agent that has finished: how many findings it has, and the most severe of them."""

    agent: str
    label: str
    count: int
    findings: list[Finding]


def found_so_far(
    run: AssessmentRun,
    children: Sequence[TaskRun],
    by_agent: Mapping[str, Mapping[int, int]],
) -> list[AgentSoFar]:
    """What each agent of a running run has found, in the order in which they finished: later
    results are added below, and nothing on the page moves."""
    ended = {child.subject_id: child.finished_at for child in children if child.finished_at}
    rank = Window(RowNumber(), partition_by=F("agent"), order_by=WORST_FIRST)
    worst = run.findings.filter(DISTINCT).unmuted().defer("detail").annotate(rank=rank)
    rows: dict[str, list[Finding]] = defaultdict(list)
    for finding in worst.filter(rank__lte=SHOWN_PER_AGENT).select_related("report"):
        rows[finding.agent].append(finding)
    label_findings([finding for found in rows.values() for finding in found], scope_labels(run))
    since = max(ended.values(), default=run.created_at)
    in_order = sorted(rows, key=lambda agent: ended.get(rows[agent][0].report_id) or since)
    return [
        AgentSoFar(
            agent=agent,
            label=AGENTS[agent].label,
            count=sum(by_agent.get(agent, {}).values()),
            findings=rows[agent],
        )
        for agent in in_order
        if agent in AGENTS
    ]


def severities_by_agent(run: AssessmentRun) -> dict[str, dict[int, int]]:
    counts: dict[str, dict[int, int]] = {}
    rows = (
        run.findings.unmuted().order_by().values_list("agent", "severity").annotate(n=Count("pk"))
    )
    for agent, severity, count in rows:
        counts.setdefault(agent, {})[severity] = count
    return counts
