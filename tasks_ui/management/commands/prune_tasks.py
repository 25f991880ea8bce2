"""manage.py prune_tasks: delete runs past their retention."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from tasks_ui.prune import prune


class Command(BaseCommand):
    help = (
        "Delete finished runs, their events and results that are past their retention"
        " (TASKS_RETENTION_DAYS)."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"Runs deleted: {prune()}")
