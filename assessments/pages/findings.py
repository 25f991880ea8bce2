"""The findings of a run, or of the newest run of each assessment: filtered, grouped, changed in
bulk, exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from assessments.assigning import AssignError, assign_findings
from assessments.models import AssessmentRun, Finding, FindingQuerySet
from assessments.muting import BULK_MAX, MuteError, TooManyError, mute_findings
from assessments.pages.explorer import newest_runs
from assessments.pages.facets import counted
from assessments.pages.finding_filters import GROUPS, FindingFilters
from assessments.pages.finding_groups import group_of, grouped
from assessments.pages.queries import changed
from assessments.pages.scopes import label_findings, scope_labels
from assessments.reports.finding_export import EXPORTED_MAX, FORMATS
from tasks_ui.access.audit import Event, record
from tasks_ui.access.sign_in import SignedInRequest
from tasks_ui.models.querysets import as_uuid
from tasks_ui.pages.views import back
from tasks_ui.runs import wording

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

PER_PAGE = 50
EXACT = {"problem": "Problem", "resource": "Resource", "file": "File", "rule": "Rule"}
"""Single-value filters, set by links from groups and other pages."""
MUTE_DAYS = {"7", "30", "90", "365"}


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where findings come from: one run, or the newest completed run of each assessment. ``scopes``
    gives the labels of scopes, empty if the pages do not show them."""

    runs: Sequence[AssessmentRun]
    run: AssessmentRun | None
    scopes: Mapping[str, str]

    @property
    def findings(self) -> FindingQuerySet:
        if self.run:
            return Finding.objects.filter(run=self.run.pk)
        return Finding.objects.filter(run__in=[run.pk for run in self.runs])


def of_run(run: AssessmentRun) -> Source:
    return Source(runs=[run], run=run, scopes=scope_labels(run))


def of_newest_runs(user: AbstractBaseUser | AnonymousUser) -> Source:
    return Source(runs=newest_runs(user, with_recommendations=False), run=None, scopes={})


@login_required
@require_GET
def findings(request: SignedInRequest) -> HttpResponseBase:
    context = context_of(of_newest_runs(request.user), query=request.GET)
    return render(request, "assessments/findings.html", context)


@login_required
@require_GET
def run_findings(request: SignedInRequest, assessment_id: UUID, number: int) -> HttpResponseBase:
    run = get_object_or_404(_runs(request), assessment=assessment_id, number=number)
    context = context_of(of_run(run), query=request.GET)
    return render(request, "assessments/run_findings.html", {**context, "tab": "findings"})


