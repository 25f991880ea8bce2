"""Getting in, in a real browser: by invitation, with a second factor, and in every look."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from accounts.models import Invitation
from tests.stack import Stack

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"
LOOKS = {
    "light": ("light", 1280),
    "dark": ("dark", 1280),
    "narrow": ("light", 390),
}


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the console reports, except pages that are refused on purpose."""
    heard: list[str] = []
    page.on(
        "console",
        lambda m: (
            heard.append(m.text)
            if m.type in {"error", "warning"} and "status of 40" not in m.text
            else None
        ),
    )
    page.on("pageerror", lambda error: heard.append(str(error)))
    yield heard
    assert not heard


def look(page: Page, name: str) -> None:
    """In light, in dark and on a phone: accessible, and no wider than the screen."""
    for theme, (scheme, width) in LOOKS.items():
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        found = Axe().run(page)
        assert found.violations_count == 0, f"{name}, {theme}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, theme)
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"{name}-{theme}.png", full_page=True)


def code(key: str) -> str:
    """RFC 6238 with its defaults: SHA-1, 30 seconds, six digits."""
    counter = struct.pack(">Q", int(time.time()) // 30)
    digest = hmac.new(base64.b32decode(key), counter, hashlib.sha1).digest()
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def test_an_invited_person_signs_up_and_turns_on_the_second_factor(
    shared_stack: Stack, page: Page, complaints: list[str]
) -> None:
    url = shared_stack.url
    page.goto(f"{url}/sign-up/")
    expect(page.get_by_role("heading", name="By invitation")).to_be_visible()
    look(page, "closed")
    page.goto(f"{url}/sign-up/not-a-token/")
    look(page, "invitation-ended")
    page.goto(f"{url}/password/reset/")
    expect(page.locator("main")).to_contain_text("This server doesn't send email")
    look(page, "no-mail")

    page.goto(url + Invitation.objects.create().path)
    page.get_by_label("Username").fill("carol")
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_label("Password (again)").fill("short")
    page.keyboard.press("Enter")
    expect(page.locator(".err").first).to_be_visible()
    look(page, "sign-up")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password (again)").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Account: carol")).to_be_visible()

    page.goto(f"{url}/password/")
    look(page, "password")
    page.goto(f"{url}/two-factor/")
    look(page, "two-factor-off")
    page.get_by_role("link", name="Turn on").click()
    expect(page.get_by_role("heading", name="Confirm that it's you")).to_be_visible()
    look(page, "again")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("img", name="QR code for the key below")).to_be_visible()
    look(page, "two-factor-app")
    key = page.locator("code.secret").inner_text()
    page.get_by_label("Authenticator code").fill(code(key))
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    look(page, "recovery-codes")
    recovery = page.locator("pre.secret").inner_text().splitlines()
    assert len(recovery) == 10
    page.get_by_role("link", name="Done").click()
    expect(page.locator("main")).to_contain_text("10 recovery codes left")
    look(page, "two-factor-on")
    page.goto(f"{url}/two-factor/codes/new/")
    look(page, "new-codes")
    page.goto(f"{url}/two-factor/app/remove/")
    look(page, "two-factor-remove")

    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("button", name="Account: carol").click()
    page.get_by_role("button", name="Sign out").click()
    look(page, "sign-in")
    sign_in(page)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    page.goto(f"{url}/tokens/")
    expect(page).to_have_url(re.compile("/sign-in/"))  # the password alone is not enough
    page.get_by_label("Code").fill("000000")
    page.keyboard.press("Enter")
    expect(page.locator(".err")).to_contain_text("Incorrect code")
    look(page, "second-factor")
    page.get_by_label("Code").fill(recovery[0])
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Account: carol")).to_be_visible()


def test_a_wrong_password_says_so(shared_stack: Stack, page: Page, complaints: list[str]) -> None:
    page.goto(f"{shared_stack.url}/sign-in/")
    sign_in(page)
    expect(page.get_by_role("alert")).to_have_text(re.compile("This name and password don't match"))
    look(page, "wrong-password")


def sign_in(page: Page) -> None:
    page.get_by_label("Username").fill("carol")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
