"""Housekeeping, scheduled by beat, and the one Celery task that runs every ``django.tasks``
task."""

from __future__ import annotations

from celery import shared_task

from tasks_ui.prune import prune
from tasks_ui.runs.calls import CALL
from tasks_ui.worker.django_tasks import run_call
from tasks_ui.worker.execute import tracked

run_task = tracked(CALL)(run_call)


@shared_task(name="tasks_ui.prune_tasks", queue=CALL.queue)
def prune_tasks() -> int:
    """Delete everything that is past its retention."""
    return prune()