@login_required
@require_GET
def export(request: SignedInRequest, format: str) -> HttpResponseBase:
    """The findings of the current filter as a file; ``run`` names the run."""
    if format not in FORMATS:
        raise Http404
    source = _source_of(request, request.GET.get("run", ""))
    found = FindingFilters.of(request.GET).narrow(source.findings).with_assignee()
    rows = found.select_related("run__assessment").defer(*HEAVY)[:EXPORTED_MAX]
    name = f"{source.run}-findings".replace(" ", "-") if source.run else "findings"
    safe = "".join(c for c in name if c.isascii() and (c.isalnum() or c in "-_"))
    record(Event.DOWNLOADED, request=request, about=f"findings as {format}")
    return HttpResponse(
        "".join(FORMATS[format].write(rows.iterator(chunk_size=500))),
        content_type=FORMATS[format].content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{safe}.{format}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


@login_required
@require_POST
def change(request: SignedInRequest) -> HttpResponseBase:
    """Mute or assign the chosen findings, or with ``all`` those of the filter in ``query``."""
    found = _chosen(request)
    try:
        words = _change(request, found)
    except (MuteError, AssignError, TooManyError) as error:
        messages.error(request, f"Nothing was changed. {error}")
    else:
        messages.success(request, words)
    return back(request, otherwise="findings")


def context_of(source: Source, *, query: QueryDict) -> dict[str, Any]:
    """A page of findings, or of groups of them, with the filters and their counts."""
    filters = FindingFilters.of(query)
    count = counted(source.findings, filters, runs=source.runs, scopes=source.scopes, query=query)
    found = filters.narrow(source.findings)
    page = (
        _group_page(found, filters.group, source, query)
        if filters.group
        else _finding_page(found, source, total=count.total, number=query.get("page", ""))
    )
    return {
        "run": source.run,
        "runs": source.runs,
        "filters": filters,
        "count": count,
        "page": page,
        "groups": [
            ("", "Not grouped", changed(query, group=None)),
            *((key, label, changed(query, group=key)) for key, label in _groups(source)),
        ],
        "kept": [
            (name, value)
            for name, values in query.lists()
            if name not in {"q", "page"}
            for value in values
        ],
        "exact": [
            (label, value, changed(query, **{name: None}))
            for name, label in EXACT.items()
            if (value := getattr(filters, name))
        ],
        "exposed_query": changed(query, exposed=None if filters.exposed else "1"),
        "plain_query": changed(query)[1:],
        "bulk_max": BULK_MAX,
        "exported_max": EXPORTED_MAX,
    }


def _groups(source: Source) -> list[tuple[str, str]]:
    return [(key, label) for key, label in GROUPS.items() if key != "scope" or source.scopes]


def _finding_page(
    found: FindingQuerySet, source: Source, *, total: int, number: str
) -> Page[Finding]:
    rows = found.with_assignee().select_related("run__assessment").defer("detail", *HEAVY)
    paginator = Paginator(rows, PER_PAGE)
    paginator.count = total  # already counted by the facets
    page = paginator.get_page(number)
    label_findings(page, source.scopes)
    return page


def _group_page(found: FindingQuerySet, by: str, source: Source, query: QueryDict) -> Page[Any]:
    page: Page[Any] = Paginator(grouped(found, by), PER_PAGE).get_page(query.get("page", ""))
    page.object_list = [
        group_of(row, by, scopes=source.scopes, query=query) for row in page.object_list
    ]
    return page


def _chosen(request: SignedInRequest) -> FindingQuerySet:
    if request.POST.get("all") != "1":
        values = request.POST.getlist("finding")[:BULK_MAX]
        picked = {key for value in values if (key := as_uuid(value))}
        return Finding.objects.visible_to(request.user).filter(pk__in=picked)
    source = _source_of(request, request.POST.get("run", ""))
    return FindingFilters.of(QueryDict(request.POST.get("query", ""))).narrow(source.findings)


def _change(request: SignedInRequest, found: FindingQuerySet) -> str:
    """What was done, in words."""
    if request.POST.get("act") == "assign":
        assignee = request.POST.get("assignee", "")
        count = assign_findings(found, by=request.user, assignee=assignee)
        words = wording.plural(count, "finding")
        return f"{words} assigned to {' '.join(assignee.split()) or 'nobody'}."
    days = request.POST.get("days", "")
    until = timezone.now() + timedelta(days=int(days)) if days in MUTE_DAYS else None
    reason = request.POST.get("reason", "")
    count = mute_findings(found, by=request.user, reason=reason, expires_at=until)
    return f"{wording.plural(count, 'finding')} muted. Scores still count them; counts don't."


def _source_of(request: SignedInRequest, run_id: str) -> Source:
    if not run_id:
        return of_newest_runs(request.user)
    return of_run(get_object_or_404(_runs(request), pk=as_uuid(run_id)))


def _runs(request: SignedInRequest) -> Any:
    visible = AssessmentRun.objects.visible_to(request.user)
    return visible.select_related("assessment", "task").defer("resources", "coverage")


HEAVY = (
    "run__resources",
    "run__coverage",
    "run__summary",
    "run__requirements",
    "run__scopes",
    "run__attention",
    "run__assessment__requirements",
)
