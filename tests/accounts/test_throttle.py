"""Password guessing: counted before a hash is computed, by account and by address."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.test import Client, RequestFactory

from accounts import hashing, throttle
from tasks_ui.access.address import client_address
from tests.servers import Servers

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_hasher(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hasher of the settings, which tests/probe replaces with a quick one; with few rounds."""
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1000)
    settings.PASSWORD_HASHERS = ["accounts.hashing.BoundedHasher"]


@pytest.fixture
def alice(own_hasher: None, db: None) -> User:
    return User.objects.create_user("alice", password="a password of alice", is_staff=True)


@pytest.fixture
def hashes(own_hasher: None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line for each hash that is actually computed."""
    computed: list[str] = []
    encode = PBKDF2PasswordHasher.encode

    def count(self: Any, password: str, *args: Any) -> str:
        computed.append(password)
        return encode(self, password, *args)

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", count)
    return computed


def sign_in(name: str, password: str, *, of: str, **extra: str) -> Any:
    form = {"login": name, "password": password}
    return Client(REMOTE_ADDR=of).post("/sign-in/", form, **extra)  # type: ignore[arg-type]


def test_the_eleventh_guess_is_refused_before_it_is_hashed(alice: User, hashes: list[str]) -> None:
    of = "192.0.2.1"
    for _ in range(throttle.PER_ACCOUNT_AND_ADDRESS):
        assert sign_in("alice", "wrong", of=of).status_code == 200
    hashes.clear()
    refused = sign_in(" ALICE", "a password of alice", of=of)
    assert refused.status_code == 429
    assert refused["Retry-After"] == "300"
    assert "Too many sign-in attempts" in refused.content.decode()
    assert hashes == []


def test_alice_gets_in_from_elsewhere_while_somebody_guesses(
    alice: User, hashes: list[str]
) -> None:
    for _ in range(throttle.PER_ACCOUNT_AND_ADDRESS + 1):
        sign_in("alice", "wrong", of="192.0.2.50")
    assert sign_in("alice", "a password of alice", of="192.0.2.51").status_code == 302


def test_one_address_tries_so_many_accounts(hashes: list[str]) -> None:
    statuses = [
        sign_in(f"name{n}", "wrong", of=f"2001:db8::{n:x}").status_code
        for n in range(throttle.PER_ADDRESS + 1)
    ]
    assert statuses == [200] * throttle.PER_ADDRESS + [429]


def test_signing_in_often_is_not_guessing(alice: User, hashes: list[str]) -> None:
    for _ in range(throttle.PER_ACCOUNT_AND_ADDRESS + 5):
        assert sign_in("alice", "a password of alice", of="192.0.2.60").status_code == 302


def test_attempts_are_counted_while_valkey_is_away(servers: Servers, hashes: list[str]) -> None:
    servers.valkey.stop()
    statuses = [
        sign_in("bob", "wrong", of="192.0.2.70").status_code
        for _ in range(throttle.PER_ACCOUNT_AND_ADDRESS + 1)
    ]
    assert statuses == [200] * throttle.PER_ACCOUNT_AND_ADDRESS + [429]


def test_a_forwarded_address_is_believed_only_from_as_many_proxies_as_there_are(
    settings: Settings,
) -> None:
    request = RequestFactory().get(
        "/", headers={"X-Forwarded-For": "198.51.100.1, 198.51.100.2"}, REMOTE_ADDR="192.0.2.1"
    )
    said = {}
    for proxies in (0, 1, 2, 3):
        settings.TRUSTED_PROXIES = proxies
        said[proxies] = client_address(request)
    assert said == {0: "192.0.2.1", 1: "198.51.100.2", 2: "198.51.100.1", 3: "192.0.2.1"}


def test_a_forged_address_opens_no_second_count(alice: User, hashes: list[str]) -> None:
    for n in range(throttle.PER_ACCOUNT_AND_ADDRESS):
        sign_in("alice", "wrong", of="192.0.2.80", HTTP_X_FORWARDED_FOR=f"198.51.100.{n}")
    forged = sign_in("alice", "wrong", of="192.0.2.80", HTTP_X_FORWARDED_FOR="198.51.100.99")
    assert forged.status_code == 429


def test_hashes_run_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, lock = 0, 0, threading.Lock()
    encode = PBKDF2PasswordHasher.encode

    def observe(self: Any, password: str, salt: str, iterations: int | None = None) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            return encode(self, password, salt, 20_000)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", observe)
    hasher = hashing.BoundedHasher()
    threads = [threading.Thread(target=hasher.encode, args=("x", "salt")) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == hashing.AT_ONCE


def test_who_gets_no_turn_to_hash_is_asked_to_come_back(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "PATIENCE_S", 1.0)
    free = threading.Event()
    for _ in range(hashing.AT_ONCE):
        hashing._threads().submit(free.wait)
    try:
        busy = sign_in("alice", "a password of alice", of="192.0.2.90")
    finally:
        free.set()
    assert busy.status_code == 503 and busy["Retry-After"] == "5"
    assert "Try again in a few seconds" in busy.content.decode()
    assert sign_in("alice", "a password of alice", of="192.0.2.91").status_code == 302
