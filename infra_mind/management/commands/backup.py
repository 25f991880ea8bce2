"""``manage.py backup``: all lasting data in one file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from infra_mind.backup import BackupError, whole_file, write_backup


class Command(BaseCommand):
    help = (
        "Write accounts, assessments, runs and reports to one file, while Infra Mind keeps running."
        " manage.py restore reads it."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a new file; - for standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DATABASE_URL:
            raise CommandError(
                "Infra Mind is not running in this home. Start it with make run, or set"
                " INFRA_MIND_HOME or DATABASE_URL."
            )
        try:
            if options["file"] == "-":
                return write_backup(settings.DATABASE_URL, sys.stdout.buffer)
            path = Path(options["file"])
            with whole_file(path) as file:
                write_backup(settings.DATABASE_URL, file)
        except BackupError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{path}: {path.stat().st_size / 1_000_000:.1f} MB.")
