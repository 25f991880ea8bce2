"""Take the pictures of docs/screenshots from a running Infra Mind, with its own sample.

    make run                                                            # in one terminal
    .venv/bin/python scripts/screenshots.py http://127.0.0.1:8000       # in another

It signs in as the demo account, starts the sample, and takes each page in light, dark and at 390 px: the dashboard and
a run at work, cut off from the server, cancelled and done; the admin's pages; and, as somebody who has just signed up,
the dashboard with nothing on it. ``--only run`` takes the pictures whose name holds "run".
"""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from infra_mind.supervisor import DEMO_PASSWORD, DEMO_USERNAME
from tests.browser_fixtures import CHROMIUM_ARGUMENTS, chromium_path

LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1440, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1440, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}
PAGES = {
    "dashboard": "/",
    "dashboard-filtered": "/?state=attention&q=vpc",
    "findings": "/findings/",
    "recommendations": "/recommendations/",
    "reports": "/reports/",
    "connection": "/connection/",
}
ADMIN_PAGES = {
    "admin-tasks": "/admin/tasks_ui/taskrun/",
    "admin-tasks-filtered": "/admin/tasks_ui/taskrun/?state=REVOKED&level=all",
    "admin-nothing": "/admin/tasks_ui/taskrun/?state=FAILURE",
    "admin-queues": "/admin/tasks_ui/taskrun/queues/",
}
RUN_TIMEOUT_MS = 120_000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--to", type=Path, default=Path("docs/screenshots"))
    parser.add_argument("--only", default="")
    parser.add_argument("--full", action="store_true", help="the whole page, not what a window shows of it")
    parser.add_argument("--looks", nargs="+", choices=list(LOOKS), default=list(LOOKS))
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS)
        for look in options.looks:
            take_all(browser, options, look)
        browser.close()


def take_all(browser: Browser, options: argparse.Namespace, look: str) -> None:
    context = browser.new_context(**LOOKS[look])  # type: ignore[arg-type]
    page = context.new_page()
    page.on("console", lambda message: print(f"{look}: {message.type}: {message.text}"))

    def shot(name: str) -> None:
        if options.only in name:
            page.evaluate("scrollTo(0, 0)")
            page.mouse.move(0, 0)
            page.screenshot(path=options.to / f"{name}-{look}.png", full_page=options.full)

    page.goto(f"{options.url}/sign-in/")
    shot("sign-in")
    take_empty(page, options.url, shot)
    page.goto(f"{options.url}/sign-in/")
    page.get_by_label("Username").fill(DEMO_USERNAME)
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{options.url}/assessments/new/")
    shot("new-assessment")
    take_cancelled(page, options.url, shot)
    take_run(page, options.url, shot)
    take_rest(page, options.url, shot)
    take_admin(page, options.url, shot)
    context.close()


def take_empty(page: Page, url: str, shot: Callable[[str], None]) -> None:
    """The dashboard of an account that was made for this picture."""
    password = secrets.token_urlsafe(16)
    page.goto(f"{url}/sign-up/")
    page.get_by_label("Username").fill(f"new-{secrets.token_hex(4)}")
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Password confirmation").fill(password)
    page.get_by_role("button", name="Sign up").click()
    expect(page.locator("#conn")).to_have_text("Live")
    shot("dashboard-empty")
    page.locator("[popovertarget=account]").first.click()
    page.get_by_role("button", name="Sign out").click()


def take_cancelled(page: Page, url: str, shot: Callable[[str], None]) -> None:
    start_sample(page, url)
    page.wait_for_selector("#agents [data-bar], #findings .find", timeout=RUN_TIMEOUT_MS)
    page.get_by_role("button", name="Cancel run").click()
    expect(page.locator("#head .badge")).to_have_text("Cancelled", timeout=RUN_TIMEOUT_MS)
    shot("run-cancelled")


def take_run(page: Page, url: str, shot: Callable[[str], None]) -> None:
    start_sample(page, url)
    page.wait_for_selector("#agents progress[data-state=SUCCESS], #pillars", timeout=RUN_TIMEOUT_MS)
    shot("run-working")
    address = page.url
    page.goto(url)
    expect(page.locator("#conn")).to_have_text("Live")
    shot("dashboard-working")
    page.goto(address)
    page.wait_for_selector("#agents [data-bar], #pillars", timeout=RUN_TIMEOUT_MS)
    page.context.set_offline(True)
    expect(page.locator("#conn")).to_have_text("Offline")
    shot("run-offline")
    page.context.set_offline(False)
    page.wait_for_selector("#pillars", timeout=RUN_TIMEOUT_MS)
    page.wait_for_selector(".rec", timeout=RUN_TIMEOUT_MS)
    page.locator(".find > summary .t").first.click()
    page.wait_for_selector(".find[open] [data-loaded]")
    expect(page.locator("#conn")).to_have_text("Live", timeout=RUN_TIMEOUT_MS)
    shot("run-done")


def take_rest(page: Page, url: str, shot: Callable[[str], None]) -> None:
    for name, path in PAGES.items():
        page.goto(f"{url}{path}")
        expect(page.locator("#conn")).to_have_text("Live")
        expect(page.locator("#checks:not([data-done])")).to_have_count(0, timeout=RUN_TIMEOUT_MS)
        shot(name)


def take_admin(page: Page, url: str, shot: Callable[[str], None]) -> None:
    """The operators' pages, which the demo account may see."""
    for name, path in ADMIN_PAGES.items():
        page.goto(f"{url}{path}")
        shot(name)
    page.goto(f"{url}{ADMIN_PAGES['admin-tasks']}")
    page.locator("#result_list tbody th a").first.click()
    shot("admin-task")


def start_sample(page: Page, url: str) -> None:
    page.goto(f"{url}/assessments/new/")
    page.get_by_role("button", name="Try the sample").first.click()


if __name__ == "__main__":
    main()
