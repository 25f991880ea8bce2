"""``manage.py lend_token``: how ``infra-mind analyze --local`` connects to the Infra Mind in this
home."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from infra_mind import embedded
from tasks_ui.models import ApiToken
from tasks_ui.runs.patience import DATABASE_ERRORS

NOT_RUNNING = 3
TOKEN_LIFETIME = timedelta(hours=2)  # above the time limit of any task


class Command(BaseCommand):
    help = (
        "Print the address of the Infra Mind that runs in this home and a token for it, as a line"
        " of JSON. The token expires when standard input closes."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", help="the token's owner; default: the first superuser")

    def handle(self, *args: Any, **options: Any) -> None:
        url = embedded.running_state(settings.INFRA_MIND_HOME).get("url")
        if not url:
            raise CommandError(
                "Infra Mind is not running here. Start it with: make run", returncode=NOT_RUNNING
            )
        try:
            owner = _owner(options["user"])
            row, key = ApiToken.issue(
                owner=owner,
                name="infra-mind --local",
                expires_at=timezone.now() + TOKEN_LIFETIME,
            )
            try:
                self.stdout.write(json.dumps({"url": str(url).rstrip("/"), "token": key}))
                self.stdout.flush()
                sys.stdin.read()
            finally:
                row.delete()
        except DATABASE_ERRORS as error:
            raise CommandError(f"The database can't be reached: {error}") from error


def _owner(username: str | None) -> Any:
    users = get_user_model()._default_manager.filter(is_active=True)
    chosen = users.filter(username=username) if username else users.filter(is_superuser=True)
    user = chosen.order_by("pk").first()
    if user is None:
        words = (
            f"There is no active user {username!r}."
            if username
            else "There is no superuser. Pass --user."
        )
        raise CommandError(words)
    return user
