"""A proxy that lets no WebSocket through: the page moves all the same, and says how it is
connected."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect

from tasks_ui.models import TaskRun
from tests.api_world import make_user
from tests.probe.runs import queue_probe
from tests.stack import Stack, wait_until
from tests.tasks_ui.proxies import Proxy

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def all_ends(shared_stack: Stack) -> Iterator[None]:
    """No run outlives its test: the database is emptied under it."""
    yield
    wait_until(
        lambda: not TaskRun.objects.active().exists(), timeout_s=60, what="the end of all runs"
    )


def test_behind_a_proxy_that_refuses_upgrades_the_page_polls_and_says_so(
    shared_stack: Stack, context: BrowserContext, page: Page
) -> None:
    alice = make_user("alice")
    session = Client()
    session.force_login(alice)
    run = queue_probe(owner=alice, kind="probe_family", children=4, duration_s=4)
    with Proxy(shared_stack.port, refuses_upgrades=True) as proxy:
        cookie = session.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": proxy.url}])
        page.goto(f"{proxy.url}/")
        connection = page.locator("#conn")
        expect(connection).to_have_attribute("data-conn", "polling", timeout=30_000)
        expect(connection).to_contain_text("Polling")
        row = page.locator(f'[data-task="{run.pk}"]')
        expect(row).to_have_attribute("data-state", "SUCCESS", timeout=60_000)  # without a reload
        assert proxy.refused >= 2
