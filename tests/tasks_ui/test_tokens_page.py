"""The page of API tokens, without JavaScript."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tasks_ui.models import ApiToken

pytestmark = pytest.mark.django_db
PAGE = "/tokens/"


def made(client: Client, **more: str) -> str:
    """Create a token through the form and return the key that the page shows."""
    answer = client.post(PAGE, {"name": "pipeline", "scope": "write", "days": "30", **more})
    assert answer.status_code == 200
    return str(re.findall(r"im_[\w-]{40,}", answer.content.decode())[0])


def test_a_key_is_shown_once_and_opens_the_api(client: Client, alice: User) -> None:
    client.force_login(alice)
    key = made(client)
    token = ApiToken.find(key)
    assert token is not None
    assert (token.owner, token.name, token.scope) == (alice, "pipeline", "write")
    assert token.expires_at and timedelta(days=29) < token.expires_at - timezone.now() <= timedelta(
        days=30
    )
    assert key not in client.get(PAGE).content.decode()
    assert (
        Client(headers={"Authorization": f"Bearer {key}"}).get("/api/v1/tasks/").status_code == 200
    )


def test_a_token_that_never_ends_and_only_reads(client: Client, alice: User) -> None:
    client.force_login(alice)
    token = ApiToken.find(made(client, scope="read", days=""))
    assert token is not None
    assert (token.scope, token.expires_at) == ("read", None)


def test_a_revoked_token_opens_nothing_and_leaves_the_page(client: Client, alice: User) -> None:
    client.force_login(alice)
    key = made(client)
    token = ApiToken.objects.get()
    client.post(f"{PAGE}{token.pk}/revoke/")
    assert ApiToken.find(key) is None
    assert token.prefix not in client.get(PAGE).content.decode()


def test_bob_neither_sees_nor_revokes_alices_token(client: Client, alice: User, bob: User) -> None:
    token, _ = ApiToken.issue(owner=alice, name="alices pipeline")
    client.force_login(bob)
    assert "alices pipeline" not in client.get(PAGE).content.decode()
    assert client.post(f"{PAGE}{token.pk}/revoke/").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"name": "x" * 81}, {"scope": "admin"}, {"days": "7"}]
)
def test_what_the_form_does_not_offer_makes_nothing(
    client: Client, alice: User, wrong: dict[str, str]
) -> None:
    client.force_login(alice)
    answer = client.post(PAGE, {"name": "n", "scope": "read", "days": "30", **wrong})
    assert b'class="err"' in answer.content
    assert not ApiToken.objects.exists()


def test_nobody_is_sent_to_sign_in(client: Client, alice: User) -> None:
    token, _ = ApiToken.issue(owner=alice, name="n")
    for answer in (client.get(PAGE), client.post(PAGE), client.post(f"{PAGE}{token.pk}/revoke/")):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/sign-in/")
