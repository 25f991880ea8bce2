"""The audit log: who did what, when and from where, and never a secret."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts import throttle
from accounts.models import Invitation
from assessments.rest.examples import ASSESSMENT_ID, REPORT_ID
from tasks_ui.models import ApiToken, AuditEntry
from tasks_ui.prune import prune
from tests.accounts.test_signing_up import PASSWORD, sign_up, words
from tests.api_world import make_world
from tests.browser.test_accounts import code

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db

HOME = "192.0.2.200"


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_superuser("alice", "alice@example.org", PASSWORD)


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What the logger receives."""
    heard: list[dict[str, Any]] = []

    class Listener(logging.Handler):
        def emit(self, line: logging.LogRecord) -> None:
            heard.append(json.loads(line.getMessage()))

    logger, listener = logging.getLogger("infra_mind.audit"), Listener()
    logger.addHandler(listener)
    yield heard
    logger.removeHandler(listener)


def noted() -> list[tuple[str, str, str | None]]:
    rows = AuditEntry.objects.order_by("pk")
    return [(row.event, row.actor_name, row.address) for row in rows]


def sign_in(client: Client, name: str = "alice", password: str = PASSWORD) -> Any:
    return client.post("/sign-in/", {"login": name, "password": password})


def test_a_session_is_noted_from_its_start_to_its_end(
    alice: User,
    lines: list[dict[str, Any]],
    django_capture_on_commit_callbacks: Any,
) -> None:
    client = Client(REMOTE_ADDR=HOME)
    with django_capture_on_commit_callbacks(execute=True):
        sign_in(client, password="wrong")
        sign_in(client, name="hunter2 typed here", password="wrong")
        sign_in(client)
        client.post("/sign-out/")
    assert noted() == [
        ("session.refused", "alice", HOME),
        ("session.refused", "", HOME),  # an unknown name may be somebody's password
        ("session.started", "alice", HOME),
        ("session.ended", "alice", HOME),
    ]
    assert [line["event"] for line in lines] == [event for event, _, _ in noted()]
    assert lines[2]["who"] == "alice" and lines[2]["from"] == HOME
    assert lines[2]["user_id"] == alice.pk and lines[2]["at"].startswith("20")
    assert "hunter2" not in json.dumps(lines)


def test_a_flood_is_noted_once(alice: User) -> None:
    for _ in range(throttle.PER_ACCOUNT_AND_ADDRESS + 5):
        sign_in(Client(REMOTE_ADDR="192.0.2.201"), password="wrong")
    events = [event for event, _, _ in noted()]
    assert events.count("session.throttled") == 1
    assert events.count("session.refused") == throttle.PER_ACCOUNT_AND_ADDRESS


