"""``manage.py prepare``: prepares the database and static files before the processes start."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from assessments.services import create_sample
from infra_mind.static import collect
from infra_mind.supervisor import ADMIN_USERNAME, DEMO_PASSWORD, DEMO_USERNAME


class Command(BaseCommand):
    help = (
        "Migrate the database. With --demo or --admin, create an account with a sample if there is"
        " none yet: with a well-known password, or with one that is printed once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--demo", action="store_true", help="for a server that only this machine can reach"
        )
        parser.add_argument(
            "--admin", action="store_true", help="for a server that other machines can reach"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        self.stdout.write("The database is up to date.")
        if str(settings.COLLECTED_HERE) == settings.STATIC_ROOT and collect():
            self.stdout.write("Static files are collected.")
        if options["demo"]:
            self._let_demo_in()
        else:
            settings.DEMO_MARK.unlink(missing_ok=True)
        if options["admin"]:
            self._keep_demo_out()

    def _let_demo_in(self) -> None:
        demo = _demo()
        if not get_user_model().objects.exists():
            self._make(DEMO_USERNAME, DEMO_PASSWORD)
        elif demo is None:
            settings.DEMO_MARK.unlink(missing_ok=True)
            return
        settings.DEMO_MARK.touch()

    def _keep_demo_out(self) -> None:
        """Anyone knows the demo account's password."""
        password = secrets.token_urlsafe(12)
        if demo := _demo():
            demo.set_password(password)
            demo.save(update_fields=["password"])
            self._print_once(DEMO_USERNAME, password)
        elif not get_user_model().objects.exists():
            self._make(ADMIN_USERNAME, password)
            self._print_once(ADMIN_USERNAME, password)

    def _make(self, username: str, password: str) -> None:
        """The first account may also use the admin. If a start fails here, the next one completes
        it."""
        with transaction.atomic():
            user = get_user_model().objects.create_superuser(username, "", password)
            create_sample(owner=user)
        self.stdout.write(f"Created the account {username} with a sample assessment.")

    def _print_once(self, username: str, password: str) -> None:
        self.stdout.write(f"Sign in as {username} with the password {password}")
        self.stdout.write("It won't be shown again.")


def _demo() -> Any:
    """The demo account, if its password is still the well-known one."""
    demo = get_user_model().objects.filter(username=DEMO_USERNAME, is_active=True).first()
    return demo if demo is not None and demo.check_password(DEMO_PASSWORD) else None
