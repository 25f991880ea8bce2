"""The page that adds a version to an assessment and runs it."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from assessments.forms import PASTED_MAX_CHARS, NewVersionForm
from assessments.models import Assessment, Version
from assessments.pages.views import FORM_OVERHEAD_BYTES, too_large
from assessments.quotas import QuotaError
from assessments.scan.intake import UploadError
from assessments.services import start_analysis
from assessments.versions import add_version
from tasks_ui.access.sign_in import SignedInRequest
from tasks_ui.models import TaskRun

FILES_LISTED = 500


@csrf_exempt  # checked in _new_version, after the size: the check reads the body
@login_required
@require_http_methods(["GET", "POST"])
def new_version(request: SignedInRequest, assessment_id: UUID) -> HttpResponseBase:
    """Add a version and run it; ``edit`` names a file of the newest version to edit in the page."""
    found = get_object_or_404(Assessment.objects.visible_to(request.user), pk=assessment_id)
    size = int(request.META.get("CONTENT_LENGTH") or 0)
    if request.method == "POST" and size > settings.UPLOAD_MAX_BYTES + FORM_OVERHEAD_BYTES:
        form = NewVersionForm(initial={"key": uuid4()})
        return _page(request, found, form, refusal=too_large(), status=413)
    return _new_version(request, found)


@csrf_protect
def _new_version(request: SignedInRequest, found: Assessment) -> HttpResponseBase:
    if request.method == "GET":
        initial = {"key": uuid4(), **_edited(found, request.GET.get("edit", ""))}
        return _page(request, found, NewVersionForm(initial=initial))
    form = NewVersionForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, found, form, status=422)
    key = str(form.cleaned_data["key"] or uuid4())
    sent_before = TaskRun.objects.visible_to(request.user).filter(idempotency_key=key).first()
    if sent_before:
        return redirect("task_page", sent_before.pk)
    try:
        change = form.change()
        with transaction.atomic():  # never a version without a run
            source = Version.Source.UPLOAD if form.cleaned_data["upload"] else Version.Source.EDIT
            add_version(found, change, by=request.user, source=source)
            last = found.runs.select_related("task").first()
            task = start_analysis(
                found,
                by=request.user,
                idempotency_key=key,
                again_of=last.task if last else None,
            )
    except UploadError as error:
        return _page(request, found, form, refusal=error, status=422)
    except QuotaError as error:
        return _page(request, found, form, refusal=error, status=error.status)
    return redirect("task_page", task.pk)


def _edited(found: Assessment, path: str) -> dict[str, str]:
    """A file of the newest version as pasted text; empty if there is no such text file, or it is
    too long for that."""
    file = found.newest_version.files.select_related("blob").filter(path=path).first()
    if file is None or file.blob.size > PASTED_MAX_CHARS:
        return {}
    try:
        return {"paste": bytes(file.blob.content).decode(), "paste_name": path}
    except UnicodeDecodeError:
        return {}


def _page(
    request: SignedInRequest,
    found: Assessment,
    form: NewVersionForm,
    *,
    refusal: UploadError | QuotaError | None = None,
    status: int = 200,
) -> HttpResponse:
    newest = found.newest_version
    files = newest.files.values("path", "kind", "blob__size")[:FILES_LISTED]
    context: dict[str, Any] = {
        "assessment": found,
        "newest": newest,
        "files": files,
        "form": form,
        "refusal": refusal,
        "more": max(0, newest.file_count - FILES_LISTED),
        "limits": {"bytes": settings.UPLOAD_MAX_BYTES, "files": settings.UPLOAD_MAX_FILES},
    }
    return render(request, "assessments/new_version.html", context, status=status)
