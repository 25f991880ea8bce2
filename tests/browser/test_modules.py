"""The pages' JavaScript modules on their own, in a real browser: what frames and renderings draw,
and texts that the server also writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, Route

from tasks_ui.models import State, TaskRun
from tasks_ui.protocol import SOCKET_PATH
from tasks_ui.runs import waiting, wording

pytestmark = pytest.mark.browser

MODULES = Path(settings.BASE_DIR) / "tasks_ui/static/tasks_ui"
HOME = "http://modules.test"

LANE = """<li data-task="a" data-attempt="{attempt}" data-state="{state}" data-stage-of="agents"
  data-weight="40"><svg class="glyph" aria-label="{word}"><use href="s.svg#{state}"/></svg>
  <progress data-bar="a" data-state="{state}" max="{total}" {value}></progress>
  <span data-unit>{unit}</span></li>"""

RUN = """<div class="hero" data-attempt="1"><span data-number>{percent}</span>
  <ol><li data-stage="scan" data-weight="60"><progress max="100" value="100"
    data-state="SUCCESS" data-stage-bar="scan"></progress></li>
  <li data-stage="agents" data-weight="40"><progress max="100" value="{stage}"
    data-state="PROGRESS" data-stage-bar="agents"></progress></li></ol></div>
  <ul>{lane}</ul>"""

ROW = """<li data-task="r" data-attempt="{attempt}" data-state="PROGRESS">
  <progress data-bar="r" data-state="PROGRESS" max="100" value="{percent}"></progress>
  <b data-percent>{percent}\N{NO-BREAK SPACE}%</b></li>"""


@pytest.fixture
def modules(page: Page) -> Iterator[Page]:
    """An empty page that can import the modules. The test fails if the console reports anything."""
    heard: list[str] = []
    page.on("pageerror", lambda error: heard.append(str(error)))

    def serve(route: Route) -> None:
        name = route.request.url.removeprefix(f"{HOME}/")
        if not name.endswith(".js"):
            route.fulfill(content_type="text/html", body="<!doctype html><main></main>")
        else:
            route.fulfill(content_type="text/javascript", body=(MODULES / name).read_text())

    page.route(f"{HOME}/**", serve)
    page.goto(f"{HOME}/")
    yield page
    assert not heard


def lane(state: str, current: int = 0, *, attempt: int = 1, total: int = 493) -> str:
    """The HTML of an agent's lane, as the server renders it."""
    return LANE.format(
        state=state,
        attempt=attempt,
        total=total,
        value="" if state == "STARTED" else f'value="{current}"',
        unit="counting" if state == "STARTED" else f"{current} of {total}",
        word="Starting" if state == "STARTED" else "Running",
    )


def show(page: Page, html: str) -> None:
    page.evaluate("html => (document.querySelector('main').innerHTML = html)", html)


def render(page: Page, html: str) -> None:
    """Apply a rendering, as a page does after an event."""
    page.evaluate(
        """async (html) => {
            const { morph } = await import("/morph.js")
            const { drawNumber } = await import("/bars.js")
            const fresh = document.createElement("main")
            fresh.innerHTML = html
            morph(document.querySelector("main"), fresh)
            drawNumber()
        }""",
        html,
    )


def frame(page: Page, task: str, current: int, *, total: int = 493, **more: Any) -> None:
    page.evaluate(
        "async (frame) => (await import('/bars.js')).drawProgress(frame)",
        {"id": task, "current": current, "total": total, **more},
    )


def shown(page: Page, task: str = "a") -> tuple[str, str, float | None]:
    """The row's state, its glyph's, and the fraction of its bar, None while it is indeterminate."""
    found: list[Any] = page.evaluate(
        """(task) => {
            const row = document.querySelector(`[data-task="${task}"]`)
            const bar = row.querySelector("progress")
            const glyph = row.querySelector("use")?.getAttribute("href").split("#")[1] ?? ""
            return [row.dataset.state, glyph, bar.position < 0 ? null : bar.position]
        }""",
        task,
    )
    return found[0], found[1], found[2]


def test_a_rendering_that_is_older_than_a_frame_does_not_make_a_bar_indeterminate_again(
    modules: Page,
) -> None:
    show(modules, lane("STARTED"))
    assert shown(modules) == ("STARTED", "STARTED", None)
    frame(modules, "a", 493, attempt=1)
    assert shown(modules) == ("PROGRESS", "PROGRESS", 1)
    render(modules, lane("STARTED"))  # read before the worker stored its progress
    assert shown(modules) == ("PROGRESS", "PROGRESS", 1)
    assert modules.locator("[data-unit]").inner_text() == "493 of 493"
    render(modules, lane("PROGRESS", 300))
    assert shown(modules) == ("PROGRESS", "PROGRESS", 1)
    render(modules, lane("STARTED", attempt=2))
    assert shown(modules) == ("STARTED", "STARTED", None), "a later attempt starts over"


def test_a_frame_of_an_earlier_attempt_or_of_less_work_moves_nothing(modules: Page) -> None:
    show(modules, lane("PROGRESS", 100, attempt=2))
    frame(modules, "a", 493, attempt=1)
    frame(modules, "a", 99, attempt=2)
    assert shown(modules)[2] == pytest.approx(100 / 493)
    assert modules.locator("[data-unit]").inner_text() == "100 of 493"


