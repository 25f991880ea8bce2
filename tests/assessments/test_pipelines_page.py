"""The page for pipelines: snippets with this server's URL, and a token that is shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.test import Client

from tasks_ui.access import tokens
from tasks_ui.models import ApiToken

if TYPE_CHECKING:
    import pytest
    from django.contrib.auth.models import User


def test_the_snippets_name_this_server(db: None, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    page = client.get("/pipelines/", headers={"host": "localhost:8123"}).content.decode()
    assert page.count("http://localhost:8123") >= 3
    assert "infra.example" not in page
    assert "im_" not in page


def test_a_token_is_shown_once_and_may_write(db: None, alice: User) -> None:
    client = Client()
    client.force_login(alice)
    page = client.post("/pipelines/", headers={"host": "localhost"}).content.decode()
    token = ApiToken.objects.get(owner=alice)
    assert token.scope == ApiToken.Scope.WRITE and token.expires_at is not None
    key = page.split('id="key"><span>')[1].split("</span>")[0]
    found = ApiToken.find(key)
    assert found == token
    assert key not in client.get("/pipelines/", headers={"host": "localhost"}).content.decode()


def test_there_is_no_token_past_the_limit(
    db: None, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "TOKENS_MAX", 0)
    client = Client()
    client.force_login(alice)
    page = client.post("/pipelines/", headers={"host": "localhost"}).content.decode()
    assert "Revoke one that you no longer use." in page
    assert not ApiToken.objects.exists()
