"""``manage.py prepare``: what has to be in the database before the processes start."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from assessments.services import create_sample
from infra_mind.supervisor import DEMO_PASSWORD, DEMO_USERNAME


class Command(BaseCommand):
    help = (
        "Migrate the database. With --demo, make the demo account and its sample where there is no"
        " account yet."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--demo", action="store_true", help="a well known password: only on one's own machine"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        self.stdout.write("The database is up to date.")
        if options["demo"] and not get_user_model().objects.exists():
            self._make_demo()

    def _make_demo(self) -> None:
        with transaction.atomic():  # a start that fails here is made good by the next
            self._make_demo_and_sample()
        self.stdout.write(f"Made the account {DEMO_USERNAME} with a sample assessment.")

    def _make_demo_and_sample(self) -> None:
        """The demo account may use the admin too: it is the only account of a single person's
        machine."""
        demo = get_user_model().objects.create_superuser(DEMO_USERNAME, "", DEMO_PASSWORD)
        create_sample(owner=demo)
