"""The map in a real browser: it fills while a run is working, and everything is reachable by
keyboard, by search and without a script."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.test_journey import (  # noqa: F401 - fixtures
    DONE_MS,
    account,
    check,
    home,
    sign_in,
    start_sample,
)
from tests.stack import Stack

pytestmark = pytest.mark.browser


INTERNET_IS_IN_VIEW = """() => {
  const entry = document.querySelector("svg.map .internet rect").getBoundingClientRect()
  const view = document.getElementById("map-view").getBoundingClientRect()
  const isAcross = entry.left >= view.left && entry.right <= view.right
  return isAcross && entry.top >= view.top && entry.bottom <= view.bottom
}"""


def zoom_of(page: Page) -> float:
    return float(page.locator("svg.map").get_attribute("data-zoom") or 0)


def test_the_map_fills_during_a_run_and_is_read_by_mouse_keyboard_and_search(
    page: Page,
    home: str,  # noqa: F811
    browser: Browser,
    context: BrowserContext,
    shared_stack: Stack,
) -> None:
    start_sample(page)
    page.get_by_role("link", name="Map", exact=True).click()
    page.evaluate("document.documentElement.dataset.loaded = 'once'")
    counts = page.locator("svg.map .box .count")
    expect(counts.first).to_be_visible(timeout=DONE_MS)
    expect(page.locator("#drawing")).to_have_count(1)
    assert page.evaluate("document.documentElement.dataset.loaded") == "once"
    expect(page.locator("#map-page [data-watch]")).to_have_count(0, timeout=DONE_MS)

    traces_a_path_through_a_live_update(page)

    reads_by_keyboard(page)
    folds_and_opens(page)
    zooms(page)
    finds(page)
    keeps_what_is_typed_meanwhile(page)
    page.get_by_role("link", name="Show cost").click()
    expect(page.locator("svg.map .cost").first).to_contain_text("$")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export SVG").click()
    assert Path(download.value.path()).read_text().startswith("<svg")

    check(page)
    without_a_script(browser, context, page.url)


def traces_a_path_through_a_live_update(page: Page) -> None:
    """The page asks for its newest rendering once it is connected; adopting that once put out what
    was lit."""
    held: list[Route] = []
    page.route(
        "**/map/",
        lambda route: (
            held.append(route) if route.request.resource_type == "fetch" else route.continue_()
        ),
    )
    with page.expect_request(lambda request: request.resource_type == "fetch"):
        page.reload()
    expect(page.locator("svg.map .internet")).to_be_visible()
    page.wait_for_function(INTERNET_IS_IN_VIEW)
    path = page.locator(".map-path").first
    path.locator("summary").click()
    lit = page.locator("svg.map.tracing .line.path.lit").first
    expect(lit).to_be_attached()
    expect(path.locator("ol > li").first).to_contain_text("Port")
    page.evaluate("document.getElementById('map-page').dataset.older = 'yes'")
    for route in held:
        route.continue_()
    page.unroute("**/map/")
    expect(page.locator("#map-page:not([data-older])")).to_be_attached()
    expect(lit).to_be_attached()


def reads_by_keyboard(page: Page) -> None:
    page.locator("#map-view").focus()
    page.keyboard.press("ArrowRight")
    focused = page.locator("svg.map .box:has(a:focus)")
    first = focused.get_attribute("data-box")
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
        expect(focused).to_have_count(1)
    page.keyboard.press("ArrowRight")
    assert focused.get_attribute("data-box") and first
    name = focused.locator(".name").text_content() or ""
    page.keyboard.press("Enter")
    expect(page.locator("#picked")).to_be_focused()
    expect(page.locator("#picked-name")).to_have_text(name)
    page.get_by_role("link", name="Close").click()
    expect(page.locator("#picked")).to_have_count(0)


def folds_and_opens(page: Page) -> None:
    frames = page.locator("svg.map .frame.network")
    count = page.locator("svg.map .box").count()
    frames.first.locator("a").focus()
    box = frames.first.get_attribute("data-box")
    page.keyboard.press("Enter")
    folded = page.locator(f"svg.map .box.folded[data-box={box}]")
    expect(folded).to_be_visible()
    assert page.locator("svg.map .box").count() < count
    expect(folded.locator("a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(folded).to_have_count(0)
    expect(page.locator("svg.map .box")).to_have_count(count)


def zooms(page: Page) -> None:
    before = zoom_of(page)
    page.get_by_role("button", name="Zoom in").click()
    assert zoom_of(page) > before
    page.locator("#map-view").focus()
    page.keyboard.press("-")
    assert zoom_of(page) == pytest.approx(before, abs=0.02)
    page.get_by_role("button", name="Fit").click()


def finds(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("orders")
    expect(page.locator("svg.map.searching .box.hit").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#resources tbody tr")).to_have_count(1)
    expect(page.locator("svg.map .box.hit").first).to_be_visible()
    page.get_by_role("link", name="Reset").click()
    expect(page.get_by_role("link", name="Reset")).to_have_count(0)
    expect(page.locator("svg.map.searching")).to_have_count(0)


def keeps_what_is_typed_meanwhile(page: Page) -> None:
    """The answer to an earlier choice once emptied the field, and took the focus from it."""
    held: list[Route] = []
    page.route("**/map/?*", lambda route: held.append(route))
    with page.expect_request("**/map/?*"):
        page.get_by_role("link", name="Hide references").click()
    field = page.get_by_label("Find a resource")
    field.press_sequentially("orders")
    held[0].continue_()
    page.unroute("**/map/?*")
    expect(page.get_by_role("link", name="Show references")).to_be_visible()
    expect(field).to_have_value("orders")
    expect(field).to_be_focused()
    expect(page.locator("svg.map.searching .box.hit").first).to_be_visible()
    field.fill("")
    expect(page.locator("svg.map.searching")).to_have_count(0)


def without_a_script(browser: Browser, context: BrowserContext, url: str) -> None:
    plain = browser.new_context(java_script_enabled=False, storage_state=context.storage_state())
    page = plain.new_page()
    page.goto(url.split("?")[0])
    rows = page.locator("#resources tbody tr")
    expect(rows.first).to_be_visible()
    expect(page.locator("svg.map .box").first).to_be_visible()
    expect(page.locator(".map-zoom")).to_be_hidden()
    page.get_by_label("Find a resource").fill("orders")
    page.get_by_role("button", name="Find").click()
    expect(rows).to_have_count(1)
    rows.first.get_by_role("link").click()
    expect(page.locator("#picked")).to_be_visible()
    plain.close()
