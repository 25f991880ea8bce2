"""The administration's index and its way around."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client


@pytest.fixture
def operator(db: None) -> User:
    user = User.objects.create_user("olga", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_taskrun"))
    return user


def test_the_index_has_one_section_for_tasks_and_one_for_people(admin_client: Client) -> None:
    page = admin_client.get("/admin/")
    sections = {app["name"]: [m["name"] for m in app["models"]] for app in page.context["app_list"]}
    assert sections["Tasks"] == ["API tokens", "Audit log", "Task results", "Task runs"]
    assert sections["People"][:2] == ["Email addresses", "Groups"]
    assert set(sections) <= {"Tasks", "People", "Probe"}


def test_the_index_shows_staff_only_what_they_may_see(client: Client, operator: User) -> None:
    client.force_login(operator)
    page = client.get("/admin/")
    (section,) = page.context["app_list"]
    assert [model["name"] for model in section["models"]] == ["Task runs"]
    assert tabs(page.content.decode()) == ["Overview", "Task runs", "Workers and queues"]


def test_staff_who_may_not_see_tasks_get_no_links_to_them(client: Client, db: None) -> None:
    client.force_login(User.objects.create_user("sam", is_staff=True))
    assert tabs(client.get("/admin/").content.decode()) == []


def tabs(page: str) -> list[str]:
    found = re.search(r'<nav class="tabs".*?</nav>', page, re.DOTALL)
    return re.findall(r">([A-Z][^<]*)</a>", found.group()) if found else []
