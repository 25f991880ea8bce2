"""Deletes assessments that nobody has run for ``ASSESSMENTS_RETENTION_DAYS``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Max
from django.db.models.functions import Coalesce
from django.utils import timezone

from assessments.models import Assessment
from assessments.services import delete_assessment

if TYPE_CHECKING:
    from django.db.models import QuerySet

BATCH = 100


def delete_old_assessments() -> int:
    """Returns how many were deleted: none if no retention is set."""
    deleted = 0
    while settings.ASSESSMENTS_RETENTION_DAYS > 0:
        batch = list(_old()[:BATCH].values_list("pk", flat=True))
        if not batch:
            break
        for pk in batch:
            assessment = _old().filter(pk=pk).first()  # it may have been run again meanwhile
            if assessment:
                delete_assessment(assessment, by=None)
                deleted += 1
    return deleted


def kept_until(assessment: Assessment) -> datetime | None:
    """When the assessment will be deleted unless it is run again; None if it is kept."""
    if settings.ASSESSMENTS_RETENTION_DAYS <= 0:
        return None
    last = assessment.runs.aggregate(at=Max("created_at"))["at"] or assessment.created_at
    return last + timedelta(days=settings.ASSESSMENTS_RETENTION_DAYS)


def _old() -> QuerySet[Assessment]:
    before = timezone.now() - timedelta(days=settings.ASSESSMENTS_RETENTION_DAYS)
    last = Coalesce(Max("runs__created_at"), "created_at")
    return (
        Assessment.objects.annotate(last_run_at=last).filter(last_run_at__lt=before).order_by("pk")
    )
