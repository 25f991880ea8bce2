"""A new release's migration runs while the old one's processes are working."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from tasks_ui.models import State, TaskRun
from tests.probe.runs import queue_probe
from tests.stack import Stack, wait_until

ROOT = Path(__file__).parents[1]
EXPAND = (
    "ALTER TABLE tasks_ui_taskrun ADD COLUMN next_release text",
    "ALTER TABLE tasks_ui_taskrun ADD COLUMN next_count integer NOT NULL DEFAULT 0",
    "ALTER TABLE tasks_ui_taskevent ADD COLUMN next_release jsonb NOT NULL DEFAULT '{}'",
    "ALTER TABLE django_celery_results_taskresult ADD COLUMN next_release text",
    "CREATE INDEX next_release ON tasks_ui_taskrun (next_count) WHERE next_count > 0",
)
CONTRACT = (
    "ALTER TABLE tasks_ui_taskrun DROP COLUMN next_release, DROP COLUMN next_count",
    "ALTER TABLE tasks_ui_taskevent DROP COLUMN next_release",
    "ALTER TABLE django_celery_results_taskresult DROP COLUMN next_release",
)


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice", password="a password of alice")


@pytest.fixture
def migrate() -> Iterator[None]:
    """Changes the schema back, whatever happens in the test."""
    yield
    run(CONTRACT)


def run(statements: tuple[str, ...]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def finish(runs: list[TaskRun]) -> None:
    def are_done() -> bool:
        left = TaskRun.objects.filter(pk__in=[each.pk for each in runs]).exclude(
            state=State.SUCCESS
        )
        return not left.exists()

    wait_until(are_done, timeout_s=60, what="the runs to finish")


def test_workers_that_are_up_go_on_with_the_next_releases_schema(
    shared_stack: Stack, alice: User, migrate: None
) -> None:
    """Their connections have statements prepared for the old one."""
    finish([queue_probe(owner=alice) for _ in range(8)])
    working = [queue_probe(owner=alice, duration_s=2) for _ in range(2)]
    run(EXPAND)
    family = queue_probe(owner=alice, kind="probe_family", children=3)
    finish([*working, family, *(queue_probe(owner=alice) for _ in range(8))])
    assert not TaskRun.objects.filter(attempt__gt=1).exists()


def test_the_version_stands_in_one_place_and_is_shown(alice: User) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    client = Client()
    client.force_login(alice)
    assert f"Infra Mind {version}" in client.get("/").content.decode()
    assert version not in Client().get("/sign-in/").content.decode()
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest and newest[1] == version
