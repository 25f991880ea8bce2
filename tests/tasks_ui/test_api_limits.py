"""Requests per minute, and responses that the caller already has."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import redis
from django.conf import settings
from django.test import Client

from tasks_ui.access import rate_limit
from tasks_ui.models import ApiToken, State, TaskRun
from tests.stack import Stack

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import Settings

    from tests.servers import Servers

LIST = "/api/v1/tasks/"


@pytest.fixture
def here(settings: Settings) -> Callable[[str], Client]:
    settings.ALLOWED_HOSTS = ["testserver"]
    return lambda key: Client(headers={"Authorization": f"Bearer {key}"})


def key_of(user: User) -> tuple[ApiToken, str]:
    return ApiToken.issue(owner=user, name="test")


def test_past_the_limit_a_token_waits_and_another_does_not(
    servers: Servers, alice: User, here: Callable[[str], Client], settings: Settings
) -> None:
    settings.RATE_LIMIT_PER_MINUTE = 3
    _start_of_a_minute()
    client, other = here(key_of(alice)[1]), here(key_of(alice)[1])
    assert [client.get(LIST).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = client.get(LIST)
    assert refused["Content-Type"] == "application/problem+json"
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert other.get(LIST).status_code == 200
    browser = Client()
    browser.force_login(alice)
    assert [browser.get(LIST).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_web_processes_share_the_count(shared_stack: Stack, alice: User) -> None:
    _start_of_a_minute()
    token, key = key_of(alice)
    name = rate_limit.key(
        f"token.{token.digest[:16]}", window=int(time.time() // rate_limit.WINDOW_S)
    )
    with shared_stack.http(token=key) as http:
        assert http.get(LIST).status_code == 200
        with redis.Redis.from_url(settings.CHANNEL_REDIS_URL) as valkey:
            assert (
                valkey.incrby(name, settings.RATE_LIMIT_PER_MINUTE)
                == settings.RATE_LIMIT_PER_MINUTE + 1
            )
            assert 0 < valkey.ttl(name) <= 2 * rate_limit.WINDOW_S
        assert http.get(LIST).status_code == 429


def test_with_valkey_frozen_requests_go_on_at_once(
    servers: Servers, alice: User, here: Callable[[str], Client], settings: Settings
) -> None:
    settings.RATE_LIMIT_PER_MINUTE = 1
    client = here(key_of(alice)[1])
    client.get(LIST)
    servers.valkey.freeze()
    try:
        begun = time.monotonic()
        assert [client.get(LIST).status_code for _ in range(10)] == [200] * 10
        assert time.monotonic() - begun < 1.5
    finally:
        servers.valkey.thaw()


@pytest.mark.parametrize("route", ["", "/status", "/events"])
def test_who_has_the_answer_is_told_so_until_it_changes(
    servers: Servers,
    queue_probe: Callable[..., TaskRun],
    alice: User,
    here: Callable[[str], Client],
    route: str,
) -> None:
    run = queue_probe()
    client = here(key_of(alice)[1])
    address = f"{LIST}{run.pk}{route}"
    first = client.get(address)
    assert first["Cache-Control"] == "no-store, private"

    def again() -> Any:
        return client.get(address, headers={"If-None-Match": first["ETag"]})

    assert (again().status_code, again().content) == (304, b"")
    TaskRun.objects.filter(pk=run.pk).update(state=State.STARTED, last_seq=2)
    assert again().status_code == 200
    assert again()["ETag"] != first["ETag"]


@pytest.fixture(autouse=True)
def nothing_counted_yet(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no earlier tests had run: users' ids start at 1, and after an outage Valkey is left
    alone for a while."""
    monkeypatch.setattr(rate_limit, "_leave_alone_until", 0.0)
    with redis.Redis.from_url(settings.CHANNEL_REDIS_URL) as valkey:
        for name in valkey.scan_iter("infra_mind.requests.user.*"):
            valkey.delete(name)


def _start_of_a_minute() -> None:
    """Not spread over two windows."""
    left = rate_limit.WINDOW_S - time.time() % rate_limit.WINDOW_S
    if left < 5:
        time.sleep(left)