def test_passwords_factors_and_tokens_are_noted_without_their_secrets(
    alice: User, django_capture_on_commit_callbacks: Any
) -> None:
    client = Client(REMOTE_ADDR=HOME)
    sign_in(client)
    client.post("/sign-in/again/", {"password": PASSWORD})
    page = client.get("/two-factor/app/").content.decode()
    key = re.search(r'class="secret">(\w+)<', page)
    assert key
    with django_capture_on_commit_callbacks(execute=True):
        added = client.post("/two-factor/app/", {"code": code(key[1])})
    assert added.status_code == 302, words(added)
    again = Client(REMOTE_ADDR=HOME)
    sign_in(again)
    again.post("/sign-in/code/", {"code": "000000"})
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/two-factor/codes/new/")
    client.post("/two-factor/app/remove/")
    made = client.post("/tokens/", {"name": "ci", "scope": "read", "days": "30"})
    client.post(f"/tokens/{ApiToken.objects.get().pk}/revoke/")
    new = "another long one"
    client.post("/password/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    events = [event for event, _, _ in noted()]
    for event in (
        "second_factor.added",
        "session.refused",
        "second_factor.renewed",
        "second_factor.removed",
        "token.created",
        "token.revoked",
        "password.changed",
    ):
        assert event in events, (event, events)
    assert {(name, address) for _, name, address in noted()} == {("alice", HOME)}
    secret = re.search(r"im_[\w-]{30,}", made.content.decode())
    assert secret
    everything = json.dumps(list(AuditEntry.objects.values("about", "actor_name", "event")))
    for each in (PASSWORD, new, key[1], secret[0], "000000"):
        assert each not in everything


def test_invitations_are_noted_from_both_ends(alice: User) -> None:
    call_command("invite", "--note", "Dave", "--url", "https://infra.example")
    invitation = Invitation.objects.get()
    sign_up("dave", page=invitation.path)
    assert sorted((event, name) for event, name, _ in noted()) == [
        ("account.created", "dave"),
        ("invitation.created", ""),
        ("invitation.used", "dave"),
        ("session.started", "dave"),
    ]
    assert invitation.path not in json.dumps(list(AuditEntry.objects.values_list("about")))


def test_deletions_and_downloads_are_noted(alice: User) -> None:
    make_world(alice)
    _, key = ApiToken.issue(owner=alice, name="ci")
    client = Client(REMOTE_ADDR=HOME, HTTP_AUTHORIZATION=f"Bearer {key}")
    address = f"/api/v1/assessments/{ASSESSMENT_ID}"
    assert client.get(f"{address}/reports/{REPORT_ID}/download").status_code == 200
    page = Client(REMOTE_ADDR=HOME)
    page.force_login(alice)
    assert page.get(f"/reports/{REPORT_ID}/").status_code == 200
    assert client.delete(address).status_code == 204
    of_alice = [event for event, name, _ in noted() if name == "alice"]
    assert of_alice.count("report.downloaded") == 2
    assert of_alice.count("assessment.deleted") == 1
    assert str(ASSESSMENT_ID) in AuditEntry.objects.get(event="assessment.deleted").about


def test_what_is_done_in_the_admin_is_noted_and_looking_is_not(alice: User) -> None:
    client = Client(REMOTE_ADDR=HOME)
    client.force_login(alice)
    AuditEntry.objects.all().delete()
    client.get("/admin/auth/user/")
    client.post("/admin/auth/user/add/", {"username": ""})  # shown again, with errors
    assert noted() == []
    client.post("/admin/tasks_ui/taskrun/queues/default/pause/")
    token, _ = ApiToken.issue(owner=alice, name="ci")
    chosen = {"action": "revoke", "_selected_action": [token.pk]}
    client.post("/admin/tasks_ui/apitoken/", chosen)
    assert sorted(noted()) == [
        ("admin.acted", "alice", HOME),
        ("admin.acted", "alice", HOME),
        ("token.revoked", "alice", HOME),
    ]
    acted = AuditEntry.objects.filter(event="admin.acted").order_by("pk")
    assert list(acted.values_list("about", flat=True)) == [
        "/admin/tasks_ui/taskrun/queues/default/pause/",
        f"/admin/tasks_ui/apitoken/ revoke, 1 selected: {token.pk}",
    ]


def test_the_log_is_read_in_the_admin_and_changed_nowhere(alice: User) -> None:
    client = Client(REMOTE_ADDR=HOME)
    sign_in(client)
    entry = AuditEntry.objects.get()
    listed = client.get("/admin/tasks_ui/auditentry/?event=session.started&q=alice")
    assert HOME in listed.content.decode()
    for other in ("bob", "192.0.2.77"):
        found = client.get(f"/admin/tasks_ui/auditentry/?q={other}")
        assert f">{HOME}<" not in found.content.decode()
    assert f">{HOME}<" in client.get(f"/admin/tasks_ui/auditentry/?q={HOME}").content.decode()
    assert client.get(f"/admin/tasks_ui/auditentry/{entry.pk}/change/").status_code == 200
    change = client.post(f"/admin/tasks_ui/auditentry/{entry.pk}/change/", {"about": "nothing"})
    assert change.status_code == 403
    assert client.post(f"/admin/tasks_ui/auditentry/{entry.pk}/delete/").status_code == 403
    assert client.get("/admin/tasks_ui/auditentry/add/").status_code == 403


def test_what_is_known_of_somebody_outlives_the_account_but_not_the_retention(
    alice: User, settings: Settings
) -> None:
    sign_in(Client(REMOTE_ADDR=HOME))
    alice.delete()
    assert noted()[0] == ("session.started", "alice", HOME)
    settings.AUDIT_RETENTION_DAYS = 30
    AuditEntry.objects.update(at=timezone.now() - timedelta(days=29))
    prune()
    assert AuditEntry.objects.exists()
    AuditEntry.objects.update(at=timezone.now() - timedelta(days=31))
    prune()
    assert not AuditEntry.objects.exists()
