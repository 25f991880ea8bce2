"""The demo account, whose password everyone knows, exists on loopback only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from infra_mind import hosts
from infra_mind.supervisor import DEMO_PASSWORD, DEMO_USERNAME

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def mark(settings: Settings, tmp_path: Path) -> Path:
    settings.DEMO_MARK = tmp_path / "demo"
    return tmp_path / "demo"


def people() -> dict[str, User]:
    return {user.username: user for user in User.objects.all()}


def test_on_loopback_the_first_account_is_the_demo(mark: Path) -> None:
    call_command("prepare", "--demo")
    assert people()[DEMO_USERNAME].check_password(DEMO_PASSWORD)
    assert mark.exists()


def test_once_others_get_in_the_demo_has_another_password(
    mark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("prepare", "--demo")
    capsys.readouterr()
    call_command("prepare", "--admin")
    line = next(line for line in capsys.readouterr().out.splitlines() if "password" in line)
    password = line.rpartition(" ")[2]
    demo = people()[DEMO_USERNAME]
    assert not demo.check_password(DEMO_PASSWORD) and demo.check_password(password)
    assert not mark.exists()
    call_command("prepare", "--admin")
    assert "password" not in capsys.readouterr().out
    call_command("prepare", "--demo")
    assert people().keys() == {DEMO_USERNAME} and not mark.exists()


def test_where_others_get_in_the_first_account_is_an_admin() -> None:
    call_command("prepare", "--admin")
    assert people().keys() == {"admin"}
    assert not people()["admin"].check_password(DEMO_PASSWORD)


def test_a_server_gets_no_account_by_itself() -> None:
    call_command("prepare")
    assert people() == {}


@pytest.mark.parametrize(
    ("host", "is_loopback", "reached_at"),
    [
        ("127.0.0.1", True, "127.0.0.1"),
        ("127.9.9.9", True, "127.9.9.9"),
        ("localhost", True, "localhost"),
        ("::1", True, "[::1]"),
        ("0.0.0.0", False, "127.0.0.1"),  # noqa: S104
        ("::", False, "[::1]"),
        ("[::]", False, "[::1]"),
        ("192.0.2.7", False, "192.0.2.7"),
        ("infra.example", False, "infra.example"),
    ],
)
def test_what_is_loopback_and_where_it_is_reached(
    host: str, is_loopback: bool, reached_at: str
) -> None:
    assert hosts.is_loopback(host) == is_loopback
    assert hosts.reached_at(host) == reached_at
