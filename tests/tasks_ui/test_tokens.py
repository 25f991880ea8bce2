"""``manage.py create_token``, and what is stored of a token."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from tasks_ui.models import ApiToken

pytestmark = pytest.mark.django_db


def last_line(*arguments: str) -> str:
    out = io.StringIO()
    call_command("create_token", *arguments, stdout=out)
    return out.getvalue().splitlines()[-1]


def test_the_last_line_is_a_token_that_works() -> None:
    key = last_line("carol", "--create")
    found = ApiToken.find(key)
    assert found is not None
    assert found.owner.get_username() == "carol"
    assert not found.owner.has_usable_password()
    assert found.expires_at is None


def test_only_a_hash_of_the_token_is_kept() -> None:
    key = last_line("carol", "--create")
    assert all(key not in str(value) for row in ApiToken.objects.values() for value in row.values())


def test_a_token_can_be_read_only_and_expire() -> None:
    User.objects.create_user("carol")
    token = ApiToken.find(last_line("carol", "--read-only", "--expires-days", "2", "--name", "ci"))
    assert token is not None
    assert (token.scope, token.name) == ("read", "ci")
    assert token.expires_at is not None
    assert timedelta(days=1.9) < token.expires_at - timezone.now() < timedelta(days=2)


@pytest.mark.parametrize(
    "arguments",
    [("nobody",), ("bad name", "--create"), ("nobody", "--create", "--expires-days", "0")],
)
def test_a_token_that_can_not_be_made_leaves_nothing(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        last_line(*arguments)
    assert not User.objects.exists()
    assert not ApiToken.objects.exists()
