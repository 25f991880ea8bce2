"""What a person does and sees, in a real browser, with real workers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from playwright.sync_api import (
    BrowserContext,
    FilePayload,
    Page,
    Route,
    WebSocketRoute,
    expect,
)

from assessments.attention import reasons_of
from assessments.models import AgentReport, AssessmentRun
from assessments.requirements import Requirements
from assessments.services import create_assessment, start_analysis
from tasks_ui.models import PausedQueue, State, TaskRun
from tasks_ui.runs import queues
from tasks_ui.runs.services import request_cancel
from tests.browser.conftest import let_in
from tests.stack import Stack, wait_until

pytestmark = pytest.mark.browser

NAME, PASSWORD = "alice", "a password of alice"
DONE_MS = 90_000
RECORD_BARS = """() => {
  window.seen = {}
  window.disagreements = []
  const note = () => {
    for (const bar of document.querySelectorAll("progress")) {
      const name = bar.dataset.stageBar ?? bar.getAttribute("aria-label")
      const values = (window.seen[name] ??= [])
      const value = bar.hasAttribute("value") ? bar.value / bar.max : "counting"
      if (values.at(-1) !== value) values.push(value)
    }
    const percent = document.querySelector("[data-number]")?.textContent
    const values = (window.seen.percent ??= [])
    if (percent !== undefined && values.at(-1) !== percent) values.push(percent)
    let sum = 0
    for (const stage of document.querySelectorAll("[data-stage]"))
      sum += (stage.dataset.weight * stage.querySelector("progress").value) / 100
    if (percent !== undefined && Number(percent) !== Math.min(99, Math.floor(sum + 1e-6)))
      window.disagreements.push(`${percent} % beside bars of ${sum} %`)
    requestAnimationFrame(note)
  }
  note()
}"""


@pytest.fixture(autouse=True)
def account(shared_stack: Stack) -> Iterator[User]:
    yield User.objects.create_user(NAME, password=PASSWORD)
    wait_until(
        lambda: not TaskRun.objects.active().exists(), timeout_s=90, what="the end of all runs"
    )


@pytest.fixture
def home(page: Page, shared_stack: Stack, complaints: list[str], account: User) -> str:
    """The dashboard, by a session; the form is filled in by the tests that are about it."""
    let_in(account, page.context, shared_stack.url)
    page.goto(shared_stack.url)
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    return shared_stack.url


def sign_in(page: Page, url: str) -> None:
    page.goto(url)
    page.get_by_label("Username").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()


def start_sample(page: Page) -> None:
    page.get_by_role("button", name="Try the sample").first.click()
    expect(page).to_have_url(re.compile(r"/assessments/[0-9a-f-]+/runs/1/"))


def start_small(page: Page, url: str) -> None:
    """Open a run that takes a second or two, where what it finds doesn't matter."""
    start_questionnaire(_alice(), name="orders")
    run = AssessmentRun.objects.get()
    page.goto(f"{url}/assessments/{run.assessment_id}/runs/{run.number}/")


def _alice() -> User:
    return User.objects.get(username=NAME)


def test_from_sign_in_to_an_open_finding_with_bars_that_move_without_a_reload(
    page: Page, shared_stack: Stack, complaints: list[str]
) -> None:
    sign_in(page, shared_stack.url)
    start_sample(page)
    page.evaluate(RECORD_BARS)
    page.evaluate("document.documentElement.dataset.loaded = 'once'")
    expect(page.locator("#pillars")).to_be_visible(timeout=DONE_MS)

    assert page.evaluate("document.documentElement.dataset.loaded") == "once", (
        "the page was loaded again"
    )
    seen: dict[str, list[Any]] = page.evaluate("window.seen")
    live = [name for name, values in seen.items() if len(values) > 1]
    assert {"scan", "percent"} <= set(live) and len(live) >= 4, seen
    # Short lanes and stages may come and go between two frames; the longest stage never does.
    assert len([value for value in seen["scan"] if 0 < value < 1]) >= 2, seen["scan"]
    for name, values in seen.items():
        numbers = [float(value) for value in values if value != "counting"]
        assert numbers == sorted(numbers), f"{name} went back: {values}"
        after_start = [value for value in values if value != 0]
        assert "counting" not in after_start[1:], f"{name} counted again: {values}"
    assert not page.evaluate("window.disagreements")
    assert len(seen["percent"]) >= 3 and "100" not in seen["percent"], seen["percent"]

    expect(page.locator("#head .badge")).to_have_text("Done")
    expect(page.locator(".rec").first).to_be_visible(timeout=DONE_MS)
    finding = page.locator(".find").first
    place = finding.locator(".w .mono").inner_text()
    assert re.fullmatch(r"\S+\.\S+:\d+", place)
    finding.locator(".t").click()
    expect(finding.locator(".code li.hit")).to_have_attribute("data-n", place.rpartition(":")[2])
    finding.get_by_role("link", name="Open finding").click()
    expect(page.locator("main")).to_contain_text(place)
    expect(page.locator(".code li.hit")).to_be_visible()


