"""``manage.py up``: what ``make run`` starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from infra_mind import embedded, supervisor
from infra_mind.settings import env, env_int


class Command(BaseCommand):
    help = (
        "Run all of Infra Mind in the foreground: PostgreSQL and Valkey (unless DATABASE_URL and"
        " REDIS_URL name others), web, workers, reconciler and beat. Reads PORT, HOST, WORKERS,"
        " CONCURRENCY and INFRA_MIND_HOME."
    )
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = supervisor.Options(
            home=settings.INFRA_MIND_HOME,
            scanner_python=Path(settings.SCANNER_PYTHON),
            host=env("HOST", "127.0.0.1"),
            port=env_int("PORT", 8000),
            workers=env_int("WORKERS", 2),
            concurrency=env_int("CONCURRENCY", 2),
        )
        try:
            status = supervisor.run(wanted)
        except embedded.AlreadyRunningError as error:
            url, pid = error.state.get("url"), error.state.get("pid")
            where = f"It is running at {url} (process {pid})." if url else "It is still starting."
            raise CommandError(
                f"Infra Mind is already running in {wanted.home}. {where}"
            ) from error
        except (supervisor.CannotStartError, embedded.EmbeddedServerError) as error:
            raise CommandError(str(error)) from error
        if status:
            raise SystemExit(status)
