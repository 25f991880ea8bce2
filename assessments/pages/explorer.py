"""Findings, recommendations and reports across a person's assessments, as the newest completed run
of each tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Count, Prefetch, Q

from assessments.agents import AGENTS
from assessments.listing import DISTINCT
from assessments.models import AssessmentRun, Finding, FindingQuerySet, Recommendation, Report
from tasks_ui.querysets import as_uuid

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
    from django.http import QueryDict

RUNS = 100
"""Assessments that are looked at, the newest first; the pages say so where there are more."""
PER_PAGE = 50


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What the address says; what is not understood counts as not said. ``status`` is a
    recommendation's."""

    assessment: UUID | None = None
    agent: str = ""
    severity: int | None = None
    status: str = Recommendation.Status.OPEN
    kind: str = ""
    q: str = ""
    muted: bool = False

    @classmethod
    def of(cls, query: QueryDict) -> Self:
        severity, agent, status = (
            query.get("severity", ""),
            query.get("agent", ""),
            query.get("status", ""),
        )
        kind = query.get("kind", "")
        return cls(
            assessment=as_uuid(query.get("assessment", "")),
            agent=agent if agent in AGENTS else "",
            severity=int(severity) if severity in {"0", "1", "2", "3", "4"} else None,
            status=status if status in Recommendation.Status.values else Recommendation.Status.OPEN,
            kind=kind if kind in Report.Kind.values else "",
            q=query.get("q", "").replace("\0", "").strip()[:100],
            muted=query.get("muted") == "1",
        )

    @property
    def are_set(self) -> bool:
        is_narrow = (
            self.severity is not None or self.muted or self.status != Recommendation.Status.OPEN
        )
        return is_narrow or bool(self.assessment or self.agent or self.kind or self.q)


def newest_runs(user: AbstractBaseUser | AnonymousUser) -> list[AssessmentRun]:
    """The newest completed run of each of the RUNS newest assessments of ``user``."""
    completed = (
        AssessmentRun.objects.visible_to(user)
        .filter(status=AssessmentRun.Status.COMPLETED)
        .select_related("assessment")
    )
    newest = completed.order_by("-assessment_id", "-number").distinct("assessment_id")
    return list(newest.only("number", "assessment__name")[:RUNS])


def findings_context(runs: Sequence[AssessmentRun], *, query: QueryDict) -> dict[str, Any]:
    """A page of the runs' findings, the most severe first, and counts by severity without that
    filter."""
    filters = Filters.of(query)
    found = _findings(runs, filters)
    counts: Mapping[int, int] = dict(
        found.order_by().values_list("severity").annotate(n=Count("pk"))
    )
    chosen = found if filters.severity is None else found.filter(severity=filters.severity)
    page = Paginator(
        chosen.select_related("run__assessment").defer("detail", *HEAVY), PER_PAGE
    ).get_page(query.get("page", ""))
    return {
        **_shared(runs, filters),
        "page": page,
        "counts": [(level, label, counts.get(level, 0)) for level, label in SEVERITIES],
        "total": sum(counts.values()),
        "muted_count": _findings(runs, filters, muted=True).count() if not filters.muted else 0,
    }


def recommendations_context(runs: Sequence[AssessmentRun], *, query: QueryDict) -> dict[str, Any]:
    """A page of what to do, by priority within its run, and counts by status."""
    filters = Filters.of(query)
    found = Recommendation.objects.filter(run__in=_chosen(runs, filters))
    if filters.agent:
        found = found.filter(agent=filters.agent)
    if filters.q:
        found = found.filter(title__icontains=filters.q)
    counts = dict(found.order_by().values_list("status").annotate(n=Count("pk")))
    placed = Finding.objects.only("file", "line_start", "resource", "severity")
    chosen = found.filter(status=filters.status).order_by("priority", "-run_id")
    chosen = (
        chosen.select_related("run__assessment")
        .defer(*HEAVY)
        .prefetch_related(Prefetch("findings", placed))
    )
    return {
        **_shared(runs, filters),
        "page": Paginator(chosen, PER_PAGE).get_page(query.get("page", "")),
        "statuses": [
            (value, label.capitalize(), counts.get(value, 0))
            for value, label in Recommendation.Status.choices
        ],
    }


def reports_context(user: AbstractBaseUser | AnonymousUser, *, query: QueryDict) -> dict[str, Any]:
    """A page of all reports that the user's runs have, the newest first."""
    filters = Filters.of(query)
    found = Report.objects.visible_to(user)
    if filters.kind:
        found = found.filter(kind=filters.kind)
    if filters.assessment:
        found = found.filter(run__assessment=filters.assessment)
    whole: Page[Report] = Paginator(
        found.select_related("run__assessment", "task").defer("content", *HEAVY), PER_PAGE
    ).get_page(query.get("page", ""))
    return {"filters": filters, "page": whole, "kinds": Report.Kind.choices}


HEAVY = (
    "run__resources",
    "run__coverage",
    "run__summary",
    "run__requirements",
    "run__assessment__requirements",
)
SEVERITIES = ((4, "Critical"), (3, "High"), (2, "Medium"), (1, "Low"), (0, "Info"))


def _findings(
    runs: Sequence[AssessmentRun], filters: Filters, *, muted: bool | None = None
) -> FindingQuerySet:
    of_agent = Q(agent=filters.agent) if filters.agent else DISTINCT
    found: FindingQuerySet = Finding.objects.filter(of_agent, run__in=_chosen(runs, filters))
    if filters.q:
        words = (
            Q(title__icontains=filters.q)
            | Q(file__icontains=filters.q)
            | Q(resource__icontains=filters.q)
        )
        found = found.filter(words | Q(rule__iexact=filters.q))
    return found.muted() if (filters.muted if muted is None else muted) else found.unmuted()


def _chosen(runs: Sequence[AssessmentRun], filters: Filters) -> list[UUID]:
    return [run.pk for run in runs if filters.assessment in {None, run.assessment_id}]


def _shared(runs: Sequence[AssessmentRun], filters: Filters) -> dict[str, Any]:
    return {
        "filters": filters,
        "runs": runs,
        "is_cut": len(runs) == RUNS,
        "agents": [(name, agent.label) for name, agent in AGENTS.items()],
    }
