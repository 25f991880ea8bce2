"""When each part of a run waited for a worker and ran."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from assessments.pages.runs import run_or_404
from tasks_ui.access.sign_in import SignedInRequest
from tasks_ui.runs.waterfall import waterfall

SHOWN = 200


@login_required
@require_GET
def parts(request: SignedInRequest, assessment_id: UUID, number: int) -> HttpResponse:
    run = run_or_404(request, assessment_id, number)
    rows = run.task.children.order_by("queued_at", "pk") if run.task else None
    found = list(rows[: SHOWN + 1]) if rows is not None else []
    context = {
        "run": run,
        "tab": "parts",
        "waterfall": waterfall(run.task, found[:SHOWN]) if run.task else None,
        "has_more": len(found) > SHOWN,
    }
    return render(request, "assessments/parts.html", context)
