"""Pages of assessments: create one, watch a run, read what it found."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from assessments.agents import AGENTS
from assessments.fixing import fix_of
from assessments.forms import READINESS, NewAssessmentForm, RequirementsForm, assessment_of
from assessments.listing import run_path
from assessments.models import (
    Assessment,
    AssessmentRun,
    Finding,
    FindingMute,
    Recommendation,
    Report,
    Version,
)
from assessments.muting import MuteError, mute_finding, unmute_finding
from assessments.pages import explorer, map_page, run_page
from assessments.pages.snippet import snippet_of
from assessments.quotas import QuotaError
from assessments.reports import CONTENT_TYPES
from assessments.scan.intake import UploadError
from assessments.services import (
    SAMPLE_NAME,
    UnknownScopeError,
    analyze_upload,
    create_sample,
    request_report,
    run_again,
    start_analysis,
    state_requirements,
)
from tasks_ui.access.audit import Event, record
from tasks_ui.access.sign_in import SignedInRequest
from tasks_ui.kinds import CannotRunAgainError
from tasks_ui.models import TaskRun
from tasks_ui.pages.views import back

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MUTE_DAYS = {"7", "30", "90", "365"}
FORM_OVERHEAD_BYTES = 4 * 1024 * 1024
"""Allowance for the form besides its files: their names, the part headers, the other fields."""


@csrf_exempt  # checked in _new_assessment, after the size: the check reads the body
@login_required
@require_http_methods(["GET", "POST"])
def new_assessment(request: SignedInRequest) -> HttpResponseBase:
    is_too_large = (
        int(request.META.get("CONTENT_LENGTH") or 0)
        > settings.UPLOAD_MAX_BYTES + FORM_OVERHEAD_BYTES
    )
    if request.method == "POST" and is_too_large:
        return _form_page(
            request, NewAssessmentForm(initial={"key": uuid4()}), refusal=too_large(), status=413
        )
    return _new_assessment(request)


@csrf_protect
def _new_assessment(request: SignedInRequest) -> HttpResponseBase:
    if request.method == "GET":
        return _form_page(request, NewAssessmentForm(initial={"key": uuid4()}))
    form = NewAssessmentForm(request.POST, request.FILES)
    if not form.is_valid():
        return _form_page(request, form, status=422)
    key = form.cleaned_data["key"]
    sent_before = (
        TaskRun.objects.visible_to(request.user).filter(idempotency_key=key).first()
        if key
        else None
    )
    if sent_before:
        return redirect("task_page", sent_before.pk)
    existing = form.existing(request.user)
    if form.errors:
        return _form_page(request, form, status=422)
    try:
        task = _start(form, existing, by=request.user)
    except UploadError as error:
        return _form_page(request, form, refusal=error, status=422)
    except QuotaError as error:
        return _form_page(request, form, refusal=error, status=error.status)
    return redirect("task_page", task.pk)


@login_required
@require_POST
def try_sample(request: SignedInRequest) -> HttpResponseBase:
    untouched = (
        Assessment.objects.visible_to(request.user).filter(name=SAMPLE_NAME, runs=None).first()
    )
    try:
        with transaction.atomic():
            sample = untouched or create_sample(owner=request.user)
            task = start_analysis(sample, by=request.user)
    except QuotaError as error:
        form = NewAssessmentForm(initial={"key": uuid4()})
        return _form_page(request, form, refusal=error, status=error.status)
    return redirect("task_page", task.pk)


@login_required
@require_GET
def task_page(request: SignedInRequest, task_id: UUID) -> HttpResponseBase:
    """Redirects from a task to the page of the run that it works for."""
    run = get_object_or_404(_runs(request), task=task_id)
    return redirect("run", run.assessment_id, run.number)


@login_required
@require_GET
def assessment(request: SignedInRequest, assessment_id: UUID) -> HttpResponseBase:
    """Redirects to the newest run."""
    run = _runs(request).filter(assessment=assessment_id).first()
    if run is None:
        found = get_object_or_404(Assessment.objects.visible_to(request.user), pk=assessment_id)
        return redirect("requirements", found.pk)
    return redirect("run", run.assessment_id, run.number)


@login_required
@require_GET
def run(request: SignedInRequest, assessment_id: UUID, number: int) -> HttpResponseBase:
    found = get_object_or_404(_runs(request), assessment=assessment_id, number=number)
    return render(request, "assessments/run.html", run_page.context_of(found, query=request.GET))


@login_required
@require_GET
def run_map(request: SignedInRequest, assessment_id: UUID, number: int) -> HttpResponseBase:
    """The run's resources as a diagram and as a table."""
    found = get_object_or_404(_runs(request), assessment=assessment_id, number=number)
    return render(request, "assessments/map.html", map_page.context_of(found, query=request.GET))


