"""A person's saved filters, and their chosen theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from tasks_ui.models import SavedFilter, TaskRun

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db
HOME = "/"


@pytest.fixture
def browser_of_alice(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def keep(client: Client, **more: str) -> str:
    """Save a filter through the form; returns the URL that it redirects to."""
    sent = {"path": HOME, "name": "Broken", "query": "state=attention&q=vpc", **more}
    answer = client.post(reverse("save_filter"), sent)
    assert answer.status_code == 302
    return str(answer["Location"])


def test_a_filter_is_kept_without_the_place_in_the_list_and_offered_on_its_page(
    browser_of_alice: Client,
) -> None:
    where = keep(browser_of_alice, query="state=attention&q=vpc&before=1&page=2")
    assert where == "/?state=attention&q=vpc"
    TaskRun.objects.create(
        owner=SavedFilter.objects.get().owner, kind="probe", title="vpc", queue="default"
    )
    page = browser_of_alice.get(HOME).content.decode()
    assert 'href="/?state=attention&amp;q=vpc"' in page and "Broken" in page
    assert "Save filter" not in browser_of_alice.get(where).content.decode()
    assert "Save filter" in browser_of_alice.get(HOME, {"q": "orders"}).content.decode()


def test_a_filter_of_the_same_name_takes_the_place_of_the_first(browser_of_alice: Client) -> None:
    keep(browser_of_alice)
    keep(browser_of_alice, query="state=done")
    assert SavedFilter.objects.get().query == "state=done"


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "x" * 61}, {"path": "https://evil.example/"}, {"path": "/nowhere/"}],
)
def test_what_is_no_list_of_ours_or_has_no_name_is_not_kept(
    browser_of_alice: Client, wrong: dict[str, str]
) -> None:
    assert keep(browser_of_alice, **wrong) == HOME
    assert not SavedFilter.objects.exists()


def test_a_person_keeps_so_many_filters_and_no_more(browser_of_alice: Client, alice: User) -> None:
    SavedFilter.objects.bulk_create(
        SavedFilter(owner=alice, path=HOME, name=f"filter {number}", query="")
        for number in range(SavedFilter.MAX_PER_OWNER)
    )
    keep(browser_of_alice)
    assert SavedFilter.objects.count() == SavedFilter.MAX_PER_OWNER


def test_bob_neither_sees_nor_deletes_alices_filter(
    browser_of_alice: Client, alice: User, bob: User
) -> None:
    saved = SavedFilter.objects.create(owner=alice, path=HOME, name="Broken", query="q=vpc")
    TaskRun.objects.create(owner=bob, kind="probe", title="orders", queue="default")
    client = Client()
    client.force_login(bob)
    assert "Broken" not in client.get(HOME).content.decode()
    address = reverse("delete_filter", args=[saved.pk])
    assert client.post(address).status_code == 404
    assert browser_of_alice.post(address).status_code == 302
    assert not SavedFilter.objects.exists()


def test_the_theme_is_in_the_first_byte_of_the_next_page(browser_of_alice: Client) -> None:
    assert "data-theme" not in browser_of_alice.get(HOME).content.decode()
    browser_of_alice.post(reverse("set_theme"), {"theme": "dark", "next": "/reports/"})
    assert '<html lang="en" data-theme="dark">' in browser_of_alice.get(HOME).content.decode()
    browser_of_alice.post(reverse("set_theme"), {"theme": '"><script>'})
    assert "data-theme" not in browser_of_alice.get(HOME).content.decode()


def test_a_cookie_of_another_kind_is_no_theme(browser_of_alice: Client) -> None:
    browser_of_alice.cookies["theme"] = '"><script>'
    page = browser_of_alice.get(HOME).content.decode()
    assert "data-theme" not in page and "<script>" not in page
