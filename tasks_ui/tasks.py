"""Housekeeping, rung by beat."""

from __future__ import annotations

from celery import shared_task

from tasks_ui.prune import prune


@shared_task(name="tasks_ui.prune_tasks")
def prune_tasks() -> int:
    """Delete what is past its retention."""
    return prune()
