"""The pages of the loop: a new version in the browser, and what changed since the previous run."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from assessments.models import Assessment, AssessmentRun
from assessments.services import start_analysis
from assessments.versions import Change, add_version
from tests.assessments.rows import assessed, uploaded
from tests.assessments.test_comparing import CLOSED, OPEN, SSH, next_run

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import Settings

    from tasks_ui.models import TaskRun


@pytest.fixture
def browser(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def shop(alice: User) -> Assessment:
    return uploaded(alice, {"main.tf": OPEN, "README.md": "<b>shop</b>\n"})


def test_a_file_is_edited_in_the_page_and_run(browser: Client, shop: Assessment) -> None:
    address = reverse("new_version", args=[shop.pk])
    shown = browser.get(address, {"edit": "main.tf"})
    assert "cidr_blocks" in shown.content.decode()
    assert b"?edit=README.md" in shown.content
    sent = {"mode": "change", "paste_name": "main.tf", "paste": CLOSED, "remove": "README.md\n"}
    answer = browser.post(address, {**sent, "key": shown.context["form"].initial["key"]})
    assert answer.status_code == 302
    again = browser.post(address, {**sent, "key": shown.context["form"].initial["key"]})
    assert again["Location"] == answer["Location"]
    run = AssessmentRun.objects.get(assessment=shop)
    assert (run.version.number, run.version.source) == (2, "edit")
    assert [file.path for file in run.version.files.all()] == ["main.tf"]


def test_an_upload_replaces_all_files(browser: Client, shop: Assessment) -> None:
    upload = SimpleUploadedFile("x.tf", OPEN.encode())
    sent = {"mode": "replace", "upload": [upload], "paths": '["net/x.tf"]'}
    assert browser.post(reverse("new_version", args=[shop.pk]), sent).status_code == 302
    assert [file.path for file in shop.newest_version.files.all()] == ["net/x.tf"]


def test_a_refused_version_keeps_the_pasted_text(
    browser: Client, shop: Assessment, settings: Settings
) -> None:
    address = reverse("new_version", args=[shop.pk])
    sent = {"mode": "change", "paste_name": "../main.tf", "paste": "pasted = 1"}
    refused = browser.post(address, sent)
    assert refused.status_code == 422
    assert "pasted = 1" in refused.content.decode()
    assert "points outside the upload" in refused.content.decode()
    settings.UPLOAD_MAX_BYTES = -4 * 1024 * 1024
    assert browser.post(address, sent).status_code == 413
    assert shop.versions.count() == 1 and not shop.runs.exists()


def test_the_run_says_which_version_it_read_and_links_what_changed(
    browser: Client, shop: Assessment, alice: User
) -> None:
    first = assessed(shop)
    second = next_run(first, alice, main=CLOSED)
    AssessmentRun.objects.update(finished_at="2026-11-25T12Z", task=None)
    page = browser.get(reverse("run", args=[shop.pk, 2])).content.decode()
    assert "Version 2, 2\N{NO-BREAK SPACE}files" in page
    address = reverse("compare_runs", args=[second.pk])
    assert f"{address}?with={first.pk}#fixed" in page
    compared = browser.get(address, {"with": str(first.pk)})
    fixed = next(each for each in compared.context["lists"] if each[0] == "fixed")
    assert SSH in {finding.rule for finding in fixed[4]}
    assert f">{SSH}<" in compared.content.decode()
    assert browser.get(address).context["before"] == first
    assert browser.get(reverse("compare_runs", args=[first.pk])).status_code == 404


def test_nobody_else_sees_either_page(shop: Assessment, bob: User, alice: User) -> None:
    run = assessed(shop)
    stranger = Client()
    stranger.force_login(bob)
    of_bob = assessed(uploaded(bob, {"main.tf": OPEN}))
    assert stranger.get(reverse("new_version", args=[shop.pk])).status_code == 404
    assert stranger.post(reverse("new_version", args=[shop.pk]), {}).status_code == 404
    for mine, with_ in ((run, of_bob), (of_bob, run)):
        address = reverse("compare_runs", args=[mine.pk])
        assert stranger.get(address, {"with": str(with_.pk)}).status_code == 404
    add_version(shop, Change.of([("a.tf", OPEN.encode())]), by=alice)


def test_files_under_the_name_of_an_assessment_may_become_its_next_version(
    browser: Client, shop: Assessment, bob: User
) -> None:
    uploaded(bob, {"main.tf": OPEN}, name="of bob")
    address = reverse("new_assessment")
    sent = {"name": "shop", "paste_name": "main.tf", "paste": CLOSED, "key": str(uuid4())}
    asked = browser.post(address, sent)
    assert asked.status_code == 422
    page = asked.content.decode()
    assert "You already have an assessment named “shop”." in page
    assert "Add as a new version of it" in page and "10.0.0.0/8" in page
    assert not AssessmentRun.objects.exists()

    added = browser.post(address, {**sent, "same_name": "version"})
    again = browser.post(address, {**sent, "same_name": "version"})
    assert added["Location"] == again["Location"]
    run = AssessmentRun.objects.get()
    assert (run.assessment, run.version.number, run.version.source) == (shop, 2, "upload")
    assert [file.path for file in run.version.files.all()] == ["main.tf"]

    key = str(uuid4())
    assert browser.post(address, {**sent, "key": key, "same_name": "another"}).status_code == 302
    assert Assessment.objects.filter(owner=shop.owner, name="shop").count() == 2
    assert browser.post(address, {**sent, "key": str(uuid4()), "name": "of bob"}).status_code == 302


def test_two_runs_are_marked_on_the_dashboard_and_compared(
    browser: Client, shop: Assessment, alice: User, bob: User
) -> None:
    first = assessed(shop)
    second = next_run(first, alice, main=CLOSED)
    other = assessed(uploaded(alice, {"main.tf": OPEN}, name="other"))
    unfinished = start_analysis(shop, by=alice)
    of_bob = assessed(uploaded(bob, {"main.tf": OPEN}))

    def compared(*tasks: TaskRun | None) -> str:
        chosen = [str(task.pk) for task in tasks if task]
        answer = browser.post(reverse("bulk_tasks"), {"act": "compare", "task": chosen})
        assert answer.status_code == 302
        if answer["Location"] != "/":
            return answer["Location"]
        (said,) = browser.get("/").context["messages"]
        return str(said)

    address = f"{reverse('compare_runs', args=[second.pk])}?with={first.pk}"
    assert compared(first.task, second.task) == compared(second.task, first.task) == address
    assert "“shop” and “other”" in compared(first.task, other.task)
    assert (
        compared(first.task)
        == compared(first.task, of_bob.task)
        == ("Not compared. Select two runs.")
    )
    assert "Run 3 has no findings to compare." in compared(first.task, unfinished)
