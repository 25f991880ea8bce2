"""Everything that an operator does is in one log: who, when, what, and to what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone

from tasks_ui.models import ApiToken, AuditEntry, State, TaskRun, Worker
from tasks_ui.runs.transitions import transition

Queue = Callable[..., TaskRun]
RUNS = "/admin/tasks_ui/taskrun/"
ACTIONS = {
    "taskrun": {"cancel_runs", "retry_runs", "expedite_runs", "forget_runs"},
    "apitoken": {"revoke", "delete_selected"},
    "user": {"remove_second_factor", "delete_selected"},
    "group": {"delete_selected"},
    "invitation": {"delete_selected"},
    "emailaddress": {"delete_selected", "make_verified"},
    "socialaccount": {"delete_selected"},
}


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def client(root: User) -> Client:
    client = Client(REMOTE_ADDR="192.0.2.7")
    client.force_login(root)
    AuditEntry.objects.all().delete()
    return client


def noted() -> str:
    """The newest line's action and its object."""
    entry = AuditEntry.objects.filter(event="admin.acted").latest("pk")
    assert (entry.actor_name, entry.address) == ("root", "192.0.2.7")
    assert timezone.now() - entry.at < timedelta(minutes=1)
    return entry.about


def test_every_action_of_the_administration_is_looked_at_here(root: User) -> None:
    request = RequestFactory().get("/admin/")
    request.user = root
    offered = {
        model._meta.model_name: set(model_admin.get_actions(request))
        for model, model_admin in admin.site._registry.items()
    }
    assert {name: actions for name, actions in offered.items() if actions} == ACTIONS


@pytest.mark.parametrize("action", sorted(ACTIONS["taskrun"]))
def test_an_action_on_runs_is_in_the_log(client: Client, queue_probe: Queue, action: str) -> None:
    run = queue_probe()
    if action in {"retry_runs", "forget_runs"}:
        transition(run, State.REVOKED)
    asked = {"action": action, "_selected_action": [str(run.pk)], "confirmed": "yes"}
    assert client.post(RUNS, asked).status_code == 302
    assert noted() == f"{RUNS} {action}, 1 selected: {run.pk}"


def test_an_action_from_a_runs_page_is_in_the_log(client: Client, queue_probe: Queue) -> None:
    run = queue_probe()
    page = f"{RUNS}{run.pk}/change/"
    client.post(page, {"CHANGE_FORM-action": "cancel_runs", "_selected_action": str(run.pk)})
    assert noted() == f"{page} cancel_runs, 1 selected: {run.pk}"


def test_an_action_on_all_that_match_says_which_those_were(
    client: Client, queue_probe: Queue
) -> None:
    run = queue_probe()
    asked = {"action": "cancel_runs", "select_across": "1", "confirmed": "yes"}
    client.post(f"{RUNS}?queue=default", {**asked, "_selected_action": [str(run.pk)]})
    assert noted() == f"{RUNS}?queue=default cancel_runs, all that match"


def test_queues_and_workers_are_in_the_log(client: Client) -> None:
    Worker.objects.create(hostname="w@h", pid=1, queues=["default"])
    for path in ("queues/default/pause/", "queues/default/resume/"):
        client.post(RUNS + path)
        assert noted() == RUNS + path
    for path in ("workers/w@h/drain/", "workers/w@h/resume/"):
        client.post(RUNS + path)
        assert noted() == RUNS + path


def test_revoking_a_token_is_in_the_log_with_its_name_and_owner(
    client: Client, alice: User
) -> None:
    token, key = ApiToken.issue(owner=alice, name="ci")
    asked = {"action": "revoke", "_selected_action": [str(token.pk)]}
    client.post("/admin/tasks_ui/apitoken/", asked)
    assert noted() == f"/admin/tasks_ui/apitoken/ revoke, 1 selected: {token.pk}"
    named = AuditEntry.objects.get(event="token.revoked")
    assert (named.actor_name, named.about) == ("root", f"{token} of alice")
    assert key not in str(list(AuditEntry.objects.values()))


def test_changing_and_deleting_accounts_is_in_the_log(client: Client, alice: User) -> None:
    addresses = "/admin/account/emailaddress/"
    mail = EmailAddress.objects.create(user=alice, email="alice@example.org")
    client.post(addresses, {"action": "make_verified", "_selected_action": [str(mail.pk)]})
    assert noted() == f"{addresses} make_verified, 1 selected: {mail.pk}"
    users = "/admin/auth/user/"
    client.post(users, {"action": "remove_second_factor", "_selected_action": [str(alice.pk)]})
    assert noted() == f"{users} remove_second_factor, 1 selected: {alice.pk}"
    asked = {"action": "delete_selected", "_selected_action": [str(alice.pk)], "post": "yes"}
    client.post(users, asked)
    assert noted() == f"{users} delete_selected, 1 selected: {alice.pk}"
    assert not User.objects.filter(pk=alice.pk).exists()


def test_a_question_is_no_action_yet(client: Client, queue_probe: Queue) -> None:
    run = queue_probe()
    transition(run, State.REVOKED)
    client.post(RUNS, {"action": "forget_runs", "_selected_action": [str(run.pk)]})
    assert not AuditEntry.objects.exists()
