"""What browser tests share: someone who is signed in, and a watch on the console."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from tests.stack import Stack


@pytest.fixture
def alice(shared_stack: Stack, context: BrowserContext) -> User:
    """Signed in, in the browser as well."""
    from django.contrib.auth.models import User

    user = User.objects.create_user("alice")
    let_in(user, context, shared_stack.url)
    return user


def let_in(user: User, context: BrowserContext, url: str) -> None:
    """Give the browser a session of ``user`` at this address."""
    client = Client()
    client.force_login(user)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": url}])


EXPECTED = ("status of 422", "net::ERR_INTERNET_DISCONNECTED")
"""A form that was refused, and a request while a test has the browser offline."""


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """Everything that the browser's console reports; the test fails on anything but EXPECTED."""
    heard: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(
            expected in message.text for expected in EXPECTED
        ):
            heard.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: heard.append(str(error)))
    yield heard
    assert not heard
