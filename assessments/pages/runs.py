"""Looks up the run that a page is about."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.shortcuts import get_object_or_404

from assessments.models import AssessmentRun

if TYPE_CHECKING:
    from tasks_ui.access.sign_in import SignedInRequest


def run_or_404(
    request: SignedInRequest, assessment_id: UUID, number: int, *, with_resources: bool = False
) -> AssessmentRun:
    """With its assessment and task, and without the lists that most pages don't need."""
    visible = AssessmentRun.objects.visible_to(request.user).select_related("assessment", "task")
    left_out = ["coverage"] if with_resources else ["coverage", "resources"]
    return get_object_or_404(visible.defer(*left_out), assessment=assessment_id, number=number)