@login_required
@require_GET
def run_map_svg(request: SignedInRequest, assessment_id: UUID, number: int) -> HttpResponseBase:
    """The diagram as a file. It is never displayed inside the site: it contains uploaded text."""
    found = get_object_or_404(_runs(request), assessment=assessment_id, number=number)
    content = map_page.svg_file(found, query=request.GET)
    if content is None:
        raise Http404
    return HttpResponse(
        content,
        content_type="image/svg+xml",
        headers={
            "Content-Disposition": f'attachment; filename="map-run-{found.number}.svg"',
            "X-Content-Type-Options": "nosniff",
        },
    )


@login_required
@require_POST
def analyze(request: SignedInRequest, assessment_id: UUID) -> HttpResponseBase:
    """Run the assessment again, with its current files and requirements; with ``only=failed``, only
    the failed agents."""
    found = get_object_or_404(Assessment.objects.visible_to(request.user), pk=assessment_id)
    last = found.runs.select_related("task").first()
    if request.POST.get("only") == "failed" and last and last.task:
        return _complete(request, last.task)
    try:
        task = start_analysis(found, by=request.user, again_of=last.task if last else None)
    except QuotaError as error:
        messages.error(request, error.message)
        return redirect("assessment", found.pk)
    return redirect("task_page", task.pk)


@login_required
@require_http_methods(["GET", "POST"])
def requirements(request: SignedInRequest, assessment_id: UUID) -> HttpResponseBase:
    """Add to what is known about the workload, and run again."""
    found = get_object_or_404(Assessment.objects.visible_to(request.user), pk=assessment_id)
    if request.method == "GET":
        return _requirements_page(request, found, RequirementsForm.of(found.stated))
    form = RequirementsForm(request.POST)
    if not form.is_valid():
        return _requirements_page(request, found, form, status=422)
    last = found.runs.select_related("task").first()
    try:
        with transaction.atomic():
            kept = {"usage": found.stated.usage}
            state_requirements(found, requirements=form.requirements.model_copy(update=kept))
            task = start_analysis(found, by=request.user, again_of=last.task if last else None)
    except QuotaError as error:
        return _requirements_page(request, found, form, refusal=error, status=error.status)
    return redirect("task_page", task.pk)


@login_required
@require_GET
def finding(request: SignedInRequest, finding_id: UUID) -> HttpResponseBase:
    """A finding's own page; for the list, just its body."""
    visible = Finding.objects.visible_to(request.user).select_related("run__assessment", "report")
    found = get_object_or_404(visible, pk=finding_id)
    is_part = request.headers.get("HX-Request") == "true"
    template = "assessments/_finding_body.html" if is_part else "assessments/finding.html"
    mute = FindingMute.objects.in_force().filter(
        assessment=found.run.assessment_id, fingerprint=found.fingerprint
    )
    here = request.htmx.current_url_abs_path if is_part else request.get_full_path()
    context = {
        "finding": found,
        "run": found.run,
        "with_link": is_part,
        "mute": mute.select_related("by").first(),
        "fix": fix_of(found),
        "snippet": snippet_of(found),
    }
    return render(request, template, {**context, "here": here or ""})


@login_required
@require_POST
def mute(request: SignedInRequest, finding_id: UUID) -> HttpResponseBase:
    """Accept a finding in all runs of its assessment, permanently or for ``days``."""
    visible = Finding.objects.visible_to(request.user).select_related("run__assessment")
    found = get_object_or_404(visible, pk=finding_id)
    days = request.POST.get("days", "")
    until = timezone.now() + timedelta(days=int(days)) if days in MUTE_DAYS else None
    try:
        mute_finding(
            found, by=request.user, reason=request.POST.get("reason", ""), expires_at=until
        )
    except MuteError as error:
        messages.error(request, f"Not muted. {error}")
    else:
        messages.success(
            request,
            f"Muted: {found.title}. Scores still count it; counts and recommendations don't.",
        )
    return back(request, otherwise=reverse("finding", args=[found.pk]))


@login_required
@require_POST
def unmute(request: SignedInRequest, finding_id: UUID) -> HttpResponseBase:
    visible = Finding.objects.visible_to(request.user).select_related("run__assessment")
    found = get_object_or_404(visible, pk=finding_id)
    unmute_finding(found.run.assessment, fingerprint=found.fingerprint)
    return back(request, otherwise=reverse("finding", args=[found.pk]))


@login_required
@require_GET
def recommendations(request: SignedInRequest) -> HttpResponseBase:
    """As a board, or with a status as the list of recommendations with that status."""
    runs = explorer.newest_runs(request.user)
    if "status" in request.GET:
        context = explorer.recommendations_context(runs, query=request.GET)
        return render(request, "assessments/recommendations.html", context)
    context = explorer.board_context(request.user, runs, query=request.GET)
    return render(request, "assessments/board.html", context)


@login_required
@require_GET
def reports(request: SignedInRequest) -> HttpResponseBase:
    return render(
        request,
        "assessments/reports.html",
        explorer.reports_context(request.user, query=request.GET),
    )


