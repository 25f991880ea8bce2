"""An operator's work in a real browser, with real workers: find anyone's task, watch it, end it,
pause a queue."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tasks_ui.models import AuditEntry, PausedQueue, State, TaskRun, Worker
from tasks_ui.rest.examples import TASK_ID
from tasks_ui.runs import dispatch, queues
from tasks_ui.runs.services import request_cancel
from tasks_ui.runs.transitions import emit
from tests.api_world import make_world
from tests.browser.conftest import let_in
from tests.probe import runs as probes
from tests.stack import Stack, wait_until

pytestmark = pytest.mark.browser

Queue = Callable[..., TaskRun]
LIST = "/admin/tasks_ui/taskrun/"
PASSWORD = "a password of olga"


@pytest.fixture
def users(transactional_db: None) -> dict[str, User]:
    olga = User.objects.create_superuser("olga", password=PASSWORD)
    return {"olga": olga, **{name: User.objects.create_user(name) for name in ("mara", "tomas")}}


@pytest.fixture
def queue_probe(users: dict[str, User]) -> Queue:
    def queue(owner: str, **options: Any) -> TaskRun:
        return probes.queue_probe(owner=users[owner], **options)

    return queue


@pytest.fixture
def admin(page: Page, users: dict[str, User]) -> Iterator[Callable[[str], None]]:
    """Sign olga in to the stack at this address. The test fails if the console reports anything."""
    heard: list[str] = []
    page.on("console", lambda m: heard.append(m.text) if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: heard.append(str(error)))

    def sign_in(url: str) -> None:
        let_in(users["olga"], page.context, url)
        page.goto(f"{url}/admin/")
        expect(page.get_by_role("link", name="Workers and queues")).to_be_visible()

    yield sign_in
    assert not heard


def sign_in_by_form(page: Page, url: str) -> None:
    page.goto(f"{url}/admin/")
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Workers and queues")).to_be_visible()


@pytest.fixture(autouse=True)
def all_ended(transactional_db: None) -> Iterator[None]:
    """Workers that stay up between tests hold none of this test's runs when its rows are
    deleted."""
    yield
    PausedQueue.objects.all().delete()
    TaskRun.objects.filter(state=State.PENDING).delete()
    wait_until(
        lambda: not TaskRun.objects.filter(lease_until__isnull=False).exists(),
        timeout_s=30,
        what="the end",
    )


def row(page: Page, run: TaskRun) -> Locator:
    return page.locator("#result_list tr", has=page.locator(f'[data-task="{run.pk}"]'))


def mark(page: Page, run: TaskRun) -> None:
    row(page, run).locator("input.action-select").check()


def act(page: Page, action: str) -> None:
    page.get_by_label("Action:").select_option(action)
    page.get_by_role("button", name="Run", exact=True).click()


def percent(page: Page, run: TaskRun) -> int:
    return int(row(page, run).locator("[data-percent]").inner_text().rstrip("%\N{NO-BREAK SPACE} "))


def test_an_operator_finds_a_users_tasks_watches_them_and_ends_them(
    shared_stack: Stack, admin: Callable[[str], None], page: Page, queue_probe: Queue
) -> None:
    queue_probe("mara", title="maras task")
    running = queue_probe("tomas", title="a long task", duration_s=60)
    fillers = [queue_probe("tomas", title=f"filler {n}", duration_s=60) for n in range(2)]
    waiting = queue_probe("tomas", title="a waiting task", duration_s=60, queue="reports")
    TaskRun.objects.filter(pk=waiting.pk).update(rung_at=None)
    sign_in_by_form(page, shared_stack.url)
    page.goto(shared_stack.url + LIST)
    page.get_by_label("User", exact=True).select_option(label="tomas")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".filters .is-set label")).to_have_text("User")
    expect(page.locator("#result_list")).not_to_contain_text("maras task")
    expect(row(page, running).locator(".badge")).to_have_text("Running")
    expect(page.locator(".live-note")).to_have_text("Live")
    page.evaluate("window.isTheSamePage = true")
    seen = percent(page, running)
    wait_until(lambda: percent(page, running) >= seen + 3, timeout_s=20, what="the bar to move")
    assert page.evaluate("window.isTheSamePage"), "the page was loaded again"
    for run in (running, waiting, *fillers):
        mark(page, run)
    act(page, "cancel_runs")
    expect(page.locator(".messagelist")).to_contain_text(
        "4\N{NO-BREAK SPACE}tasks are being cancelled."
    )
    expect(row(page, waiting).locator(".badge")).to_have_text("Cancelled")
    expect(row(page, running).locator(".badge")).to_have_text(
        "Cancelled"
    )  # once its worker has stopped, by itself
    row(page, running).get_by_role("link").click()
    expect(page.locator(".timeline tr", has_text="Cancelling")).to_contain_text("olga")


def test_a_mark_stays_on_its_task_while_new_ones_come(
    shared_stack: Stack, admin: Callable[[str], None], page: Page, queue_probe: Queue
) -> None:
    first = queue_probe("mara", title="the marked task", duration_s=60)
    admin(shared_stack.url)
    page.goto(shared_stack.url + LIST)
    expect(page.locator(".live-note")).to_have_text("Live")
    mark(page, first)
    newer = queue_probe("tomas", title="a newer task")
    expect(page.locator(".live-note")).to_have_text("1 newer. Live")
    expect(row(page, newer)).to_have_count(0)
    expect(row(page, first).locator("input.action-select")).to_be_checked()
    act(page, "cancel_runs")
    expect(page.locator(".messagelist")).to_contain_text(
        "1\N{NO-BREAK SPACE}task is being cancelled."
    )
    wait_until(
        lambda: TaskRun.objects.get(pk=first.pk).state == State.REVOKED,
        timeout_s=20,
        what="the cancel",
    )
    assert TaskRun.objects.get(pk=newer.pk).cancel_requested_at is None


def test_only_tasks_made_after_the_list_are_counted_as_newer(
    shared_stack: Stack,
    admin: Callable[[str], None],
    page: Page,
    queue_probe: Queue,
    users: dict[str, User],
) -> None:
    queues.pause("reports", by=users["tomas"])
    old = queue_probe("mara", title="waits and is off the list", queue="reports")
    admin(shared_stack.url)
    page.goto(f"{shared_stack.url}{LIST}?user={users['tomas'].pk}")
    expect(page.locator(".live-note")).to_have_text("Live")
    emit(old, "probe.noted", {}, attempt=None)
    queue_probe("tomas", title="made now")
    expect(page.locator(".live-note")).to_have_text("1 newer. Live")


def test_a_task_created_while_the_socket_opens_is_counted_as_newer(
    shared_stack: Stack,
    admin: Callable[[str], None],
    page: Page,
    queue_probe: Queue,
    users: dict[str, User],
) -> None:
    """The list is rendered, its socket is not open yet: what is created in between also counts as
    newer."""
    queues.pause("reports", by=users["tomas"])
    sockets: list[WebSocketRoute] = []
    page.route_web_socket(re.compile("/ws/v1/"), lambda socket: sockets.append(socket))
    admin(shared_stack.url)
    sockets.clear()
    page.goto(shared_stack.url + LIST)
    while not sockets:
        page.wait_for_timeout(20)
    queue_probe("tomas", title="between", queue="reports")
    sockets.pop().connect_to_server()
    expect(page.locator(".live-note")).to_have_text("1 newer. Live")


def test_all_that_match_are_cancelled_beyond_the_page(
    shared_stack: Stack,
    admin: Callable[[str], None],
    page: Page,
    queue_probe: Queue,
    users: dict[str, User],
) -> None:
    queues.pause("default", by=users["olga"])
    kept = queue_probe("mara", title="maras task")
    for number in range(60):
        queue_probe("tomas", title=f"task {number}")
    admin(shared_stack.url)
    page.goto(f"{shared_stack.url}{LIST}?user={users['tomas'].pk}")
    page.locator("#action-toggle").check()
    page.get_by_role("button", name="Select all 60 task runs").click()
    act(page, "cancel_runs")
    page.get_by_role("button", name=re.compile("^Cancel: 60")).click()
    expect(page.locator(".messagelist")).to_contain_text(
        "60\N{NO-BREAK SPACE}tasks are being cancelled."
    )
    assert TaskRun.objects.filter(state=State.REVOKED).count() == 60
    assert TaskRun.objects.get(pk=kept.pk).state == State.PENDING


def test_staff_who_may_only_look_see_bars_move_and_neither_words_nor_actions(
    shared_stack: Stack,
    admin: Callable[[str], None],
    page: Page,
    queue_probe: Queue,
    users: dict[str, User],
) -> None:
    User.objects.filter(pk=users["olga"].pk).update(is_superuser=False)
    users["olga"].user_permissions.set(Permission.objects.filter(codename="view_taskrun"))
    run = queue_probe("mara", title="maras task", duration_s=30)
    admin(shared_stack.url)
    page.goto(shared_stack.url + LIST)
    expect(page.locator(".live-note")).to_have_text("Refreshed every 5\N{NO-BREAK SPACE}s")
    expect(row(page, run).locator(".badge")).to_have_text("Running", timeout=15_000)
    seen = percent(page, run)
    wait_until(lambda: percent(page, run) > seen, timeout_s=15, what="the bar to move")
    expect(page.locator("#result_list")).not_to_contain_text("step")
    expect(page.get_by_label("Action:")).to_have_count(0)
    request_cancel(run, by=None)


def test_the_overview_follows_what_finishes_and_who_works(
    shared_stack: Stack, admin: Callable[[str], None], page: Page, queue_probe: Queue
) -> None:
    working = queue_probe("mara", title="a long task", duration_s=60)
    admin(shared_stack.url)
    page.get_by_role("link", name="Overview").click()
    expect(page.locator(".live-note")).to_have_text("Refreshed every 10\N{NO-BREAK SPACE}s")
    expect(page.locator("#failures-heading ~ p")).to_contain_text("Nothing failed")
    failed = queue_probe("tomas", title="a task that fails", manner="hopeless")
    wait_until(
        lambda: TaskRun.objects.get(pk=failed.pk).state == State.FAILURE,
        timeout_s=20,
        what="the failure",
    )
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # as after a tab switch
    expect(page.locator(".tiles [data-state=FAILURE] dd")).to_contain_text("1")
    expect(page.locator("#failures-heading ~ .results")).to_contain_text("a task that fails")
    expect(page.locator(".chart.has-axes rect[data-state=FAILURE]")).to_have_count(1)
    expect(page.locator("#workers-heading ~ .results")).to_contain_text("a long task")
    page.get_by_role("link", name="Last 24 hours").click()
    expect(page.locator(".tiles")).to_contain_text("in the last 24 hours")
    request_cancel(working, by=None)


def test_the_parts_of_a_run_are_drawn_and_found_by_the_filters(
    shared_stack: Stack, admin: Callable[[str], None], page: Page, queue_probe: Queue
) -> None:
    whole = queue_probe("mara", title="a family", kind="probe_family", children=2)
    queue_probe("tomas", title="a single task")
    wait_until(
        lambda: TaskRun.objects.get(pk=whole.pk).is_final, timeout_s=30, what="the family to end"
    )
    admin(shared_stack.url)
    page.goto(shared_stack.url + LIST)
    page.get_by_label("Level").select_option(label="Parts")
    page.get_by_label("User", exact=True).select_option(label="mara")
    page.get_by_role("button", name="Filter").click()
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.first.locator(".field-took")).to_contain_text("started +")
    page.get_by_role("link", name="Clear filters").click()
    page.locator("#result_list").get_by_role("link", name="a family").click()
    expect(page.locator(".parts .runs")).to_have_count(5)
    widths = page.locator(".parts .runs").evaluate_all("all => all.map((r) => r.getBBox().width)")
    assert widths[0] > max(widths[1:]) > 0


def test_staff_read_a_users_run_and_are_offered_no_change(
    shared_stack: Stack, admin: Callable[[str], None], page: Page, users: dict[str, User]
) -> None:
    make_world(users["mara"])
    admin(shared_stack.url)
    page.goto(f"{shared_stack.url}{LIST}{TASK_ID}/change/")
    page.get_by_role("link", name="Open as its owner sees it").click()
    expect(page.locator("header.top")).to_contain_text("A run of mara")
    for name in ("Run again", "New version", "Edit workload", "Delete"):
        for role in ("button", "link"):
            expect(page.get_by_role(role, name=name, exact=True)).to_have_count(0)
    page.get_by_role("navigation", name="Run").get_by_role("link", name="Findings").click()
    expect(page).to_have_url(re.compile(f"{LIST}{TASK_ID}/page/assessments/.*/findings/$"))
    found = Axe().run(page).response["violations"]
    serious = [v["id"] for v in found if v["impact"] in {"serious", "critical"}]
    assert not serious, serious
    page.get_by_role("link", name="Back to the administration").click()
    expect(page.locator(".run-actions")).to_be_visible()
    opened = AuditEntry.objects.filter(event="run.opened", actor=users["olga"])
    assert opened.filter(about__contains=": /").count() == 2


def test_the_page_of_a_users_run_that_staff_read_is_live(
    shared_stack: Stack, admin: Callable[[str], None], page: Page, users: dict[str, User]
) -> None:
    make_world(users["mara"])
    run = TaskRun.objects.filter(pk=TASK_ID)
    run.update(
        state=State.PROGRESS,
        worker="somewhere@else",
        lease_until=timezone.now() + timedelta(minutes=1),
        finished_at=None,
    )
    admin(shared_stack.url)
    page.goto(f"{shared_stack.url}{LIST}{TASK_ID}/page/")
    expect(page.locator("#conn")).to_have_text("Live")
    page.evaluate("window.isTheSamePage = true")
    request_cancel(run.get(), by=users["mara"])
    expect(page.locator("main")).to_contain_text("Cancelling")
    assert page.evaluate("window.isTheSamePage"), "the page was loaded again"
    run.update(state=State.REVOKED, lease_until=None, finished_at=timezone.now())
    opened = AuditEntry.objects.filter(event="run.opened", actor=users["olga"])
    abouts = sorted(opened.values_list("about", flat=True))
    assert len(abouts) == 2 and abouts[1] == f"mara: live, {TASK_ID}"


def test_a_worker_is_drained_and_takes_tasks_again(
    shared_stack: Stack, admin: Callable[[str], None], page: Page
) -> None:
    worker1 = page.locator("#workers-heading ~ .results tr", has_text="worker1@")
    admin(shared_stack.url)
    page.get_by_role("link", name="Workers and queues").click()
    worker1.get_by_role("button", name="Drain").click(timeout=15_000)
    expect(page.get_by_text(re.compile("^Asked worker1@.* to drain"))).to_be_visible()
    expect(worker1.locator(".badge")).to_have_text("Drained", timeout=20_000)  # by itself
    expect(worker1).to_contain_text("Idle, takes no tasks. olga")
    worker1.get_by_role("button", name="Take tasks again").click()
    expect(worker1.locator(".badge")).to_have_text("Up", timeout=20_000)
    expect(worker1).not_to_contain_text("has not responded", timeout=20_000)
    expect(page.locator(".audit li").first).to_contain_text("takes tasks again. By olga.")


# Django's links fade from color to color; their contrast is checked once they have finished.
END_TRANSITIONS = (
    "document.getAnimations().filter(a => a instanceof CSSTransition).forEach(a => a.finish())"
)


def test_the_operators_pages_are_accessible(
    shared_stack: Stack,
    admin: Callable[[str], None],
    page: Page,
    queue_probe: Queue,
    users: dict[str, User],
) -> None:
    queues.pause("default", by=users["olga"])
    run = queue_probe("mara", title="maras task")
    admin(shared_stack.url)
    for address in (LIST, f"{LIST}{run.pk}/change/", f"{LIST}queues/", f"{LIST}overview/"):
        page.goto(shared_stack.url + address)
        expect(page.locator(".live-note")).to_have_text(re.compile("Live|Refreshed every 10"))
        for theme in ("light", "dark"):
            page.locator("html").evaluate("(html, theme) => html.dataset.theme = theme", theme)
            page.evaluate(END_TRANSITIONS)
            found = Axe().run(page, context={"include": [["#content"]]}).response["violations"]
            serious = [v for v in found if v["impact"] in {"serious", "critical"}]
            assert not [(v["id"], node["html"]) for v in serious for node in v["nodes"]], (
                address,
                theme,
            )


RESTARTED = ("worker1", "worker2", "priority", "reconciler")


@pytest.fixture
def restarted(shared_stack: Stack) -> Iterator[Callable[[], None]]:
    """Kill everything that starts tasks, and start it again; such workers drain for a second, not
    twenty."""

    def restart() -> None:
        for name in RESTARTED:
            shared_stack[name].kill()
        for name in RESTARTED:
            shared_stack[name].start()

    shared_stack.env["SOFT_SHUTDOWN_S"] = "1"  # one dict, which every process is started with
    yield restart
    del shared_stack.env["SOFT_SHUTDOWN_S"]
    for name in RESTARTED:
        shared_stack[name].start()


def test_a_paused_queue_starts_nothing_after_a_restart_either_until_it_is_resumed(
    shared_stack: Stack,
    restarted: Callable[[], None],
    admin: Callable[[str], None],
    page: Page,
    queue_probe: Queue,
) -> None:
    admin(shared_stack.url)
    page.get_by_role("link", name="Workers and queues").click()
    page.get_by_role("button", name="Pause default").click()
    expect(page.locator("#queue-default")).to_contain_text("Paused")
    run = queue_probe("mara", title="a held task")
    rung = queue_probe("mara", title="a task with a message")
    TaskRun.objects.filter(pk=rung.pk).update(rung_at=rung.queued_at, rings=1)
    dispatch.send(rung.pk, kind=rung.kind, queue=rung.queue, attempt=0)
    wait_until(
        lambda: TaskRun.objects.get(pk=rung.pk).rung_at is None,
        timeout_s=20,
        what="the message to be refused",
    )
    expect(page.locator("#queue-default .number").first).to_have_text(
        "2", timeout=15_000
    )  # by itself
    began_at = timezone.now()
    restarted()
    wait_until(
        lambda: Worker.objects.filter(started_at__gt=began_at).count() == 3,
        timeout_s=40,
        what="new workers",
    )
    other = queue_probe("mara", title="of another queue", queue="reports")
    wait_until(
        lambda: TaskRun.objects.get(pk=other.pk).is_final,
        timeout_s=20,
        what="the other queue to go on",
    )
    held = TaskRun.objects.filter(pk__in=[run.pk, rung.pk])
    assert set(held.values_list("state", "attempt")) == {(State.PENDING, 0)}
    page.reload()
    expect(page.locator("#queue-default")).to_contain_text("olga")
    page.get_by_role("button", name="Resume default").click()
    wait_until(
        lambda: not held.exclude(state=State.SUCCESS).exists(),
        timeout_s=20,
        what="the held tasks to run",
    )
    assert set(held.values_list("attempt", flat=True)) == {1}
    workers = page.locator("#workers-heading ~ .results")
    expect(workers.locator(".badge", has_text="Up")).to_have_count(3, timeout=15_000)
    shared_stack["priority"].stop()
    expect(workers.locator("tr", has_text="priority@")).to_contain_text("Stopped", timeout=15_000)
