"""Findings, recommendations and reports across a person's assessments, from the newest completed
run of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.contrib.postgres.aggregates import BoolOr
from django.core.paginator import Page, Paginator
from django.db.models import Case, Count, Exists, Max, OuterRef, QuerySet, Sum, When

from assessments.agents import AGENTS
from assessments.models import AssessmentRun, Recommendation, Report
from assessments.recommending import EFFORT_RANK
from tasks_ui.models.querysets import as_uuid

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
    from django.http import QueryDict

RUNS = 100
"""How many assessments are included, newest first; the pages say so if there are more."""
PER_PAGE = 50


@dataclass(frozen=True, kw_only=True)
class Filters:
    """The filters in the URL; anything not understood is ignored. ``status`` is a
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
    """One problem, with what each assessment recommends for it, worst first."""

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
        """The largest effort that any assessment needs, in words."""
        largest = max(self.items, key=lambda item: EFFORT_RANK[Recommendation.Effort(item.effort)])
        return str(largest.get_effort_display())

    @property
    def exposure(self) -> str:
        """Why the internet can reach one of its places; empty if it can reach none."""
        reasons = (item.impact.get("exposure") or [""] for item in self.items if item.is_exposed)
        return next((each[0] for each in reasons), "")

    @property
    def monthly_saving_usd(self) -> Decimal:
        return sum((item.monthly_saving_usd or Decimal(0) for item in self.items), Decimal(0))


def newest_runs(
    user: AbstractBaseUser | AnonymousUser, *, with_recommendations: bool = True
) -> list[AssessmentRun]:
    """The newest completed run of each of the RUNS newest assessments of ``user``; without
    recommendations, also one whose recommendations are still being written."""
    wanted = [AssessmentRun.Status.COMPLETED]
    if not with_recommendations:
        wanted.append(AssessmentRun.Status.RECOMMENDING)
    completed = (
        AssessmentRun.objects.visible_to(user)
        .filter(status__in=wanted)
        .select_related("assessment")
    )
    newest = completed.order_by("-assessment_id", "-number").distinct("assessment_id")
    return list(newest.only("number", "assessment__name")[:RUNS])


def recommendations_context(runs: Sequence[AssessmentRun], *, query: QueryDict) -> dict[str, Any]:
    """A page of problems over all assessments, in order of priority, and counts by status."""
    filters = Filters.of(query)
    found = _narrowed(Recommendation.objects.filter(run__in=_chosen(runs, filters)), filters)
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


BOARD_SHOWN = 30
"""Problems in one column of the board."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of the board; it contains ``count`` problems."""

    status: str
    label: str
    problems: list[Problem]
    count: int


def board_context(
    user: AbstractBaseUser | AnonymousUser, runs: Sequence[AssessmentRun], *, query: QueryDict
) -> dict[str, Any]:
    """Open, accepted and done problems side by side. What a later run verified stays under done,
    unless an even later one finds it again."""
    filters = Filters.of(query)
    newest = Recommendation.objects.filter(run__in=_chosen(runs, filters))
    again = newest.filter(run__assessment=OuterRef("run__assessment"), problem=OuterRef("problem"))
    verified = Recommendation.objects.visible_to(user).filter(
        ~Exists(again), verified_in__isnull=False, status=Recommendation.Status.DONE
    )
    if filters.assessment:
        verified = verified.filter(run__assessment=filters.assessment)
    status = Recommendation.Status
    done = newest.filter(status=status.DONE) | verified
    columns = [
        _column(status.OPEN, newest.filter(status=status.OPEN), filters),
        _column(status.ACCEPTED, newest.filter(status=status.ACCEPTED), filters),
        _column(status.DONE, done, filters),
    ]
    dismissed = _narrowed(newest.filter(status=status.DISMISSED), filters)
    return {
        **_shared(runs, filters),
        "columns": columns,
        "problems": columns[0].problems,
        "page": columns[0].problems,
        "dismissed": dismissed.values("problem").distinct().count(),
    }


def _column(
    status: Recommendation.Status, found: QuerySet[Recommendation], filters: Filters
) -> Column:
    found = _narrowed(found, filters)
    ranked = ranked_problems(found)
    keys = [row["problem"] for row in ranked[:BOARD_SHOWN]]
    return Column(
        status=status.value,
        label=str(status.label).capitalize(),
        problems=problems_of(keys, among=found),
        count=len(keys) if len(keys) < BOARD_SHOWN else ranked.count(),
    )


def _narrowed(found: QuerySet[Recommendation], filters: Filters) -> QuerySet[Recommendation]:
    if filters.agent:
        found = found.filter(agent=filters.agent)
    return found.filter(title__icontains=filters.q) if filters.q else found


def ranked_problems(found: QuerySet[Recommendation]) -> QuerySet[Recommendation, Any]:
    """The problems of ``found``, in the order of ``recommending``, each once however many
    assessments have it."""
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
    rows = (
        among.filter(problem__in=keys)
        .select_related("run__assessment", "verified_in")
        .defer("fix", "steps", "why", *HEAVY, *(f"verified_in__{name}" for name in HEAVY_RUN))
        .order_by("-severity", "-is_exposed", "-reach", "-run_id")
    )
    items: dict[str, list[Recommendation]] = defaultdict(list)
    for row in rows:
        items[row.problem].append(row)
    return [Problem(key=key, items=items[key]) for key in keys if items[key]]


def reports_context(user: AbstractBaseUser | AnonymousUser, *, query: QueryDict) -> dict[str, Any]:
    """A page of all reports of the user's runs, newest first."""
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


HEAVY_RUN = ("resources", "coverage", "summary", "requirements", "scopes", "attention")
HEAVY = (
    "run__resources",
    "run__coverage",
    "run__summary",
    "run__requirements",
    "run__assessment__requirements",
)


def _chosen(runs: Sequence[AssessmentRun], filters: Filters) -> list[UUID]:
    return [run.pk for run in runs if filters.assessment in {None, run.assessment_id}]


def _shared(runs: Sequence[AssessmentRun], filters: Filters) -> dict[str, Any]:
    return {
        "filters": filters,
        "runs": runs,
        "is_cut": len(runs) == RUNS,
        "agents": [(name, agent.label) for name, agent in AGENTS.items()],
    }