def test_the_number_of_a_run_is_that_of_its_bars_whatever_comes_first(modules: Page) -> None:
    show(modules, RUN.format(percent=60, stage="0.00", lane=lane("PROGRESS", 0, total=100)))
    for current in (10, 75, 50):
        frame(modules, "a", current, total=100, attempt=1)
        assert_number_is_that_of_bars(modules)
    assert modules.locator("[data-number]").inner_text() == "90"
    assert modules.title().startswith("90 % ")
    older = RUN.format(percent=61, stage="2.50", lane=lane("PROGRESS", 3, total=100))
    render(modules, older)
    assert_number_is_that_of_bars(modules)
    assert modules.locator("[data-number]").inner_text() == "90"


def assert_number_is_that_of_bars(page: Page) -> None:
    bars: float = page.evaluate(
        """[...document.querySelectorAll("[data-stage]")]
            .reduce((sum, li) => sum + li.dataset.weight * li.firstElementChild.position, 0)"""
    )
    assert int(page.locator("[data-number]").inner_text()) == int(bars + 1e-6)


def test_the_number_in_a_row_is_that_of_its_bar(modules: Page) -> None:
    show(modules, ROW.format(percent=61, attempt=1))
    for current in (90, 61):
        frame(modules, "r", current, total=100)
    render(modules, ROW.format(percent=61, attempt=1))
    assert shown(modules, "r")[2] == 0.9
    assert modules.locator("[data-percent]").inner_text() == "90\N{NO-BREAK SPACE}%"
    render(modules, ROW.format(percent=61, attempt=2))
    assert shown(modules, "r")[2] == 0.61
    assert modules.locator("[data-percent]").inner_text() == "61\N{NO-BREAK SPACE}%"


def call(page: Page, name: str, arguments: list[list[Any]]) -> list[str]:
    """The results of a function in words.js for each of many arguments."""
    words: list[str] = page.evaluate(
        """async ([name, many]) => {
            const words = await import("/words.js")
            return many.map((each) => words[name](...each))
        }""",
        [name, arguments],
    )
    return words


def test_the_pages_ask_at_the_servers_addresses() -> None:
    said = dict(
        re.findall(r'export const (API|SOCKET) = "(\S+)"', (MODULES / "ask.js").read_text())
    )
    assert f"{said['API']}/tasks/" == reverse("api-v1:list_tasks")
    assert said["SOCKET"] == SOCKET_PATH
    for module in MODULES.glob("*.js"):
        if module.name != "ask.js":
            assert not re.search(r"/(api|ws)/v1", module.read_text()), module.name


def test_the_page_writes_spans_as_the_server_does(modules: Page) -> None:
    spans = [-5.0, 0.0, 0.4, 0.999, *(n / 4 for n in range(16_000))]
    spans += [n * 3599.5 for n in range(1, 400)]
    assert call(modules, "clock", [[s] for s in spans]) == [wording.clock(s) for s in spans]


def test_the_page_writes_the_time_left_as_the_server_does(modules: Page) -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    earlier: list[waiting.Bounds | None] = [None, (18.0, 24.5), (3.0, 700.0)]
    cases = [
        (elapsed, percent, usual)
        for elapsed in (0, 2.5, 3, 7.25, 20, 61, 600, 4000, 90_000)
        for percent in range(101)
        for usual in earlier
    ]

    def from_server(elapsed: float, percent: int, usual: waiting.Bounds | None) -> str:
        run = TaskRun(state=State.PROGRESS, current=percent, total=100, attempt=1)
        run.started_at = now - timedelta(seconds=elapsed)
        return waiting.left_words(run, now, usual=usual)

    on_page = call(
        modules, "leftWords", [[elapsed, percent / 100, usual] for elapsed, percent, usual in cases]
    )
    assert on_page == [from_server(*case) for case in cases]


def test_the_page_writes_moments_as_the_server_does(context: BrowserContext, modules: Page) -> None:
    now = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
    ages = [
        *range(-3, 200, 7),
        *range(200, 400_000, 1_801),
        *(86_400 * n for n in range(5, 400, 9)),
    ]
    on_page = modules.evaluate(
        """async ([now, ages]) => {
            const { when } = await import("/words.js")
            return ages.map((age) => when(new Date(now - 1000 * age), new Date(now)))
        }""",
        [now.timestamp() * 1000, ages],
    )
    assert on_page == [wording.when(now - timedelta(seconds=age), now) for age in ages]


def test_a_patch_is_copied_as_it_stands(context: BrowserContext) -> None:
    """The clipboard exists only in secure contexts."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    patch = "--- a/main.tf\n+++ b/main.tf\n@@ -1 +1 @@\n-a\n+b\n"
    figure = f"<figure><button data-copy>Copy patch</button><pre>{patch}</pre></figure>"

    def serve(route: Route) -> None:
        if route.request.url.endswith("copy.js"):
            text = (MODULES / "copy.js").read_text()
            route.fulfill(content_type="text/javascript", body=text)
        else:
            route.fulfill(content_type="text/html", body=f"<!doctype html>{figure}")

    page.route("https://modules.test/**", serve)
    page.goto("https://modules.test/")
    page.evaluate("import('/copy.js').then((module) => module.offerCopies())")
    page.get_by_role("button", name="Copy patch").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == patch


def test_without_a_clipboard_no_copy_button_is_offered(modules: Page) -> None:
    modules.evaluate("import('/copy.js').then((module) => module.offerCopies())")
    assert modules.evaluate("document.documentElement.classList.contains('copies')") is False