def test_the_dashboard_moves_by_itself_in_another_tab(
    page: Page, home: str, context: BrowserContext
) -> None:
    start_sample(page)
    other = context.new_page()
    other.goto(home)
    expect(other.locator("#conn")).to_have_text("Live")
    row = other.locator(".run").filter(has=other.get_by_text("run 1", exact=True))
    expect(row).to_have_attribute("data-state", "SUCCESS", timeout=DONE_MS)
    expect(row.locator(".sevs b").first).to_be_visible()


def test_a_run_is_cancelled_and_the_page_says_so(page: Page, home: str) -> None:
    start_sample(page)
    page.get_by_role("button", name="Cancel run").click()
    expect(page.locator("#head .badge")).to_have_text("Cancelled", timeout=30_000)
    wait_until(
        lambda: TaskRun.objects.get(kind="process_assessment").state == State.REVOKED,
        timeout_s=30,
        what="it",
    )


def test_a_reload_in_the_middle_shows_the_same_run_and_it_goes_on(page: Page, home: str) -> None:
    start_sample(page)
    page.wait_for_selector("#scan [data-bar]", timeout=DONE_MS)
    page.reload()
    expect(page.locator("#pillars")).to_be_visible(timeout=DONE_MS)


def test_where_sockets_are_blocked_the_page_polls_and_says_so(
    context: BrowserContext, page: Page, home: str
) -> None:
    def refuse(route: WebSocketRoute) -> None:
        route.close(code=1011)

    page.route_web_socket(re.compile("/ws/v1/"), refuse)
    start_small(page, home)
    expect(page.locator("#conn")).to_have_attribute("data-conn", "polling", timeout=30_000)
    expect(page.locator("#pillars")).to_be_visible(timeout=DONE_MS)


def test_offline_is_said_and_what_happened_meanwhile_is_caught_up(
    context: BrowserContext, page: Page, home: str
) -> None:
    start_sample(page)
    context.set_offline(True)
    expect(page.locator("#conn")).to_have_text("Offline")
    wait_until(
        lambda: not TaskRun.objects.active().exists(), timeout_s=90, what="the end of the run"
    )
    context.set_offline(False)
    expect(page.locator("#conn")).to_have_text("Live", timeout=30_000)
    expect(page.locator("#pillars")).to_be_visible()


def test_pasted_text_with_a_refused_number_keeps_the_text_and_names_the_field(
    page: Page, home: str
) -> None:
    page.goto(f"{home}/assessments/new/")
    page.get_by_text("Paste text instead").click()
    page.get_by_label("File name").fill("main.tf")
    page.get_by_label("Text", exact=True).fill('resource "aws_s3_bucket" "logs" {}')
    page.get_by_label("Recovery point (RPO)").fill("-5")
    page.get_by_role("button", name="Analyze").click()
    summary = page.get_by_role("alert")
    expect(summary).to_contain_text("Enter 0 min or more.")
    expect(summary).to_be_focused()
    expect(page.get_by_label("Text", exact=True)).to_have_value(
        'resource "aws_s3_bucket" "logs" {}'
    )
    expect(page.get_by_label("Recovery point (RPO)")).to_have_attribute("aria-invalid", "true")


def test_chosen_files_are_listed_and_sent(page: Page, home: str) -> None:
    page.goto(f"{home}/assessments/new/")
    files: list[FilePayload] = [
        {
            "name": "main.tf",
            "mimeType": "text/plain",
            "buffer": b'resource "aws_s3_bucket" "logs" {}\n',
        },
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"words"},
    ]
    page.locator("#id_upload").set_input_files(files)
    page.get_by_role("button", name="Remove notes.txt").click()
    page.get_by_role("button", name="Analyze 1 file").click()
    expect(page.locator("#pillars")).to_be_visible(timeout=DONE_MS)
    expect(page.locator("#files")).to_contain_text("1 read")


