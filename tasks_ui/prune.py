"""Deletes what is past its retention: finished runs with their events and results, in batches that
hold no lock for long, and expired tickets and sessions."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django_celery_results.models import TaskResult

from tasks_ui.models import FINAL, AuditEntry, SocketTicket, TaskRun
from tasks_ui.runs import workers

BATCH = 500


def prune() -> int:
    """Delete runs that finished more than ``TASKS_RETENTION_DAYS`` ago, and whatever else has
    expired. Returns the number of deleted runs."""
    before = timezone.now() - timedelta(days=settings.TASKS_RETENTION_DAYS)
    old = TaskRun.objects.filter(
        Q(parent=None) | Q(parent__state__in=FINAL), state__in=FINAL, finished_at__lt=before
    )
    deleted = 0
    while batch := list(old.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        TaskResult.objects.filter(task_id__in=[str(pk) for pk in batch]).delete()
        TaskRun.objects.filter(pk__in=batch).delete()
        deleted += len(batch)
    workers.prune()
    _prune_audit()
    SocketTicket.objects.filter(expires_at__lt=timezone.now()).delete()
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    return deleted


def _prune_audit() -> None:
    before = timezone.now() - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    old = AuditEntry.objects.filter(at__lt=before).order_by("at")
    while batch := list(old.values_list("pk", flat=True)[:BATCH]):
        AuditEntry.objects.filter(pk__in=batch).delete()
