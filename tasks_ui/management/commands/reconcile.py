"""manage.py reconcile: move runs that nobody is moving."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tasks_ui.reconciler import reconcile, reconcile_for_ever


class Command(BaseCommand):
    help = "Take back lost runs, confirm cancellations, and send messages again that were lost."

    def on_turn(self) -> None:
        """Called once a second with ``--forever``."""

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--forever", action="store_true", help="once a second, until stopped")
        how.add_argument("--dry-run", action="store_true", help="only count what would be moved")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["forever"]:
            reconcile_for_ever(on_turn=self.on_turn)
        for what, count in reconcile(dry_run=options["dry_run"]).items():
            self.stdout.write(f"{count} {what}")
