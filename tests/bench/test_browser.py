"""What fifty moving bars cost the browser."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tasks_ui import groups
from tasks_ui.models import State, TaskRun
from tasks_ui.publisher import publisher
from tests.stack import Stack, wait_until

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.browser

BARS = 50


@pytest.fixture(autouse=True)
def all_gone(shared_stack: Stack) -> Iterator[None]:
    """No worker has these runs, so nothing would end them."""
    yield
    TaskRun.objects.all().delete()


def test_fifty_running_bars_leave_the_browser_nearly_idle(
    shared_stack: Stack,
    page: Page,
    alice: User,
    queue_probe: Callable[..., TaskRun],
    size: Callable[[int, int], int],
) -> None:
    """Each run reports once a second, as a worker does to its owner's sockets. Processor time is
    the total of Chromium's processes, which draw without a graphics card here, in percent of one
    core."""
    runs = [queue_probe(queue="nobody", title=f"task {n}") for n in range(BARS)]
    TaskRun.objects.filter(owner=alice).update(
        state=State.PROGRESS,
        attempt=1,
        total=1000,
        started_at=timezone.now(),
        lease_until=timezone.now() + timedelta(hours=1),
    )
    page.goto(shared_stack.url)
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("a password of alice")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".run progress")).to_have_count(BARS)
    expect(page.locator("#conn")).to_have_text("Live")
    percent = page.locator("[data-percent]").first

    def moves() -> bool:
        report(runs, 100)
        return "10" in percent.inner_text()

    wait_until(moves, timeout_s=30, what="the first push", step_s=1)
    seconds, before = size(3, 20), chromium_seconds()
    begun = time.monotonic()
    for step in range(seconds):
        report(runs, 101 + step * 20)
        page.wait_for_timeout(1000)
    share = 100 * (chromium_seconds() - before) / (time.monotonic() - begun)
    print(
        f"\n{BARS} bars, one report a second each: the browser takes {share:.1f} % of one core",
        end="",
    )
    expect(percent).to_contain_text(f"{(101 + (seconds - 1) * 20) // 10}")
    assert share < 40  # the goal is 10, on an otherwise idle machine


def report(runs: list[TaskRun], current: int) -> None:
    for run in runs:
        frame: dict[str, Any] = {
            "type": "task.progress",
            "task_id": str(run.pk),
            "parent_id": None,
            "owner_id": run.owner_id,
            "attempt": 1,
            "current": current,
            "total": 1000,
            "message": f"Reading part {current}",
            "children": {},
        }
        publisher().progress(groups.user(run.owner_id), str(run.pk), frame)


def chromium_seconds() -> float:
    """Processor time of the browser that Playwright started for these tests, its helpers
    included."""
    family = psutil.Process().children(recursive=True)
    times = [process.cpu_times() for process in family if "chrom" in process.name()]
    assert times
    return sum(each.user + each.system for each in times)
