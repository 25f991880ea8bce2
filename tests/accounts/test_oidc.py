"""Signing in with OpenID Connect, against an issuer that speaks it over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db
PERSON = {"sub": "42", "preferred_username": "carol", "email": "carol@example.org"}


class Issuer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        url = f"http://{self.headers['Host']}"
        if self.path == "/.well-known/openid-configuration":
            names = ("authorization", "token", "userinfo")
            self._say({"issuer": url} | {f"{name}_endpoint": f"{url}/{name}" for name in names})
        else:
            self._say(PERSON)

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        assert asked["code"] == ["a-code"] and asked["code_verifier"]
        self._say({"access_token": "an-access-token", "token_type": "Bearer"})

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _say(self, body: dict[str, str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


@pytest.fixture
def issuer(settings: Settings) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    app = {"provider_id": "oidc", "name": "Example", "client_id": "infra", "secret": "s"}
    apps = [app | {"settings": {"server_url": url}}]
    settings.OIDC_NAME = "Example"
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": apps}
    }
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


def come_back(client: Client) -> str:
    """Press the button, and return from the issuer with a code; returns where that leads."""
    assert "Sign in with Example" in client.get("/sign-in/").content.decode()
    there = urlsplit(client.post("/oidc/oidc/")["Location"])
    asked = parse_qs(there.query)
    assert there.path == "/authorization" and asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == ["http://testserver/oidc/oidc/callback/"]
    back = client.get("/oidc/oidc/callback/", {"code": "a-code", "state": asked["state"][0]})
    return back.headers.get("Location", f"{back.status_code}")


def test_whoever_the_issuer_knows_joins_where_that_is_allowed(
    issuer: str, settings: Settings
) -> None:
    settings.OIDC_SIGN_UP = True
    client = Client()
    assert come_back(client) == "/"
    assert "Signed in as <b>carol</b>" in client.get("/").content.decode()
    assert come_back(Client()) == "/"  # already known


def test_nobody_joins_by_the_issuer_where_sign_up_is_closed(issuer: str) -> None:
    client = Client()
    come_back(client)
    assert client.get("/").status_code == 302
    assert not User.objects.exists()