def test_the_whole_way_works_without_javascript(
    context: BrowserContext, shared_stack: Stack
) -> None:
    assert context.browser is not None
    plain = context.browser.new_context(java_script_enabled=False)
    page = plain.new_page()
    sign_in(page, shared_stack.url)
    start_sample(page)
    wait_until(
        lambda: not TaskRun.objects.active().exists(), timeout_s=90, what="the end of the run"
    )
    page.reload()
    expect(page.locator("#pillars")).to_be_visible()
    page.locator(".find .t").first.click()
    page.get_by_role("link", name="Evidence and what to do").first.click()
    expect(page.locator(".code li.hit")).to_be_visible()
    plain.close()


def test_a_wrong_password_is_told_and_the_name_kept(page: Page, shared_stack: Stack) -> None:
    page.goto(shared_stack.url)
    page.get_by_label("Username").fill(NAME)
    page.get_by_label("Password").fill("not hers")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("This name and password don't match.")
    expect(page.get_by_label("Username")).to_have_value(NAME)
    expect(page.get_by_label("Password")).to_have_value("")


def test_nothing_yet_leads_to_the_sample_and_a_filter_that_finds_nothing_to_all_runs(
    page: Page, home: str
) -> None:
    expect(page.get_by_role("heading", name="Nothing has been analyzed yet")).to_be_visible()
    start_sample(page)
    page.get_by_role("button", name="Cancel run").click()
    expect(page.locator("#head .badge")).to_have_text("Cancelled", timeout=30_000)
    page.goto(home)
    page.get_by_label("Search runs").fill("no such name")
    expect(page.get_by_role("heading", name="No run matches “no such name”")).to_be_visible()
    page.locator(".empty").get_by_role("link", name="Clear filters").click()
    expect(page.locator(".run").first).to_be_visible()


def test_a_refresh_that_was_on_its_way_does_not_undo_a_search(
    page: Page, home: str, context: BrowserContext, queue_runs: list[TaskRun]
) -> None:
    page.reload()
    expect(page.locator("#conn")).to_have_text("Live")
    held: list[Route] = []
    page.route(
        home,
        lambda route: (
            held.append(route) if route.request.resource_type == "fetch" else route.continue_()
        ),
    )
    other = context.new_page()
    other.goto(home)
    other.locator(".run").first.get_by_role("button", name=re.compile("^Cancel")).click()
    expect(other.locator(".run[data-state=REVOKED]")).to_have_count(1)
    wait_for_one(page, held, "a refresh")
    page.get_by_label("Search runs").fill("no such name")
    nothing = page.get_by_role("heading", name="No run matches “no such name”")
    expect(nothing).to_be_visible()
    with page.expect_response(home):
        held[0].continue_()
    page.wait_for_timeout(500)
    expect(nothing).to_be_visible()
    expect(page.get_by_label("Search runs")).to_have_value("no such name")
    cancel_all()


def test_what_is_typed_while_a_search_is_on_its_way_is_kept(
    page: Page, home: str, queue_runs: list[TaskRun]
) -> None:
    page.reload()
    expect(page.locator("#conn")).to_have_text("Live")
    held: list[Route] = []
    page.route(re.compile("q=no&"), lambda route: held.append(route))
    search = page.get_by_label("Search runs")
    search.press_sequentially("no")
    wait_for_one(page, held, "the first search")
    search.press_sequentially(" such name")
    held[0].continue_()
    expect(page.get_by_role("heading", name="No run matches “no such name”")).to_be_visible()
    expect(search).to_have_value("no such name")
    expect(search).to_be_focused()
    cancel_all()


def wait_for_one(page: Page, held: list[Route], what: str) -> None:
    """Until a request has been held back; Playwright passes requests on only while it waits."""

    def is_held() -> bool:
        page.wait_for_timeout(50)
        return bool(held)

    wait_until(is_held, timeout_s=15, what=what)


def cancel_all() -> None:
    for run in TaskRun.objects.active().roots():
        request_cancel(run, by=run.owner)


