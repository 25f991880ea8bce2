"""How much one person may store and have waiting. Each limit is a setting; 0 means no limit.

A check locks the person's row first (``lock``), so that of several concurrent requests only as many
pass as there is room for. It comes before the first write of its transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Sum

from assessments import kinds
from assessments.models import Assessment, Blob, Report, Version
from tasks_ui.models import State, TaskRun

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from tasks_ui.models import TaskRunQuerySet

MB = 1024**2
COUNTED = (kinds.PROCESS.name, kinds.RECOMMENDATIONS.name, kinds.REPORT.name)
"""The kinds of runs that people start."""
FULL, BUSY = 413, 429


class QuotaError(Exception):
    """A limit has been reached; the message says which one, and what to delete or wait for.

    ``status`` is the matching HTTP status: 413 if something must be deleted, 429 if waiting helps.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


def lock(*user_ids: int) -> None:
    """Block these people's other requests at their checks until this transaction ends."""
    people = get_user_model()._default_manager.filter(pk__in=user_ids).order_by("pk")
    list(people.select_for_update(no_key=True).values_list("pk"))


def check_assessments(owner_id: int) -> None:
    """Raises QuotaError if one more assessment is too many."""
    limit = settings.QUOTA_ASSESSMENTS
    if limit and assessments_of(owner_id) >= limit:
        raise QuotaError(
            f"There is no room for another assessment: {limit:,} are stored, which is the limit"
            " for an account. Delete assessments that you no longer need.",
            status=FULL,
        )


def check_files(owner_id: int, *, size: int, count: int) -> None:
    """Raises QuotaError if a version with ``count`` files, of which ``size`` bytes are not stored
    yet, is too much."""
    allowed = settings.QUOTA_STORED_MB * MB
    used = stored_bytes_of(owner_id) if allowed else 0
    if allowed and used + size > allowed:
        raise QuotaError(
            f"There is no room for these files: they take {_mb(size)}, and {_mb(used)} of"
            f" {settings.QUOTA_STORED_MB:,} MB are in use. Delete assessments that you no longer"
            " need, or leave out files that are not code.",
            status=FULL,
        )
    limit = settings.QUOTA_FILES
    if limit and files_of(owner_id) + count > limit:
        raise QuotaError(
            f"There is no room for this version: it has {count:,} files, and an account may have"
            f" {limit:,} in all versions together. Delete assessments that you no longer need.",
            status=FULL,
        )


def check_waiting(owner_id: int) -> None:
    """Raises QuotaError if no other run may be queued."""
    limit = settings.QUOTA_WAITING_RUNS
    if limit and waiting_of(owner_id).count_to(limit) >= limit:
        raise QuotaError(
            f"{limit:,} runs are waiting for a worker, which is the limit for an account. Cancel"
            " some on the dashboard, or try again when some have started.",
            status=BUSY,
        )


def check_reports(owner_id: int) -> None:
    """Raises QuotaError if no other report may be stored."""
    limit = settings.QUOTA_REPORTS
    if limit and reports_of(owner_id)[:limit].count() >= limit:
        raise QuotaError(
            f"There is no room for another report: {limit:,} are stored, which is the limit for"
            " an account. Delete assessments that you no longer need; their reports go with"
            " them.",
            status=FULL,
        )


def assessments_of(owner_id: int) -> int:
    return Assessment.objects.filter(owner=owner_id).count()


def stored_bytes_of(owner_id: int) -> int:
    """The size of the uploaded files, unpacked; identical content counts once."""
    sums = Blob.objects.filter(owner=owner_id).aggregate(bytes=Sum("size", default=0))
    return int(sums["bytes"])


def files_of(owner_id: int) -> int:
    """The number of files in all versions whose files are kept."""
    kept = Version.objects.filter(assessment__owner=owner_id, files_dropped_at=None)
    return int(kept.aggregate(files=Sum("file_count", default=0))["files"])


def waiting_of(owner_id: int) -> TaskRunQuerySet:
    waiting = TaskRun.objects.filter(
        owner=owner_id, kind__in=COUNTED, state__in=[State.PENDING, State.RETRY]
    )
    return waiting.roots()


def reports_of(owner_id: int) -> QuerySet[Report]:
    return Report.objects.filter(run__assessment__owner=owner_id)


def _mb(size: int) -> str:
    return f"{max(size / MB, 0.1):,.1f} MB"
