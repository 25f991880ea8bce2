"""Why people come back: fix a finding, run again, see it fixed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Locator, Page, expect

from assessments.agents import AGENTS
from assessments.models import AssessmentRun, Recommendation

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from tests.stack import Stack

pytestmark = pytest.mark.browser

DONE_MS = 90_000
DATABASE = """\
resource "aws_db_instance" "orders" {
  engine              = "postgres"
  instance_class      = "db.t4g.micro"
  allocated_storage   = 20
  publicly_accessible = true
  skip_final_snapshot = true
}
"""
PUBLIC = "CKV_AWS_17"
MEASURE_SHIFT = """(() => {
  window.shifts = []
  new PerformanceObserver((list) => {
    if (!document.querySelector("#hero[data-attempt]")) return
    for (const { startTime, value, hadRecentInput, sources } of list.getEntries()) {
      if (hadRecentInput) continue
      shifts.push([startTime, value, sources.map(({ node }) => node?.id ?? "").join()])
    }
  }).observe({ type: "layout-shift", buffered: true })
  // The largest sum of a window of at most 5 s, in which no pause is longer than 1 s: web.dev/cls.
  window.layoutShift = () => {
    let [most, sum, first, last] = [0, 0, -Infinity, -Infinity]
    for (const [at, value] of shifts) {
      if (at - last > 1000 || at - first > 5000) [sum, first] = [0, at]
      ;[sum, last] = [sum + value, at]
      most = Math.max(most, sum)
    }
    return most
  }
})()"""


def test_a_proven_fix_is_applied_in_a_new_version_and_the_next_run_verifies_it(
    page: Page, shared_stack: Stack, alice: User, complaints: list[str], tmp_path: Path
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.add_init_script(MEASURE_SHIFT)
    home = shared_stack.url
    upload(page, home)
    watch(page)
    expect(page.locator(".rec").first).to_be_visible(timeout=DONE_MS)
    title, patch = copy_the_fix(page, home)
    problem = Recommendation.objects.get(findings__rule=PUBLIC).title
    accept(page, home, problem)

    page.goto(home)
    page.locator(".run").get_by_role("link", name="orders").first.click()
    page.get_by_role("link", name="New version").click()
    page.get_by_role("link", name="Edit main.tf").click()
    text = page.get_by_label("Text", exact=True)
    expect(text).to_have_value(DATABASE)
    text.fill(patched(DATABASE, patch, folder=tmp_path))
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="Save and analyze").click()
    expect(page).to_have_url(re.compile("/runs/2/$"))
    watch(page)
    page.set_viewport_size({"width": 1280, "height": 720})
    expect(page.locator(".rec").first).to_be_visible(timeout=DONE_MS)
    expect(page.locator("#head")).to_contain_text("Version 2, 2\N{NO-BREAK SPACE}files")

    page.locator("#since").get_by_role("link", name=re.compile("^[1-9]\\d* fixed$")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Run 2 against run 1")
    compared = page.url
    expect(page.locator("#fixed tr", has_text=PUBLIC)).to_contain_text(title)
    expect(page.locator("#new tr", has_text=PUBLIC)).to_have_count(0)
    page.goto(f"{home}/findings/?rule={PUBLIC}")
    expect(page.get_by_role("heading", name="No matching findings")).to_be_visible()

    page.goto(f"{home}/recommendations/")
    done = page.get_by_role("region", name="Done")
    expect(card(done, problem)).to_contain_text("Verified: run 2 no longer finds it.")

    run = AssessmentRun.objects.get(number=2)
    tabs = ("", "findings/", "inventory/", "map/", "code/", "compliance/", "cost/")
    own = f"{home}/assessments/{run.assessment_id}"
    pages = [f"{own}/runs/2/{tab}" for tab in tabs]
    pages += [compared, f"{own}/versions/new/", f"{home}/assessments/", f"{home}/recommendations/"]
    found: list[object] = []
    for address in [*pages, f"{home}/price-book/"]:
        page.goto(address)
        found += violations(page)
    assert not found


def violations(page: Page) -> list[object]:
    """What is hard to use: on a desk in light, on a phone in dark."""
    found: list[object] = []
    for scheme, width in (("light", 1280), ("dark", 390)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        where = f"{page.url}, {scheme}, {width} px"
        for each in Axe().run(page).response["violations"]:
            found.append((where, each["id"], each["nodes"][0]["html"][:200]))
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append((where, "it scrolls sideways"))
    return found


def watch(page: Page) -> None:
    """From the first second there is something to see, and nothing jumps."""
    expect(page.locator("#agents .lane")).to_have_count(len(AGENTS))
    expect(page.locator("#agents [id^=waiting-] .u").first).to_have_text("queued")
    # Failed checks of the scan, or, where the agents were faster than a frame, their findings.
    expect(page.locator("#findings .find").first).to_be_visible(timeout=DONE_MS)
    expect(page.locator("#pillars")).to_be_visible(timeout=DONE_MS)
    assert page.evaluate("layoutShift()") < 0.05, page.evaluate("shifts")


def upload(page: Page, home: str) -> None:
    page.goto(f"{home}/assessments/new/")
    files: list[FilePayload] = [
        {"name": "main.tf", "mimeType": "text/plain", "buffer": DATABASE.encode()},
        {"name": "Dockerfile", "mimeType": "text/plain", "buffer": b"FROM debian:latest\n"},
    ]
    page.get_by_label("Files", exact=True).set_input_files(files)
    page.get_by_label("Name", exact=True).fill("orders")
    page.get_by_role("button", name="Analyze 2 files").click()
    expect(page).to_have_url(re.compile("/runs/1/$"))


def copy_the_fix(page: Page, home: str) -> tuple[str, str]:
    """The finding's title, and the patch as the button copies it."""
    page.goto(f"{home}/findings/?rule={PUBLIC}&agent=security")
    finding = page.locator(".find").first
    title = finding.locator(".t").inner_text().removesuffix(" new")
    finding.locator("summary").click()
    fix = finding.locator(".fix")
    expect(fix).to_contain_text("Proven fix: removes 1")
    expect(fix.locator(".diff .cut")).to_contain_text("publicly_accessible = true")
    fix.get_by_role("button", name="Copy patch").click()
    expect(fix.get_by_role("button", name="Copied")).to_be_visible()
    return title, page.evaluate("navigator.clipboard.readText()")


def accept(page: Page, home: str, problem: str) -> None:
    page.goto(f"{home}/recommendations/")
    opened = card(page.get_by_role("region", name="Open"), problem)
    opened.get_by_role("button", name="Accept").click()
    expect(card(page.get_by_role("region", name="Accepted"), problem)).to_be_visible()


def card(column: Locator, problem: str) -> Locator:
    return column.get_by_role("article").filter(has_text=problem)


def patched(text: str, patch: str, *, folder: Path) -> str:
    (folder / "main.tf").write_text(text)
    subprocess.run(["git", "apply", "-"], input=patch, text=True, cwd=folder, check=True)
    return (folder / "main.tf").read_text()
