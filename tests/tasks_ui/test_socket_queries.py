"""What the sockets of one process cost the database: the same for three staff as for thirty."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client

from tasks_ui.access import auth
from tasks_ui.live.poll import look_for
from tasks_ui.live.reading import Look
from tasks_ui.models import ApiToken

QUERIES_MAX = 6


@pytest.fixture(autouse=True)
def no_connection_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads in which sockets query close their connections after each query."""
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)


@dataclass(eq=False)
class Listener:
    """A follower that keeps what it receives."""

    credential: auth.Credential
    tasks: set[UUID] = field(default_factory=set)
    scopes: set[str] = field(default_factory=lambda: {"mine", "all"})
    looks: list[Look] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)

    def look(self, look: Look) -> None:
        self.looks.append(look)

    @property
    def is_reading(self) -> bool:
        return False

    def stop_reading(self) -> None:
        raise AssertionError("it reads nothing")

    def leave_scope(self, scope: str) -> None:
        self.left.append(scope)

    def end(self, code: int) -> None:
        self.codes.append(code)


def staff(number: int) -> User:
    """One third as superusers, one third by their own permissions, one third by those of a
    group."""
    user = User.objects.create_user(f"staff{number}", is_staff=True, is_superuser=number % 3 == 0)
    both = Permission.objects.filter(codename__in=["view_taskrun", "operate_taskrun"])
    if number % 3 == 1:
        user.user_permissions.set(both)
    elif number % 3 == 2:
        group, _ = Group.objects.get_or_create(name="operators")
        group.permissions.set(both)
        user.groups.add(group)
    return user


def by_session(user: User) -> auth.Credential:
    client = Client()
    client.force_login(user)
    user.refresh_from_db()
    return auth.session_credential(user, client.cookies["sessionid"].value)


def by_token(user: User) -> auth.Credential:
    return auth.Credential(user=user, token_id=ApiToken.issue(owner=user, name="test")[0].pk)


def queries_of_a_look(
    listeners: list[Listener], settings: Any, caplog: pytest.LogCaptureFixture
) -> int:
    caplog.clear()
    settings.DEBUG = True  # queries are logged, whichever thread asks
    with caplog.at_level(logging.DEBUG, logger="django.db.backends"):
        asyncio.run(look_for(listeners))
    settings.DEBUG = False
    return sum("SELECT" in record.getMessage() for record in caplog.records)


def test_a_look_for_thirty_staff_takes_as_many_queries_as_for_three(
    transactional_db: None, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    users = [staff(number) for number in range(30)]
    listeners = [Listener(make(user)) for user in users for make in (by_session, by_token)]
    few = queries_of_a_look(listeners[:6], settings, caplog)
    many = queries_of_a_look(listeners, settings, caplog)
    assert few == many, f"{few} queries for six sockets, {many} for sixty"
    assert 0 < many <= QUERIES_MAX
    assert all(listener.looks for listener in listeners)
    assert not any(listener.left or listener.codes for listener in listeners)


def test_a_look_ends_the_scope_of_who_may_no_longer_see_everything_and_of_nobody_else(
    transactional_db: None,
) -> None:
    boss, permitted, grouped = (staff(number) for number in range(3))
    listeners = [Listener(by_token(user)) for user in (boss, permitted, grouped)]
    own = Listener(by_token(permitted), scopes={"mine"})
    boss.is_superuser = False
    boss.save()
    permitted.user_permissions.remove(permitted.user_permissions.get(codename="operate_taskrun"))
    asyncio.run(look_for([*listeners, own]))
    assert [listener.left for listener in [*listeners, own]] == [["all"], ["all"], [], []]
    grouped.is_active = False
    grouped.save()
    asyncio.run(look_for(listeners))
    assert [listener.codes for listener in listeners] == [[], [], [4401]]


def test_the_rule_of_one_socket_is_that_of_all(transactional_db: None) -> None:
    users = [staff(number) for number in range(3)]
    users += [User.objects.create_user("alice"), User.objects.create_superuser("not staff")]
    User.objects.filter(pk=users[-1].pk).update(is_staff=False)
    may = auth.may_see_everything([user.pk for user in users])
    assert may == {user.pk for user in users[:3]}
    for user in User.objects.all():
        assert auth.Credential(user=user).may_see_everything == (
            user.is_staff and user.has_perms(["tasks_ui.view_taskrun", "tasks_ui.operate_taskrun"])
        )
