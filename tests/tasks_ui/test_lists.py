"""One query language for every list of runs: what it finds, and what it reports as left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.test import Client

from tasks_ui.models import (
    ApiToken,
    AuditEntry,
    PausedQueue,
    State,
    Tally,
    TaskRun,
    TimeSlot,
    Worker,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NOBODYS = {AuditEntry, PausedQueue, Tally, TimeSlot, Worker}  # for operators only


@pytest.fixture
def ask(client: Client, alice: User) -> Any:
    """``ask("?q=vpc")``: the JSON of the API's list."""
    headers = {"Authorization": f"Bearer {ApiToken.issue(owner=alice, name='test')[1]}"}
    return lambda query: client.get(f"/api/v1/tasks/{query}", headers=headers).json()


def a_run(owner: User, title: str = "orders", **fields: Any) -> TaskRun:
    return TaskRun.objects.create(
        owner=owner, title=title, **{"kind": "probe", "queue": "default", **fields}
    )


def titles(page: dict[str, Any]) -> list[str]:
    return [task["title"] for task in page["tasks"]]


def test_the_api_says_that_a_search_did_not_look_at_older_tasks(
    ask: Any, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks_ui.models.querysets.SEARCHED", 2)
    old = a_run(alice, "legacy vpc")
    a_run(alice, "new VPC")
    page = ask("?q=vpc")
    assert titles(page) == ["new VPC", "legacy vpc"] and not page["is_cut"]
    a_run(alice, "orders")
    page = ask("?q=vpc")
    assert titles(page) == ["new VPC"] and page["is_cut"]
    assert titles(ask(f"?q={old.pk}")) == ["legacy vpc"]
    assert not ask("")["is_cut"]


def test_a_search_looks_at_the_newest_of_what_the_other_filters_leave(
    ask: Any, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks_ui.models.querysets.SEARCHED", 2)
    a_run(alice, "legacy vpc", queue="reports")
    for _ in range(3):
        a_run(alice, "orders")
    assert titles(ask("?q=vpc")) == []
    assert titles(ask("?q=vpc&queue=reports")) == ["legacy vpc"]


def test_pages_of_several_states_join_without_a_gap(ask: Any, alice: User) -> None:
    states = [State.PENDING, State.REVOKED, State.FAILURE]
    made = [a_run(alice, state=states[n % 3]) for n in range(7)]
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        past = f"&cursor={cursor}" if cursor else ""
        page = ask(f"?limit=2&state=FAILURE&state=PENDING{past}")
        assert page["total"] == 5 and page["counts"]["REVOKED"] == 2
        seen += [task["task_id"] for task in page["tasks"]]
        cursor = page["next_cursor"]
    assert seen == [str(made[n].pk) for n in (6, 5, 3, 2, 0)]


def test_every_list_agrees_on_what_needs_attention(
    ask: Any, client: Client, alice: User, admin_client: Client
) -> None:
    for state in State:
        a_run(alice, f"is {state}", state=state)
    partial = a_run(alice, "is PARTIAL", state=State.SUCCESS, partial=True)
    wanted = {str(partial.pk), str(TaskRun.objects.get(state=State.FAILURE).pk)}
    runs = TaskRun.objects.visible_to(alice).needing_attention()
    assert {str(run.pk) for run in runs} == wanted
    client.force_login(alice)
    groups = client.get("/?state=attention").context["page"].groups
    assert {str(row.run.pk) for group in groups for row in group.rows} == wanted
    rows = admin_client.get("/admin/tasks_ui/taskrun/?state=attention").context["cl"].result_list
    assert {str(run.pk) for run in rows} == wanted


def test_every_model_of_ours_says_whose_its_rows_are(db: None, bob: User) -> None:
    for model in _own_models() - NOBODYS:
        visible_to = getattr(model._default_manager, "visible_to", None)
        assert visible_to, f"{model.__name__} has no visible_to"
        assert visible_to(bob).count() == 0  # the path to the owner can be followed
        assert visible_to(AnonymousUser()).query.is_empty()


def _own_models() -> set[type[models.Model]]:
    return {
        model
        for label in ("tasks_ui", "assessments")
        for model in apps.get_app_config(label).get_models()
    }
