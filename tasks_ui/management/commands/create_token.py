"""``manage.py create_token USERNAME``: an API token, printed as the last line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from tasks_ui.access.audit import Event, record
from tasks_ui.models import ApiToken


class Command(BaseCommand):
    help = (
        "Create an API token for a user. It is printed as the last line, and can't be shown again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--create",
            action="store_true",
            help="create the user, without a password, if it doesn't exist",
        )
        parser.add_argument("--name", default="command line", help="what the token is for")
        parser.add_argument("--read-only", action="store_true", help="the token can only read")
        parser.add_argument(
            "--expires-days", type=float, help="days until the token expires; default: never"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["expires_days"]
        if days is not None and not 0 < days <= 36_500:
            raise CommandError("--expires-days must be above 0 and at most 36500.")
        expires_at = timezone.now() + timedelta(days=days) if days else None
        scope = ApiToken.Scope.READ if options["read_only"] else ApiToken.Scope.WRITE
        owner = _user(options["username"], create=options["create"])
        token, key = ApiToken.issue(
            owner=owner, name=options["name"][:80], scope=scope, expires_at=expires_at
        )
        record(Event.TOKEN, about=f"{token} of {owner}, from the command line")
        self.stdout.write(key)


def _user(username: str, *, create: bool) -> Any:
    users = get_user_model()
    found = users._default_manager.filter(**{users.USERNAME_FIELD: username}).first()
    if found is not None:
        if not found.is_active:
            raise CommandError(f"User {username!r} is not active, so a token would be useless.")
        return found
    if not create:
        raise CommandError(f"There is no user {username!r}. Add --create to create it.")
    user = users(**{users.USERNAME_FIELD: username})
    user.set_unusable_password()
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    user.save()
    return user
