"""Proxies that block WebSockets, and servers that hang: the page keeps updating as well as it can,
and shows how it is connected."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect

from tasks_ui.models import TaskRun
from tests.api_world import make_user
from tests.probe.runs import queue_probe
from tests.stack import Stack, wait_until
from tests.tasks_ui.proxies import Proxy
from tests.tasks_ui.webs import another_web

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def all_ends(shared_stack: Stack) -> Iterator[None]:
    """No run outlives its test: the database is emptied under it."""
    yield
    wait_until(
        lambda: not TaskRun.objects.active().exists(), timeout_s=60, what="the end of all runs"
    )


@pytest.fixture
def alice(transactional_db: None) -> User:
    return make_user("alice")


@pytest.fixture
def sign_in(alice: User, context: BrowserContext) -> Callable[[str], None]:
    """Give the browser a session of alice's for a URL."""
    session = Client()
    session.force_login(alice)
    cookie = session.cookies["sessionid"].value
    return lambda url: context.add_cookies([{"name": "sessionid", "value": cookie, "url": url}])


def test_behind_a_proxy_that_refuses_upgrades_the_page_polls_and_says_so(
    shared_stack: Stack, page: Page, alice: User, sign_in: Callable[[str], None]
) -> None:
    run = queue_probe(owner=alice, kind="probe_family", children=4, duration_s=4)
    with Proxy(shared_stack.port, refuses_upgrades=True) as proxy:
        sign_in(proxy.url)
        page.goto(f"{proxy.url}/")
        connection = page.locator("#conn")
        expect(connection).to_have_attribute("data-conn", "polling", timeout=30_000)
        expect(connection).to_contain_text("Polling")
        row = page.locator(f'[data-task="{run.pk}"]')
        expect(row).to_have_attribute("data-state", "SUCCESS", timeout=60_000)  # without a reload
        assert proxy.refused >= 2


def test_behind_a_proxy_that_drops_the_cookie_of_upgrades_the_page_polls_and_names_the_cause(
    shared_stack: Stack, page: Page, alice: User, sign_in: Callable[[str], None]
) -> None:
    loads: list[str] = []
    page.on("load", lambda page: loads.append(page.url))
    with Proxy(shared_stack.port, drops_cookies=True) as proxy:
        sign_in(proxy.url)
        page.goto(f"{proxy.url}/")
        connection = page.locator("#conn")
        expect(connection).to_have_attribute("data-conn", "polling")
        expect(connection).to_have_attribute("title", re.compile("drops the session cookie"))
        run = queue_probe(owner=alice)
        row = page.locator(f'[data-task="{run.pk}"]')
        expect(row).to_have_attribute("data-state", "SUCCESS", timeout=60_000)
        assert len(loads) == 1, "the page was reloaded, which does not bring the cookie back"
        connection.click()
        expect(page.locator("#checks")).to_have_attribute("data-done", "yes", timeout=30_000)
        expect(page.locator("[data-check=session]")).to_have_attribute("data-state", "SUCCESS")
        expect(page.locator("[data-check=socket]")).to_contain_text("a proxy drops the Cookie")
        assert len(loads) == 2
        assert proxy.upgrades >= 3


def test_a_session_that_has_ended_leads_to_the_page_to_sign_in(
    shared_stack: Stack, page: Page, alice: User, sign_in: Callable[[str], None]
) -> None:
    sign_in(shared_stack.url)
    page.goto(shared_stack.url)
    expect(page.locator("#conn")).to_have_text("Live")
    Session.objects.all().delete()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_before_a_frozen_server_a_page_that_polls_says_that_it_is_stale(
    shared_stack: Stack, tmp_path: Path, page: Page, sign_in: Callable[[str], None]
) -> None:
    with (
        another_web(shared_stack, tmp_path) as other,
        Proxy(other.port, refuses_upgrades=True) as proxy,
    ):
        sign_in(proxy.url)
        page.goto(f"{proxy.url}/")
        connection = page.locator("#conn")
        expect(connection).to_have_attribute("data-conn", "polling", timeout=30_000)
        other["web"].freeze()
        try:
            expect(connection).to_have_text(re.compile("^Stale for"), timeout=30_000)
            expect(page.locator("#stale")).to_contain_text("Runs continue without this page.")
        finally:
            other["web"].thaw()
        expect(connection).to_have_attribute("data-conn", "polling", timeout=30_000)


def test_before_a_frozen_server_a_live_page_says_that_it_is_stale(
    shared_stack: Stack, tmp_path: Path, page: Page, sign_in: Callable[[str], None]
) -> None:
    with another_web(shared_stack, tmp_path) as other:
        sign_in(other.url)
        page.clock.install()
        page.goto(other.url)
        connection = page.locator("#conn")
        expect(connection).to_have_text("Live")
        other["web"].freeze()
        try:
            page.clock.fast_forward(21_000)  # a ping without a pong within ten seconds
            expect(connection).to_have_text(re.compile("^Stale for"), timeout=8_000)
        finally:
            other["web"].thaw()
        expect(connection).to_have_text("Live")