def test_runs_are_filtered_marked_and_cancelled_or_run_again_together(
    page: Page, home: str, queue_runs: list[TaskRun]
) -> None:
    page.reload()
    page.get_by_label("Search runs").fill("billing")
    expect(page.locator(".run")).to_have_count(1)
    page.locator(".pick").check()
    page.locator("#bulk").get_by_role("button", name="Cancel").click()
    expect(page.locator(".note[role=status]")).to_contain_text("Cancel requested for 1 of 1 runs.")
    expect(page.get_by_label("Search runs")).to_have_value("billing")
    expect(page.locator(".run[data-state=REVOKED]")).to_have_count(1)
    page.get_by_role("link", name="Clear filters").click()
    expect(page.locator(".run")).to_have_count(2)
    page.get_by_label("Filter by state").get_by_role("link", name=re.compile("^Cancelled")).click()
    expect(page.locator(".run")).to_have_count(1)
    page.locator(".pick").check()
    page.locator("#bulk").get_by_role("button", name="Run again").click()
    expect(page.locator(".note[role=status]")).to_contain_text("1 of 1 runs queued again.")
    page.goto(home)
    expect(page.locator(".run")).to_have_count(3)
    for run in page.locator(".pick").all():
        run.check()
    page.locator("#bulk").get_by_role("button", name="Cancel").click()
    expect(page.locator(".run[data-state=REVOKED]")).to_have_count(3)


def test_the_failed_agents_alone_are_run_again_from_the_page(page: Page, home: str) -> None:
    """No input makes an agent fail, so one agent's answer is changed to a failure in the database
    once the run is done."""
    start_sample(page)
    expect(page.locator(".rec").first).to_be_visible(timeout=DONE_MS)
    first = AssessmentRun.objects.get()
    report = first.reports.get(agent="security")
    report.findings.all().delete()
    AgentReport.objects.filter(pk=report.pk).update(
        status=AgentReport.FAILED, score=None, reason="Out of memory."
    )
    assert first.task_id
    TaskRun.objects.filter(pk=first.task_id).update(partial=True)
    AssessmentRun.objects.filter(pk=first.pk).update(attention=reasons_of(first))
    page.reload()
    note = page.locator(".note", has_text="The security agent failed")
    expect(note).to_contain_text("Out of memory.")
    page.get_by_role("button", name="Run failed agents again").click()
    expect(page).to_have_url(re.compile("/runs/2/"))
    expect(page.locator("#pillars")).to_be_visible(timeout=DONE_MS)
    expect(page.locator("#head .badge")).to_have_text("Done")
    second = AssessmentRun.objects.get(number=2)
    asked = TaskRun.objects.filter(parent=second.task_id, stage="agents").values_list(
        "title", flat=True
    )
    assert list(asked) == ["Security"]


def test_the_button_to_findings_below_goes_with_the_run_that_found_them(
    page: Page, home: str
) -> None:
    page.set_viewport_size({"width": 390, "height": 600})
    start_small(page, home)
    expect(page.locator("#pillars")).to_be_visible(timeout=DONE_MS)
    expect(page.locator("#head .badge")).to_have_text("Done")
    expect(page.locator("#new-findings")).to_be_hidden()


def test_a_run_that_ends_elsewhere_is_told_by_a_toast_that_leads_to_it(
    page: Page, home: str
) -> None:
    alice = _alice()
    queues.pause("assessments", by=alice)  # until the page is there to hear of it
    start_questionnaire(alice, name="orders")
    page.goto(f"{home}/findings/")
    expect(page.locator("#conn")).to_have_text("Live")
    queues.resume("assessments", by=alice)
    toast = page.locator(".toast")
    expect(toast).to_contain_text("orders run 1 is done", timeout=DONE_MS)
    toast.get_by_role("link", name="Open").click()
    expect(page.locator("#pillars")).to_be_visible()


def test_many_ends_at_once_leave_the_page_readable(page: Page, home: str) -> None:
    alice = _alice()
    queues.pause("assessments", by=alice)
    for name in ("orders", "billing", "search", "mail", "chat"):
        start_questionnaire(alice, name=name)
    page.goto(f"{home}/reports/")
    expect(page.locator("#conn")).to_have_text("Live")
    page.evaluate(
        """() => {
            window.most = 0
            window.last = "" // the ids of every toast that was shown
            new MutationObserver(() => {
                const toasts = [...document.querySelectorAll(".toast")]
                window.most = Math.max(window.most, toasts.length)
                window.last += toasts.map((toast) => toast.dataset.toast).join()
            }).observe(document.getElementById("toasts"), { childList: true })
        }"""
    )
    ids = [str(run.pk) for run in TaskRun.objects.filter(parent=None, kind="process_assessment")]
    queues.resume("assessments", by=alice)
    page.wait_for_function("ids => ids.every((id) => last.includes(id))", arg=ids, timeout=DONE_MS)
    assert page.evaluate("most") <= 3


