"""What a page looks like once a browser has laid it out: nothing cut off, nothing unreachable."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import BrowserContext, FilePayload, Page, expect

from assessments.agents import AGENTS
from assessments.models import AgentReport, Assessment, AssessmentRun
from assessments.requirements import Requirements
from assessments.services import create_assessment, start_analysis
from tasks_ui.models import State, TaskRun
from tests.stack import Stack

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.browser

LONG_PATH = f"environments/{'production-eu-central-1-' * 6}/main.tf"
CUT_FOCUS_RINGS = """() => {
  const cut = []
  const all = "main a, main button, main summary, main [tabindex='0']"
  for (const element of document.querySelectorAll(all)) {
    if (!element.checkVisibility()) continue
    element.focus({ focusVisible: true })
    element.scrollIntoView({ block: "nearest", inline: "nearest" })
    const style = getComputedStyle(element)
    if (style.outlineStyle === "none") continue
    const grow = parseFloat(style.outlineOffset) + parseFloat(style.outlineWidth)
    const box = element.getBoundingClientRect()
    for (let above = element.parentElement; above; above = above.parentElement) {
      const { overflowX } = getComputedStyle(above)
      if (overflowX === "visible") continue
      const frame = above.getBoundingClientRect()
      if (box.left - grow < frame.left - 0.5 || box.right + grow > frame.right + 0.5) {
        cut.push(`${element.outerHTML.slice(0, 90)} in ${above.className}`)
        break
      }
    }
  }
  return cut
}"""


def finished_run(owner: User) -> AssessmentRun:
    """A run with a score from every agent and a partly read file."""
    assessment = create_assessment(
        owner=owner,
        name="orders",
        requirements=Requirements(),
        uploads=[("main.tf", b'resource "aws_s3_bucket" "logs" {}\n')],
    )
    task = start_analysis(assessment, by=owner)
    ended = {"state": State.SUCCESS, "current": 100, "rung_at": None}
    TaskRun.objects.filter(pk=task.pk).update(**ended)
    run = AssessmentRun.objects.get(task=task)
    gap = {"path": LONG_PATH, "status": "partly_read", "line": 4, "reason": "A block is open."}
    run.status, run.coverage = AssessmentRun.Status.COMPLETED, [gap]
    run.save()
    for position, agent in enumerate(AGENTS):
        AgentReport.objects.create(
            run=run,
            agent=agent,
            position=position,
            status="assessed",
            score=61,
            summary="12 of 96 checks failed.",
        )
    return run


def path_of(run: AssessmentRun) -> str:
    return f"/assessments/{run.assessment_id}/runs/{run.number}/"


def test_a_new_token_can_be_read(page: Page, shared_stack: Stack, alice: User) -> None:
    page.goto(f"{shared_stack.url}/tokens/")
    page.get_by_label("Name").fill("pipeline")
    page.get_by_role("button", name="token").click()
    shown = page.locator("pre#key")
    box, frame = shown.bounding_box(), page.locator(".once").bounding_box()
    assert box and frame
    assert frame["width"] > 600 and box["height"] > 20
    assert frame["y"] <= box["y"] and box["y"] + box["height"] <= frame["y"] + frame["height"]


def test_a_finished_run_stands_in_its_columns(page: Page, shared_stack: Stack, alice: User) -> None:
    page.set_viewport_size({"width": 1024, "height": 800})
    page.goto(shared_stack.url + path_of(finished_run(alice)))
    tops = page.locator("#pillars > *").evaluate_all(
        "tiles => tiles.map(tile => tile.getBoundingClientRect().top)"
    )
    assert len(tops) == len(AGENTS) and len(set(tops)) == 1
    for width in (390, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        wide = page.evaluate(
            """() => [...document.querySelectorAll("#files, #pillars > *, body")]
               .filter(element => element.scrollWidth > element.clientWidth + 1)
               .map(element => element.id || element.innerText)"""
        )
        assert wide == [], width


@pytest.mark.parametrize("width", [390, 1280])
def test_no_focus_ring_is_cut(page: Page, shared_stack: Stack, alice: User, width: int) -> None:
    run = finished_run(alice)
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("/", path_of(run), "/assessments/", "/assessments/new/", "/tokens/"):
        page.goto(shared_stack.url + path)
        page.keyboard.press("Tab")
        assert page.evaluate(CUT_FOCUS_RINGS) == [], path


def test_on_a_phone_analyze_is_in_reach(page: Page, shared_stack: Stack, alice: User) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{shared_stack.url}/assessments/new/")
    button = page.get_by_role("button", name="Analyze")
    box = button.bounding_box()
    assert box and box["y"] + box["height"] <= 800
    button.click()
    expect(page.get_by_role("alert")).to_contain_text("There is nothing to assess.")


def test_the_bar_of_selected_runs_counts_and_offers_what_can_be_done(
    page: Page, shared_stack: Stack, alice: User
) -> None:
    for number in range(2):
        TaskRun.objects.create(
            owner=alice,
            kind="probe",
            queue="default",
            title=f"waits {number}",
            next_retry_at=timezone.now() + timedelta(hours=1),
        )
    finished_run(alice)
    page.goto(shared_stack.url)
    bar = page.locator("#bulk")
    page.get_by_label("Select orders").check()
    expect(bar).to_contain_text("1 selected")
    expect(bar.get_by_role("button", name="Cancel")).to_be_hidden()
    expect(bar.get_by_role("button", name="Run again 1")).to_be_visible()
    expect(bar.get_by_role("button", name="Compare")).to_be_hidden()
    page.get_by_label("Select waits 0").check()
    expect(bar.get_by_role("button", name="Compare")).to_be_visible()
    page.get_by_label("Select waits 1").check()
    expect(bar).to_contain_text("3 selected")
    expect(bar.get_by_role("button", name="Cancel 2")).to_be_visible()
    expect(bar.get_by_role("button", name="Compare")).to_be_hidden()
    bar.get_by_role("button", name="Clear").click()
    expect(bar).to_be_hidden()


def test_a_refused_form_keeps_the_chosen_files(
    page: Page, shared_stack: Stack, alice: User
) -> None:
    page.goto(f"{shared_stack.url}/assessments/new/")
    file: FilePayload = {
        "name": "main.tf",
        "mimeType": "text/plain",
        "buffer": b'resource "aws_s3_bucket" "logs" {}\n',
    }
    page.get_by_label("Files", exact=True).set_input_files(file)
    objective = page.get_by_label("Recovery point (RPO)")
    objective.fill("-5")
    page.get_by_role("button", name="Analyze 1 file").click()
    expect(page.get_by_role("alert")).to_contain_text("Fix 1 field.")
    expect(page.get_by_role("alert")).not_to_contain_text(
        "Choose this file again", use_inner_text=True
    )
    expect(page.locator("#listed")).to_contain_text("main.tf")
    expect(objective).to_have_value("-5")
    objective.fill("5")
    page.get_by_role("button", name="Analyze 1 file").click()
    expect(page).to_have_url(re.compile("/runs/1/$"))
    run = AssessmentRun.objects.get()
    assert [file.path for file in run.assessment.newest_version.files.all()] == ["main.tf"]
    assert run.assessment.requirements == {"rpo_minutes": 5.0}


def test_files_are_chosen_for_a_new_version_and_sent(
    page: Page, shared_stack: Stack, alice: User, complaints: list[str]
) -> None:
    run = finished_run(alice)
    page.goto(f"{shared_stack.url}/assessments/{run.assessment_id}/versions/new/")
    file: FilePayload = {"name": "more.tf", "mimeType": "text/plain", "buffer": b"# nothing\n"}
    page.get_by_label("Files", exact=True).set_input_files(file)
    expect(page.locator("#listed")).to_contain_text("more.tf")
    page.get_by_role("button", name="Save and analyze").click()
    expect(page).to_have_url(re.compile("/runs/2/$"))
    files = run.assessment.newest_version.files.all()
    assert [file.path for file in files] == ["main.tf", "more.tf"]


def test_an_upload_that_does_not_arrive_keeps_the_chosen_files(
    page: Page, context: BrowserContext, shared_stack: Stack, alice: User
) -> None:
    page.goto(f"{shared_stack.url}/assessments/new/")
    file: FilePayload = {"name": "main.tf", "mimeType": "text/plain", "buffer": b"\n"}
    page.get_by_label("Files", exact=True).set_input_files(file)
    page.route("**/assessments/new/", lambda route: route.abort())
    page.get_by_role("button", name="Analyze 1 file").click()
    expect(page.get_by_role("alert")).to_contain_text("Upload failed. The server can't be reached.")
    expect(page.get_by_role("button", name="Analyze 1 file")).to_be_enabled()


def test_a_second_search_while_typing_breaks_no_rule(
    page: Page, shared_stack: Stack, alice: User
) -> None:
    finished_run(alice)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(shared_stack.url)
    for words in ("ord", "orders", "nothing like it", "ord"):
        with page.expect_response(re.compile(r"[?&]q=")):
            page.locator("#q").press_sequentially(words, delay=5)
        page.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-settling')")
        page.locator("#q").fill("")
    assert complaints == []


LEAVES_THE_PALETTE_FOR_THE_FINDINGS = """() => {
  for (const key of ["Escape", "g", "f"]) {
    const pressed = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true })
    document.activeElement.dispatchEvent(pressed)
  }
}"""
"""Within one frame: the field of the closed palette still has the focus."""


def test_the_palette_leads_by_keyboard_to_a_run_with_a_name_of_any_kind(
    page: Page, shared_stack: Stack, alice: User
) -> None:
    run = finished_run(alice)
    Assessment.objects.filter(pk=run.assessment_id).update(name="<b>orders</b>")
    page.goto(f"{shared_stack.url}/reports/")
    page.keyboard.press("Control+k")
    palette = page.locator("#palette")
    expect(palette.get_by_role("option").first).to_be_visible()
    page.keyboard.type("orders")
    expect(palette.get_by_role("option", name="<b>orders</b> run 1")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(path_of(run) + "$"))
    page.wait_for_load_state()
    page.keyboard.press("Control+k")
    expect(palette.get_by_role("option").first).to_be_visible()
    page.keyboard.type("theme: dark")
    expect(palette.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.wait_for_load_state()
    page.keyboard.press("Control+k")
    expect(palette.get_by_role("option").first).to_be_visible()
    page.keyboard.type("no such thing")
    expect(palette.get_by_text("Nothing found")).to_be_visible()
    page.evaluate(LEAVES_THE_PALETTE_FOR_THE_FINDINGS)
    expect(page.get_by_role("heading", name="Findings", level=1)).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_is_hard_to_read_or_to_use(
    page: Page, shared_stack: Stack, alice: User, theme: str
) -> None:
    run = finished_run(alice)
    cookie = {"name": "theme", "value": theme, "url": shared_stack.url}
    page.context.add_cookies([cookie])  # type: ignore[list-item]
    paths = ("/?q=orders", path_of(run), "/assessments/", "/assessments/new/", "/tokens/")
    for path in paths:
        page.goto(shared_stack.url + path)
        assert violations(page) == [], path
    page.keyboard.press("Control+k")
    expect(page.locator("#palette li").first).to_be_visible()
    assert violations(page) == []


def violations(page: Page) -> list[str]:
    return [each["id"] for each in Axe().run(page).response["violations"]]
