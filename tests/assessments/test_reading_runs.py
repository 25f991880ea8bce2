"""Staff with the permission read the pages of someone's run, change nothing, and are logged."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from uuid_utils.compat import uuid7

from assessments.models import Assessment, AssessmentRun, Version
from assessments.registration import PAGES
from assessments.rest.examples import ASSESSMENT_ID, FINDING_ID, RUN_ID
from tasks_ui.access.audit import OPENING_LASTS
from tasks_ui.models import AuditEntry, TaskRun
from tasks_ui.rest.examples import TASK_ID
from tests.api_world import SECRET, make_world

BEGIN = f"/admin/tasks_ui/taskrun/{TASK_ID}/page/"
RUN = f"assessments/{ASSESSMENT_ID}/runs/1/"
READING_SCRIPT = '<script type="module" src="/static/tasks_ui/reading.js">'


@pytest.fixture
def alice(db: None) -> User:
    user = User.objects.create_user("alice")
    make_world(user)
    return user


@pytest.fixture
def reader(alice: User) -> Client:
    return staff("rita", "view_taskrun", "view_all_runs")


def staff(name: str, *codes: str) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client = Client()
    client.force_login(user)
    return client


def opened() -> list[tuple[str, str]]:
    return list(
        AuditEntry.objects.filter(event="run.opened")
        .order_by("pk")
        .values_list("actor_name", "about")
    )


def test_each_page_of_the_run_is_shown_as_to_its_owner_and_each_is_logged(reader: Client) -> None:
    page = reader.get(f"/admin/tasks_ui/taskrun/{TASK_ID}/change/").content.decode()
    assert BEGIN in page
    assert reader.get(BEGIN).headers["Location"] == BEGIN + RUN
    paths = [
        reverse(name, args=[ASSESSMENT_ID, 1, *(["security"] if name == "answer" else [])])
        for name in sorted(PAGES)
    ]
    paths.append(reverse("finding", args=[FINDING_ID]))
    for path in paths:
        answer = reader.get(BEGIN + path[1:])
        assert answer.status_code == 200, path
        page = answer.content.decode()
        assert "A run of <b>" not in page and "<b>A run of alice</b>" in page, path
        assert f'href="{BEGIN}{RUN}' in page, path
        assert '"/static/' in page and f'"{BEGIN}static/' not in page, path
        assert re.findall(r"<script[^>]*>", page) == [READING_SCRIPT], path
    assert opened() == [("rita", f"alice: {path}") for path in paths]
    assert reverse("run", args=[ASSESSMENT_ID, 1]) == f"/{RUN}"
    assert SECRET in reader.get(BEGIN + RUN).content.decode()


def test_a_page_that_is_refreshed_as_its_run_changes_is_logged_once(reader: Client) -> None:
    for _ in range(3):
        assert reader.get(BEGIN + RUN).status_code == 200
    assert opened() == [("rita", f"alice: /{RUN}")]
    AuditEntry.objects.update(at=timezone.now() - OPENING_LASTS)
    reader.get(BEGIN + RUN)
    assert opened() == [("rita", f"alice: /{RUN}")] * 2


def test_nothing_but_pages_of_this_run_is_shown(reader: Client, alice: User) -> None:
    other = TaskRun.objects.create(owner=alice, kind="process_assessment", title="other")
    run = AssessmentRun.objects.get(pk=RUN_ID)
    AssessmentRun.objects.create(
        assessment=run.assessment,
        version=Version.objects.create(assessment=run.assessment, number=2),
        number=2,
        task=other,
    )
    for path in (
        "tokens/",
        "assessments/",
        "findings/",
        "admin/",
        f"assessments/{ASSESSMENT_ID}/runs/2/",
        f"assessments/{uuid7()}/runs/1/",
        f"findings/{uuid7()}/",
        f"{RUN}compliance.csv",
        f"{RUN}nothing/",
        f"assessments/{ASSESSMENT_ID}/delete/",
        "api/v1/tasks/",
    ):
        assert reader.get(BEGIN + path).status_code == 404, path
    assert reader.get(f"/admin/tasks_ui/taskrun/{uuid7()}/page/").status_code == 404
    assert reader.get(f"/admin/tasks_ui/taskrun/{other.pk}/page/").status_code == 404
    assert opened() == []
    for path in (RUN, f"assessments/{ASSESSMENT_ID}/runs/2/"):
        assert reader.get(f"/{path}").status_code == 404, "without the administration"


def test_nothing_is_changed(reader: Client) -> None:
    for path in (RUN, f"{RUN}cost/", f"{RUN}reports/", f"assessments/{ASSESSMENT_ID}/delete/"):
        for method in ("post", "put", "delete", "head"):
            answer = getattr(reader, method)(BEGIN + path, {"name": SECRET})
            assert answer.status_code == 404, (method, path)
    assert Assessment.objects.filter(pk=ASSESSMENT_ID).exists()
    assert TaskRun.objects.count() == 1


@pytest.mark.parametrize(
    "codes", [(), ("view_taskrun",), ("view_taskrun", "operate_taskrun")], ids=str
)
def test_without_the_permission_there_is_no_such_page(alice: User, codes: tuple[str, ...]) -> None:
    client = staff("sam", *codes)
    for path in ("", RUN, f"{RUN}code/"):
        assert client.get(BEGIN + path).status_code == 404
    if codes:
        page = client.get(f"/admin/tasks_ui/taskrun/{TASK_ID}/change/").content.decode()
        assert BEGIN not in page
    assert opened() == []


def test_the_permission_alone_makes_nobody_staff(alice: User) -> None:
    bob = User.objects.create_user("bob")
    bob.user_permissions.set(Permission.objects.filter(codename="view_all_runs"))
    client = Client()
    client.force_login(bob)
    assert client.get(BEGIN + RUN).status_code == 302
    assert Client().get(BEGIN + RUN).status_code == 302
