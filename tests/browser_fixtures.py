"""A real Chromium, driven by Playwright: one on the machine, otherwise Playwright's own; otherwise
the test is skipped with the reason (and in CI it fails)."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # Chromium refuses to run as root with it
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def chromium_path() -> str | None:
    """CHROMIUM_PATH, or the first Chromium or Chrome on PATH; None lets Playwright use its own."""
    found = (shutil.which(name) for name in CHROMIUM_NAMES)
    return os.environ.get("CHROMIUM_PATH") or next((path for path in found if path), None)


class Chromium:
    """The browser of all tests. It is started again if it had to be killed."""

    def __init__(self, playwright: Playwright) -> None:
        self._playwright = playwright
        self._browser: Browser | None = None

    def running(self) -> Browser:
        if self._browser is None or not self._browser.is_connected():
            self._browser = self._playwright.chromium.launch(
                executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS
            )
        return self._browser

    def close(self, context: BrowserContext) -> None:
        """Close a context. Once in some hundred times Chromium never answers this, and the test
        would wait until its limit: then it is killed."""
        watch = threading.Timer(CLOSE_S, self._kill)
        watch.start()
        try:
            context.close()
        except Error:
            if self._browser and self._browser.is_connected():
                raise
        finally:
            watch.cancel()

    def end(self) -> None:
        if self._browser and self._browser.is_connected():
            self._browser.close()

    def _kill(self) -> None:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "chrom" in process.name() and "--type=" not in " ".join(process.cmdline()):
                    process.kill()


CLOSE_S = 30


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        chromium = Chromium(playwright)
        yield chromium
        chromium.end()


@pytest.fixture
def browser(chromium: Chromium) -> Browser:
    try:
        return chromium.running()
    except Error as error:
        reason = f"No Chromium could be started: {error.message.splitlines()[0]}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def context(browser: Browser, chromium: Chromium) -> Iterator[BrowserContext]:
    """A browser profile for this test only."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    expect.set_options(timeout=15_000)
    yield context
    chromium.close(context)


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()
