"""``manage.py invite``: a link with which one person can sign up, printed as the last line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.models import Invitation
from infra_mind import embedded
from tasks_ui.access.audit import Event, record


class Command(BaseCommand):
    help = "Create a link with which one person can sign up, once. It is printed as the last line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--note", default="", help="whom it is for")
        parser.add_argument("--days", type=float, default=7, help="days until it expires")
        parser.add_argument("--url", help="where people reach this server: https://infra.example")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 < options["days"] <= 365:
            raise CommandError("--days must be above 0 and at most 365.")
        url = options["url"] or embedded.running_state(settings.INFRA_MIND_HOME).get("url") or ""
        invitation = Invitation.objects.create(
            note=options["note"][:120],
            expires_at=timezone.now() + timedelta(days=options["days"]),
        )
        record(Event.INVITED, about=f"{invitation}, from the command line")
        if not url:
            self.stderr.write("Add this to the address of your server (or pass --url):")
        self.stdout.write(f"{str(url).rstrip('/')}{invitation.path}")
