"""All assessments of a person: scores, trend, open criticals, monthly cost, and what needs
attention; they can be renamed and tagged here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from assessments.agents import AGENTS
from assessments.forms import NameForm
from assessments.listing import run_path, severities_of
from assessments.models import AgentReport, Assessment, AssessmentRun, Finding
from assessments.pages.queries import changed
from assessments.pages.storage import usage
from assessments.pages.trends import LEAST, line_pieces
from assessments.services import describe
from tasks_ui.access.sign_in import SignedInRequest

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
    from django.http import QueryDict

PER_PAGE = 25
TREND_RUNS = 12
ORDERS = {
    "": ("Newest", "-id"),
    "name": ("Name", "name"),
    "size": ("Largest", "-stored_bytes"),
    "unused": ("Longest unused", "last_run_at"),
}
Status = AssessmentRun.Status


@dataclass(kw_only=True)
class Row:
    """One assessment. ``newest`` is its newest completed run, ``last`` its newest run of any
    status; ``trend`` is the number of findings by run, ``points`` the line that draws it."""

    assessment: Assessment
    last: AssessmentRun | None = None
    newest: AssessmentRun | None = None
    scores: list[tuple[str, int | None]] = field(default_factory=list)
    severities: Mapping[int, int] = field(default_factory=dict)
    cost: str = ""
    trend: list[int] = field(default_factory=list)

    @property
    def link(self) -> str:
        return run_path(self.last) if self.last else ""

    @property
    def attention(self) -> list[str]:
        """What needs attention, in words."""
        words = []
        if self.last and self.last.status == Status.FAILED:
            words.append(f"Run {self.last.number} failed.")
        words += [reason["message"] for reason in (self.newest.attention if self.newest else [])]
        return words[:3]

    @property
    def points(self) -> list[tuple[float, float, float, float]]:
        """Line segments, x1 y1 x2 y2 in percent of the drawing; empty before the third run."""
        return line_pieces(self.trend, top=max(self.trend)) if len(self.trend) >= LEAST else []


@login_required
@require_GET
def assessments(request: SignedInRequest) -> HttpResponse:
    return render(
        request, "assessments/assessments.html", context_of(request.user, query=request.GET)
    )


@login_required
@require_http_methods(["GET", "POST"])
def edit(request: SignedInRequest, assessment_id: UUID) -> HttpResponse:
    """Rename and tag an assessment."""
    found = get_object_or_404(Assessment.objects.visible_to(request.user), pk=assessment_id)
    form = NameForm(
        request.POST if request.method == "POST" else None,
        initial={"name": found.name, "tags": ", ".join(found.tags)},
    )
    if request.method == "POST" and form.is_valid():
        describe(found, name=form.cleaned_data["name"], tags=form.cleaned_data["tags"])
        messages.success(request, f"Saved {found.name}.")
        return redirect("assessments")
    status = 422 if form.errors else 200
    context = {"assessment": found, "form": form}
    return render(request, "assessments/edit.html", context, status=status)


def context_of(user: AbstractBaseUser | AnonymousUser, *, query: QueryDict) -> dict[str, Any]:
    order = query.get("order", "")
    order = order if order in ORDERS else ""
    mine = Assessment.objects.visible_to(user)
    tags = sorted(set(chain(*mine.exclude(tags=[]).values_list("tags", flat=True))))
    tag = query.get("tag", "").replace("\0", "")[:40]
    q = query.get("q", "").replace("\0", "").strip()[:100]
    found = _narrowed(mine, tag=tag, q=q)
    wanted = "1" if query.get("attention") == "1" else ""
    chosen = needing_attention(found) if wanted else found
    rows = chosen.annotate(last_run_at=Max("runs__created_at"), run_count=Count("runs"))
    page = Paginator(rows.order_by(ORDERS[order][1], "-id"), PER_PAGE).get_page(
        query.get("page", "")
    )
    return {
        "page": page,
        "rows": rows_of(list(page)),
        "order": order,
        "orders": [(name, label) for name, (label, _) in ORDERS.items()],
        "tags": [(each, changed(query, tag=None if each == tag else each)) for each in tags[:100]],
        "tag": tag,
        "q": q,
        "attention": wanted,
        "all_count": found.count(),
        "attention_count": needing_attention(found).count(),
        "are_set": bool(tag or q or wanted),
        "usage": usage(user.pk or 0),
        "retention_days": settings.ASSESSMENTS_RETENTION_DAYS,
    }


def needing_attention(found: QuerySet[Assessment]) -> QuerySet[Assessment]:
    """Those whose newest run failed, was incomplete, or has an unmuted critical finding."""
    runs = AssessmentRun.objects.filter(assessment=OuterRef("pk"))
    completed = runs.filter(status=Status.COMPLETED)
    newest = Subquery(completed.order_by("-number").values("pk")[:1])
    critical = Finding.objects.unmuted().filter(run=OuterRef("newest_run"), severity=4)
    partial = AssessmentRun.objects.filter(pk=OuterRef("newest_run")).exclude(attention=[])
    return found.annotate(
        newest_run=newest,
        last_status=Subquery(runs.order_by("-number").values("status")[:1]),
    ).filter(Q(last_status=Status.FAILED) | Exists(critical) | Exists(partial))


def rows_of(found: Sequence[Assessment]) -> list[Row]:
    """What the page shows of each, in a fixed number of queries."""
    rows = {each.pk: Row(assessment=each) for each in found}
    runs = AssessmentRun.objects.filter(assessment__in=rows).defer(*HEAVY)
    newest_first = runs.order_by("assessment_id", "-number").distinct("assessment_id")
    for run in newest_first:
        rows[run.assessment_id].last = run
    for run in newest_first.filter(status=Status.COMPLETED):
        row = rows[run.assessment_id]
        row.newest, scores = run, run.summary.get("scores", {})
        row.scores = [(AGENTS[name].label, scores.get(name)) for name in AGENTS if name in scores]
    by_run = {row.newest.pk: row for row in rows.values() if row.newest}
    for pk, counts in severities_of(list(by_run)).items():
        by_run[pk].severities = counts
    for pk, words in _costs(list(by_run)).items():
        by_run[pk].cost = words
    for assessment, trend in _trends(list(rows)).items():
        rows[assessment].trend = trend
    return list(rows.values())


def _narrowed(mine: QuerySet[Assessment], *, tag: str, q: str) -> QuerySet[Assessment]:
    found = mine.filter(tags__contains=[tag]) if tag else mine
    return found.filter(name__icontains=q) if q else found


def _costs(run_ids: Sequence[UUID]) -> dict[UUID, str]:
    """USD a month in words, by run: "at least" if something has no price."""
    found = {}
    reports = AgentReport.objects.filter(run__in=run_ids, agent="cost")
    for run_id, figures in reports.values_list("run", "figures"):
        values = {figure["key"]: figure["value"] for figure in figures}
        if "monthly_cost" in values:
            least = "at least " if values.get("unpriced") else ""
            found[run_id] = f"{least}{float(values['monthly_cost']):,.0f}"
    return found


def _trends(assessments: Sequence[UUID]) -> dict[UUID, list[int]]:
    """The number of findings of the newest completed runs, oldest first."""
    place = Window(RowNumber(), partition_by=F("assessment"), order_by=F("number").desc())
    runs = (
        AssessmentRun.objects.filter(assessment__in=assessments, status=Status.COMPLETED)
        .annotate(place=place)
        .filter(place__lte=TREND_RUNS)
        .order_by("number")
        .values_list("assessment", "summary__severities")
    )
    trends: dict[UUID, list[int]] = defaultdict(list)
    for assessment, counts in runs:
        trends[assessment].append(sum((counts or {}).values()))
    return trends


HEAVY = ("resources", "coverage", "requirements", "scopes")