def test_the_pill_leads_to_a_page_that_tests_the_connection(page: Page, home: str) -> None:
    page.locator("#conn").click()
    expect(page.locator("#checks")).to_have_attribute("data-done", "yes", timeout=30_000)
    expect(page.locator(".check[data-state=SUCCESS]")).to_have_count(5)


def test_the_connection_page_says_that_sockets_are_blocked(page: Page, home: str) -> None:
    def refuse(route: WebSocketRoute) -> None:
        route.close(code=4403)

    page.route_web_socket(re.compile("/ws/v1/"), refuse)
    page.goto(f"{home}/connection/")
    expect(page.locator("[data-check=socket]")).to_contain_text(
        "CSRF_TRUSTED_ORIGINS", timeout=30_000
    )
    expect(page.locator("[data-check=http]")).to_have_attribute("data-state", "SUCCESS")


def test_keys_alone_list_themselves_mark_runs_and_cancel_them(
    page: Page, home: str, queue_runs: list[TaskRun]
) -> None:
    page.reload()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Keyboard shortcuts")
    page.keyboard.press("Escape")
    for _ in queue_runs:
        page.keyboard.press("j")
        page.keyboard.press("x")
    expect(page.locator(".pick:checked")).to_have_count(len(queue_runs))
    page.locator("#bulk").get_by_role("button", name="Cancel").click()
    expect(page.locator(".note[role=status]")).to_contain_text("Cancel requested for 2 of 2 runs.")
    expect(page.locator(".run[data-state=REVOKED]")).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    expect(page.locator(".pick:checked")).to_have_count(0)


def start_questionnaire(owner: User, *, name: str) -> None:
    """A run without files, which takes a second."""
    wanted = Requirements(rps_peak=10, service_time_ms=20)
    start_analysis(
        create_assessment(owner=owner, name=name, requirements=wanted, uploads=[]), by=owner
    )


@pytest.fixture
def queue_runs(shared_stack: Stack) -> list[TaskRun]:
    """Two assessments of alice that wait in a queue without workers."""
    PausedQueue.objects.create(name="assessments")
    alice = _alice()
    for name in ("orders", "billing"):
        start_questionnaire(alice, name=name)
    return [run.task for run in AssessmentRun.objects.select_related("task") if run.task]


LOOKS: list[tuple[Literal["light", "dark"], int]] = [
    ("light", 1280),
    ("dark", 1280),
    ("light", 390),
]


def test_no_page_has_an_accessibility_violation_or_scrolls_sideways(
    page: Page, home: str, shared_stack: Stack
) -> None:
    check(page)
    page.goto(f"{home}/assessments/new/")
    check(page)
    page.goto(home)
    start_sample(page)
    page.wait_for_selector("#agents .lane", timeout=DONE_MS)
    for worker in shared_stack.workers:
        worker.freeze()
    try:
        check(page)
    finally:
        for worker in shared_stack.workers:
            worker.thaw()
    expect(page.locator(".rec").first).to_be_visible(timeout=DONE_MS)
    page.locator(".find .t").first.click()
    expect(page.locator(".find[open] [data-loaded]")).to_be_visible()
    check(page)
    page.goto(home)
    check(page)
    for address in ("findings", "recommendations", "reports", "connection"):
        page.goto(f"{home}/{address}/")
        expect(page.locator("#conn")).to_have_text("Live")
        check(page)
    page.keyboard.press("?")
    check(page)


def check(page: Page) -> None:
    """In each look: light, dark, and on a phone. Dark differs from light in its colors alone."""
    for scheme, width in LOOKS:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size({"width": width, "height": 900})
        asked = {"runOnly": ["color-contrast"]} if scheme == "dark" else {}
        violations = Axe().run(page, options=asked).response["violations"]
        found = [
            (each["id"], each["impact"], [node["html"][:160] for node in each["nodes"][:3]])
            for each in violations
        ]
        where = f"{page.url}, {scheme}, {width} px"
        assert not found, f"{where}: {json.dumps(found, indent=1)}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
            f"{where}: it scrolls sideways"
        )
