"""What a person has stored, and deleting it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from assessments import quotas
from assessments.models import Assessment, Finding, Recommendation, Report, VersionFile
from assessments.services import delete_assessment, tasks_about
from assessments.services import delete_report as delete_one_report
from tasks_ui.access.audit import Event, record
from tasks_ui.access.sign_in import SignedInRequest
from tasks_ui.pages.palette import FOUND_MAX
from tasks_ui.pages.views import back


@login_required
@require_GET
def find(request: SignedInRequest) -> JsonResponse:
    """The newest assessments, or those whose name contains ``q``, for the command palette."""
    found = Assessment.objects.visible_to(request.user).order_by("-id")
    if words := request.GET.get("q", "").replace("\0", "").strip()[:100]:
        found = found.filter(name__icontains=words)
    items = [
        {"label": name, "note": "Assessment", "href": reverse("assessment", args=[pk])}
        for pk, name in found.values_list("pk", "name")[:FOUND_MAX]
    ]
    return JsonResponse({"items": items})


@login_required
@require_http_methods(["GET", "POST"])
def delete(request: SignedInRequest, assessment_id: UUID) -> HttpResponse:
    """Show what will be deleted along with an assessment; on POST delete it."""
    found = get_object_or_404(Assessment.objects.visible_to(request.user), pk=assessment_id)
    if request.method == "POST":
        delete_assessment(found, by=request.user)
        record(Event.DELETED, request=request, about=f"assessment {assessment_id}")
        messages.success(request, f"Deleted {found.name}.")
        return redirect("assessments")
    context = {
        "assessment": found,
        "parts": parts(found),
        "active": tasks_about(found).active().count(),
    }
    return render(request, "assessments/delete.html", context)


@login_required
@require_POST
def delete_report(request: SignedInRequest, report_id: UUID) -> HttpResponseBase:
    visible = Report.objects.visible_to(request.user).select_related("run__assessment")
    found = get_object_or_404(visible.defer("content"), pk=report_id)
    delete_one_report(found, by=request.user)
    record(Event.DELETED, request=request, about=found.without_names)
    messages.success(request, "Deleted the report.")
    return back(request, otherwise=reverse("reports"))


def parts(assessment: Assessment) -> list[tuple[int, str]]:
    """What is deleted with the assessment: how many of each."""
    of_runs: dict[str, Any] = {"run__assessment": assessment}
    return [
        (assessment.versions.count(), "version"),
        (VersionFile.objects.filter(version__assessment=assessment).count(), "file"),
        (assessment.runs.count(), "run"),
        (Finding.objects.filter(**of_runs).count(), "finding"),
        (Recommendation.objects.filter(**of_runs).count(), "recommendation"),
        (Report.objects.filter(**of_runs).count(), "report"),
        (assessment.mutes.count(), "muted finding"),
    ]


def usage(owner_id: int) -> list[tuple[str, int, int]]:
    """What is counted, the amount used, and the limit (0: none)."""
    megabytes = -(-quotas.stored_bytes_of(owner_id) // quotas.MB)
    return [
        ("MB of files", megabytes, settings.QUOTA_STORED_MB),
        ("files in all versions", quotas.files_of(owner_id), settings.QUOTA_FILES),
        ("assessments", quotas.assessments_of(owner_id), settings.QUOTA_ASSESSMENTS),
        ("reports", quotas.reports_of(owner_id).count(), settings.QUOTA_REPORTS),
        ("waiting runs", quotas.waiting_of(owner_id).count(), settings.QUOTA_WAITING_RUNS),
    ]
