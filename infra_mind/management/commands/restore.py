"""``manage.py restore``: a backup, into a new home or an empty database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from infra_mind import embedded
from infra_mind.backup import BackupError, backup_file, restore_backup


class Command(BaseCommand):
    help = (
        "Read a backup into a home where Infra Mind has not run yet, or into the empty database of"
        " DATABASE_URL. Runs that were active when it was written resume once Infra Mind starts."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="what manage.py backup wrote; - for standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["file"] == "-":
                self._restore(sys.stdin.buffer)
            else:
                with backup_file(Path(options["file"])) as file:
                    self._restore(file)
        except embedded.AlreadyRunningError:
            raise CommandError(
                f"Infra Mind runs in {settings.INFRA_MIND_HOME}. Set INFRA_MIND_HOME to a new"
                " folder."
            ) from None
        except (BackupError, embedded.EmbeddedServerError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write("Restored. Start Infra Mind now: it brings the database up to date.")

    def _restore(self, file: IO[bytes]) -> None:
        if not settings.IS_LOCAL:
            return restore_backup(settings.DATABASE_URL, file)
        home = settings.INFRA_MIND_HOME
        with embedded.hold(home), embedded.PostgresServer(home) as server:
            restore_backup(server.url, file)
