"""Findings, recommendations and reports across a person's assessments, as the newest completed run
of each tells."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.contrib.postgres.aggregates import BoolOr
from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, Max, Prefetch, Q, QuerySet, Sum, When

from assessments.agents import AGENTS
from assessments.listing import DISTINCT
from assessments.models import AssessmentRun, Finding, FindingQuerySet, Recommendation, Report
from assessments.recommending import EFFORT_RANK
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


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One problem, with what each assessment recommends about it, the worst first."""

    key: str
    items: list[Recommendation]

    def __str__(self) -> str:
        return self.items[0].title

    @property
    def severities(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for item in self.items:
            counts.update(item.impact.get("severities", {}))
        return dict(counts)

    @property
    def effort(self) -> str:
        """The largest that an assessment needs, in words."""
        largest = max(self.items, key=lambda item: EFFORT_RANK[Recommendation.Effort(item.effort)])
        return str(largest.get_effort_display())

    @property
    def exposure(self) -> str:
        """Why the internet reaches a place of it; empty where it reaches none."""
        reasons = (item.impact.get("exposure") or [""] for item in self.items if item.is_exposed)
        return next((each[0] for each in reasons), "")

    @property
    def monthly_saving_usd(self) -> Decimal:
        return sum((item.monthly_saving_usd or Decimal(0) for item in self.items), Decimal(0))


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
    """A page of problems over all assessments, in the order to solve them, and counts by
    status."""
    filters = Filters.of(query)
    found = Recommendation.objects.filter(run__in=_chosen(runs, filters))
    if filters.agent:
        found = found.filter(agent=filters.agent)
    if filters.q:
        found = found.filter(title__icontains=filters.q)
    counts = dict(found.order_by().values_list("status").annotate(n=Count("pk")))
    chosen = found.filter(status=filters.status)
    page = Paginator(ranked_problems(chosen), PER_PAGE).get_page(query.get("page", ""))
    return {
        **_shared(runs, filters),
        "page": page,
        "problems": problems_of([row["problem"] for row in page], among=chosen),
        "statuses": [
            (value, label.capitalize(), counts.get(value, 0))
            for value, label in Recommendation.Status.choices
        ],
    }


def ranked_problems(found: QuerySet[Recommendation]) -> QuerySet[Recommendation, Any]:
    """The problems of ``found``, in the order of ``recommending``, each once whatever number of
    assessments has it."""
    rank = Case(
        *(When(effort=effort, then=rank) for effort, rank in EFFORT_RANK.items()), default=1
    )
    return (
        found.order_by()
        .values("problem")
        .annotate(
            worst=Max("severity"),
            exposed=BoolOr("is_exposed"),
            places=Sum("reach"),
            ease=Max(rank),
            saving=Sum("monthly_saving_usd", default=Decimal(0)),
        )
        .order_by("-worst", "-exposed", "-places", "ease", "-saving", "problem")
    )


def problems_of(keys: Sequence[str], *, among: QuerySet[Recommendation]) -> list[Problem]:
    placed = Finding.objects.only("file", "line_start", "resource", "severity")
    rows = (
        among.filter(problem__in=keys)
        .select_related("run__assessment")
        .defer(*HEAVY)
        .prefetch_related(Prefetch("findings", placed))
        .order_by("-severity", "-is_exposed", "-reach", "-run_id")
    )
    items: dict[str, list[Recommendation]] = defaultdict(list)
    for row in rows:
        items[row.problem].append(row)
    return [Problem(key=key, items=items[key]) for key in keys if items[key]]


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