@login_required
@require_GET
def recommendation(request: SignedInRequest, recommendation_id: UUID) -> HttpResponseBase:
    """A recommendation's own page; for lists, just its body."""
    visible = Recommendation.objects.visible_to(request.user).select_related("run__assessment")
    found = get_object_or_404(visible, pk=recommendation_id)
    is_part = request.headers.get("HX-Request") == "true"
    name = "_recommendation_body" if is_part else "recommendation"
    here = request.htmx.current_url_abs_path if is_part else request.get_full_path()
    return render(request, f"assessments/{name}.html", {"item": found, "here": here or ""})


@login_required
@require_GET
def answer(
    request: SignedInRequest, assessment_id: UUID, number: int, agent: str
) -> HttpResponseBase:
    """An agent's figures and tables, each with its source."""
    run = get_object_or_404(_runs(request), assessment=assessment_id, number=number)
    report = get_object_or_404(run.reports, agent=agent)
    is_part = request.headers.get("HX-Request") == "true"
    name = "_answer" if is_part else "answer"
    label = AGENTS[agent].label if agent in AGENTS else agent
    context = {"run": run, "report": report, "label": label, "tab": "answer"}
    return render(request, f"assessments/{name}.html", context)


@login_required
@require_POST
def decide(request: SignedInRequest, recommendation_id: UUID) -> HttpResponseBase:
    """Set a recommendation's status: what the person decided about it."""
    visible = Recommendation.objects.visible_to(request.user)
    found = get_object_or_404(visible, pk=recommendation_id)
    status = request.POST.get("status", "")
    if status not in Recommendation.Status.values:
        raise Http404
    visible.filter(pk=found.pk).update(status=status)
    return back(request, otherwise=reverse("recommendations"))


@login_required
@require_POST
def make_report(request: SignedInRequest, assessment_id: UUID, number: int) -> HttpResponseBase:
    found = get_object_or_404(_runs(request), assessment=assessment_id, number=number)
    kind, format = request.POST.get("kind", Report.Kind.TECHNICAL), request.POST.get("format", "")
    if kind not in Report.Kind.values or format not in Report.Format.values:
        raise Http404
    try:
        scope = request.POST.get("scope", "")
        request_report(found, by=request.user, kind=kind, format=format, scope=scope)
    except UnknownScopeError as error:
        raise Http404 from error
    except QuotaError as error:
        messages.error(request, error.message)
        return redirect("run", found.assessment_id, found.number)
    return redirect(f"{run_path(found)}#reports")


@login_required
@require_GET
def download_report(request: SignedInRequest, report_id: UUID) -> HttpResponseBase:
    """The document as a file. It is never displayed inside the site: it contains uploaded text."""
    visible = Report.objects.visible_to(request.user).filter(content__isnull=False)
    report = get_object_or_404(visible.select_related("run__assessment"), pk=report_id)
    record(Event.DOWNLOADED, request=request, about=report.without_names)
    return HttpResponse(
        bytes(report.content or b""),
        content_type=CONTENT_TYPES[Report.Format(report.format)],
        headers={
            "Content-Disposition": f'attachment; filename="{report.file_name}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


def _start(form: NewAssessmentForm, existing: Assessment | None, *, by: User) -> TaskRun:
    """A run of a new assessment, or of a new version of ``existing``."""
    key = str(form.cleaned_data["key"] or uuid4())
    if existing:
        return analyze_upload(
            owner=by,
            name=existing.name,
            requirements=form.requirements,
            change=form.change(),
            assessment=existing,
            idempotency_key=key,
            source=Version.Source.UPLOAD,
        )
    with transaction.atomic():  # never an assessment without a run
        return start_analysis(assessment_of(form, owner=by), by=by, idempotency_key=key)


def _complete(request: SignedInRequest, task: TaskRun) -> HttpResponseBase:
    try:
        again = run_again(task, by=request.user, only_failed=True)
    except (CannotRunAgainError, QuotaError) as error:
        messages.error(request, str(error))
        return redirect("task_page", task.pk)
    return redirect("task_page", again.pk)


def _runs(request: SignedInRequest) -> QuerySet[AssessmentRun]:
    visible = AssessmentRun.objects.visible_to(request.user)
    return visible.select_related("assessment", "task", "version").defer("resources")


def _form_page(
    request: SignedInRequest,
    form: NewAssessmentForm,
    *,
    refusal: UploadError | QuotaError | None = None,
    status: int = 200,
) -> HttpResponse:
    limits = {"bytes": settings.UPLOAD_MAX_BYTES, "files": settings.UPLOAD_MAX_FILES}
    context = {"form": form, "refusal": refusal, "limits": limits, "readiness": READINESS}
    return render(request, "assessments/new.html", context, status=status)


def _requirements_page(
    request: SignedInRequest,
    found: Assessment,
    form: RequirementsForm,
    *,
    refusal: QuotaError | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {"assessment": found, "form": form, "refusal": refusal}
    return render(request, "assessments/requirements.html", context, status=status)


def too_large() -> UploadError:
    return UploadError(
        f"The upload is larger than {settings.UPLOAD_MAX_BYTES // 1024**2} MB. Leave out what is"
        " not code."
    )
