"""The page that compares one run with another."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from assessments.agents import AGENTS
from assessments.comparing import Comparison
from assessments.models import AssessmentRun
from tasks_ui.access.sign_in import SignedInRequest
from tasks_ui.models.querysets import as_uuid

SHOWN = 100
RUNS_OFFERED = 50
LISTS = (
    ("new", "New", "Found for the first time."),
    ("reopened", "Reopened", "Gone in the earlier run, but there in one before it."),
    ("fixed", "Fixed", "Gone, and looked for."),
    (
        "unchecked",
        "Not checked this time",
        "Gone, but their file was not read in full, or their agent did not finish.",
    ),
    ("persisting", "Persisting", "Found in both runs."),
)


@login_required
@require_GET
def compare(request: SignedInRequest, run_id: UUID) -> HttpResponse:
    """``with`` is the id of the earlier run; by default the newest completed run before this
    one."""
    rows = AssessmentRun.objects.visible_to(request.user).select_related("assessment", "version")
    rows = rows.defer("resources", "summary")
    run = get_object_or_404(rows, pk=run_id)
    others = rows.filter(assessment=run.assessment_id, finished_at__isnull=False)
    asked = as_uuid(request.GET.get("with", ""))
    before = (
        get_object_or_404(rows, pk=asked) if asked else others.filter(number__lt=run.number).first()
    )
    if before is None:
        raise Http404
    compared = Comparison(run, before)
    context = {
        "run": run,
        "before": before,
        "others": others.exclude(pk=run.pk).defer("coverage")[:RUNS_OFFERED],
        "lists": [
            (name, title, words, rows.count(), rows[:SHOWN])
            for name, title, words in LISTS
            if (rows := getattr(compared, name)).exists() or name in {"new", "fixed"}
        ],
        "scores": [(AGENTS[name].label, moved) for name, moved in compared.scores.items()],
        "measures": [
            (each, each.resources[:SHOWN], max(0, len(each.resources) - SHOWN))
            for each in compared.measures
        ],
    }
    return render(request, "assessments/compare.html", context)
