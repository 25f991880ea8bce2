"""Private responses are never cached; those that are the same for everyone may be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.views.defaults import server_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from django.contrib.auth.models import User
    from django.test import Client, RequestFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/findings/",
        "/reports/",
        "/tokens/",
        "/api/v1/assessments/",
        "/api/v1/tasks/",
        "/nowhere/",
    ],
)
def test_no_cache_keeps_what_is_private(
    client: Client, django_user_model: type[User], path: str
) -> None:
    client.force_login(django_user_model.objects.create_user("ada"))
    answer = client.get(path)
    assert answer["Cache-Control"] == "no-store, private"
    assert "camera=()" in answer["Permissions-Policy"]


def test_a_download_is_kept_by_no_cache_even_when_signed_out(client: Client) -> None:
    assert client.get("/sign-in/")["Cache-Control"] == "no-store, private"


def test_static_files_may_be_kept(client: Client) -> None:
    assert "no-store" not in client.get("/static/tasks_ui/app.css")["Cache-Control"]


def test_preloading_is_asked_for() -> None:
    assert settings.SECURE_HSTS_PRELOAD is False


def test_git_ignores_the_file_of_secrets() -> None:
    ignored = Path(settings.BASE_DIR, ".gitignore").read_text().splitlines()
    assert ".env" in ignored


def test_flower_is_reached_from_this_machine_alone() -> None:
    root = Path(settings.BASE_DIR)
    assert re.search(
        r'"127\.0\.0\.1:\$\{FLOWER_PORT:-5555\}:5555"', (root / "docker-compose.yml").read_text()
    )
    for document in (root / "README.md", *(root / "docs").glob("*.md")):
        for line in document.read_text().splitlines():
            if "celery -A infra_mind flower" in line:
                assert "FLOWER_BASIC_AUTH=" in line and "--address=127.0.0.1" in line, line


def test_a_page_that_is_not_there_has_words_and_a_way_back(
    client: Client, django_assert_num_queries: Callable[[int], AbstractContextManager[object]]
) -> None:
    with django_assert_num_queries(0):  # it is also shown while the database is away
        answer = client.get("/nowhere/")
    assert answer.status_code == 404
    assert "Nothing to see here" in answer.content.decode()
    assert 'href="/"' in answer.content.decode()
    client.cookies["theme"] = "dark"
    assert 'data-theme="dark"' in client.get("/nowhere/").content.decode()


def test_an_error_of_ours_has_words_of_ours(rf: RequestFactory) -> None:
    answer = server_error(rf.get("/"))
    assert answer.status_code == 500
    assert b"went wrong on our side" in answer.content
