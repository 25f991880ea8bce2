"""What the operations on assessments have in common."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Header, Query

from assessments.models import Assessment, AssessmentRun

Key = Annotated[
    str | None,
    Header(
        None,
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="The same key gives the same result, however often it is sent",
    ),
]
RunNumber = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="The newest run, where none is named")
]


def visible(request: HttpRequest, assessment_id: UUID) -> Assessment:
    return get_object_or_404(Assessment.objects.visible_to(request.user), pk=assessment_id)


def run_of(assessment: Assessment, number: int | None) -> AssessmentRun:
    """The run of that number, or the newest. Raises Http404."""
    rows = assessment.runs.defer("resources")
    run = rows.filter(number=number).first() if number is not None else rows.first()
    if run is None:
        raise Http404
    return run
