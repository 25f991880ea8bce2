"""Take screenshots of the pages of a running Infra Mind, with its own sample, into .screenshots.

    make run                                                            # in one terminal
    .venv/bin/python scripts/screenshots.py http://127.0.0.1:8000       # in another

For each look (light, dark, and 390 px wide) it signs up, captures the empty dashboard, starts the
sample, and captures each page: the dashboard and a run that is queued, working, disconnected from
the server, cancelled, failed and done; then, as the demo account, the admin's pages. ``--only run``
takes the screenshots whose name contains "run". Run it in the folder where ``make run`` is running:
for the failed run it also accesses the database.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path

import django
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
    "admin-tasks-failed": "/admin/tasks_ui/taskrun/?state=FAILURE",
    "admin-nothing": "/admin/tasks_ui/taskrun/?q=nothing-has-this-name",
    "admin-queues": "/admin/tasks_ui/taskrun/queues/",
}
RUN_TIMEOUT_MS = 120_000
LOST_TIMEOUT_S = 120
AT_ONCE = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--to", type=Path, default=Path(".screenshots"))
    parser.add_argument("--only", default="")
    parser.add_argument(
        "--full", action="store_true", help="the whole page, not what a window shows of it"
    )
    parser.add_argument("--looks", nargs="+", choices=list(LOOKS), default=list(LOOKS))
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    os.environ["DJANGO_SETTINGS_MODULE"] = "infra_mind.settings"
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright's loop runs in this thread
    django.setup()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS
        )
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
    name = sign_up(page, options.url)
    shot("dashboard-empty")
    page.goto(f"{options.url}/assessments/new/")
    shot("new-assessment")
    take_cancelled(page, options.url, shot)
    take_failed(page, options.url, shot, owner=name)
    take_run(page, options.url, shot)
    take_rest(page, options.url, shot)
    page.locator("[popovertarget=account]").first.click()
    page.get_by_role("button", name="Sign out").click()
    take_admin(page, options.url, shot)
    context.close()


def sign_up(page: Page, url: str) -> str:
    """Create an account for the screenshots; returns its name."""
    name, password = f"ada-{secrets.token_hex(3)}", secrets.token_urlsafe(16)
    page.goto(f"{url}/sign-up/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Password (again)").fill(password)
    page.get_by_role("button", name="Sign up").click()
    expect(page.locator("#conn")).to_have_text("Live")
    return name


def take_cancelled(page: Page, url: str, shot: Callable[[str], None]) -> None:
    start_sample(page, url)
    page.wait_for_selector("#agents [data-bar], #findings .find", timeout=RUN_TIMEOUT_MS)
    page.get_by_role("button", name="Cancel run").click()
    expect(page.locator("#head .badge")).to_have_text("Cancelled", timeout=RUN_TIMEOUT_MS)
    shot("run-cancelled")


def take_failed(page: Page, url: str, shot: Callable[[str], None], *, owner: str) -> None:
    """A run whose worker is lost at every attempt, which no input can cause.

    Each attempt is claimed in the name of a worker that does not exist, so its lease expires; the
    reconciler does the rest. The queue is paused meanwhile, so that no real worker takes the run.
    """
    from django.contrib.auth.models import User
    from django.db.models.functions import Now

    from tasks_ui.models import State, TaskRun
    from tasks_ui.runs import queues
    from tasks_ui.runs.transitions import transition

    demo = User.objects.get(username=DEMO_USERNAME)
    queues.pause("assessments", by=demo)
    try:
        start_sample(page, url)
        page.wait_for_selector("#head .badge")
        shot("run-queued")
        run = TaskRun.objects.filter(owner__username=owner, parent=None).latest("queued_at")
        ends = time.monotonic() + LOST_TIMEOUT_S
        while run.state != State.FAILURE and time.monotonic() < ends:
            transition(
                run,
                State.STARTED,
                lease_until=Now(),
                started_at=run.started_at or Now(),
                worker="lost@nowhere",
            )
            time.sleep(0.5)
            run.refresh_from_db()
        expect(page.locator("#head .badge")).to_have_text("Failed")
        shot("run-failed")
    finally:
        queues.resume("assessments", by=demo)


def take_run(page: Page, url: str, shot: Callable[[str], None]) -> None:
    """One assessment, first alone, then several at once, so that the bars move slowly enough for a
    screenshot."""
    start_sample(page, url)
    page.wait_for_selector("#pillars", timeout=RUN_TIMEOUT_MS)
    address = page.url
    run_again(page, address, times=AT_ONCE)
    page.goto(url)
    expect(page.locator("#conn")).to_have_text("Live")
    page.wait_for_selector(".run[data-state=PROGRESS]", timeout=RUN_TIMEOUT_MS)
    shot("dashboard-working")
    run_again(page, address, times=AT_ONCE)
    page.wait_for_selector("#agents progress[data-state=SUCCESS], #pillars", timeout=RUN_TIMEOUT_MS)
    shot("run-working")
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
    page.goto(f"{url}/sign-in/")
    page.get_by_label("Username").fill(DEMO_USERNAME)
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    for name, path in ADMIN_PAGES.items():
        page.goto(f"{url}{path}")
        shot(name)
    page.goto(f"{url}{ADMIN_PAGES['admin-tasks']}")
    page.locator("#result_list tbody th a").first.click()
    shot("admin-task")


def run_again(page: Page, address: str, *, times: int) -> None:
    """Press "Run again" on the page of a finished run; afterwards the page of the last new run is
    open."""
    for _ in range(times):
        page.goto(address)
        page.get_by_role("button", name="Run again").click()
        page.wait_for_url(lambda new: new != address)


def start_sample(page: Page, url: str) -> None:
    page.goto(f"{url}/assessments/new/")
    page.get_by_role("button", name="Try the sample").first.click()


if __name__ == "__main__":
    main()
