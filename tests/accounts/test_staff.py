"""What staff must provide before the admin shows anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.test import Client

from tasks_ui.access.auth import may_read_runs, may_see_everything

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", "root@example.org", "a password of root")


def test_staff_need_an_authenticator_app_where_the_operator_wants_it(
    root: User, client: Client, settings: Settings
) -> None:
    client.force_login(root)
    assert client.get("/admin/").status_code == 200
    settings.STAFF_TOTP = True
    for path in ("/admin/", "/admin/tasks_ui/taskrun/", "/admin/auth/user/add/"):
        answer = client.post(path)
        assert (answer.status_code, answer["Location"]) == (302, "/two-factor/"), path
    assert client.get("/two-factor/").status_code == 200
    assert client.get("/").status_code == 200
    TOTP.activate(root, "JBSWY3DPEHPK3PXP")
    assert client.get("/admin/").status_code == 200


def test_without_it_a_socket_shows_staff_nobody_elses_tasks(root: User, settings: Settings) -> None:
    assert may_see_everything({root.pk}) == may_read_runs({root.pk}) == {root.pk}
    settings.STAFF_TOTP = True
    assert may_see_everything({root.pk}) == may_read_runs({root.pk}) == set()
    TOTP.activate(root, "JBSWY3DPEHPK3PXP")
    assert may_see_everything({root.pk}) == may_read_runs({root.pk}) == {root.pk}


def test_a_session_of_an_earlier_key_goes_on_while_the_key_stands(
    root: User, client: Client, settings: Settings
) -> None:
    client.force_login(root)
    without = Client()
    without.force_login(root)
    earlier, settings.SECRET_KEY = settings.SECRET_KEY, "the next key of this server, " * 2
    assert without.get("/admin/").status_code == 302
    settings.SECRET_KEY_FALLBACKS = [earlier]
    assert client.get("/admin/").status_code == 200
