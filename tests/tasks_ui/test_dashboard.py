"""The dashboard and the account's pages, requested like a browser without JavaScript."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tasks_ui.models import PausedQueue, State, TaskRun, Worker
from tasks_ui.pages.rows import PAGE
from tasks_ui.runs import waiting, wording
from tasks_ui.runs.wording import COUNTED

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@pytest.fixture
def browser_of_alice(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def a_run(owner: User, title: str = "orders", **fields: Any) -> TaskRun:
    return TaskRun.objects.create(
        owner=owner, title=title, **{"kind": "probe", "queue": "default", **fields}
    )


def titles(answer: Any) -> list[str]:
    return [row.run.title for group in answer.context["page"].groups for row in group.rows]


def test_an_empty_dashboard_says_how_to_begin(browser_of_alice: Client) -> None:
    page = browser_of_alice.get(reverse("dashboard")).content.decode()
    assert "Nothing has been analyzed yet" in page
    assert reverse("try_sample") in page


def test_runs_stand_in_the_group_that_says_what_to_do(
    browser_of_alice: Client, alice: User
) -> None:
    for state in State:
        a_run(alice, str(state), state=state)
    a_run(alice, "in part", state=State.SUCCESS, partial=True)
    groups = browser_of_alice.get(reverse("dashboard")).context["page"].groups
    assert {group.label: {row.run.title for row in group.rows} for group in groups} == {
        "Active": {"PENDING", "STARTED", "PROGRESS", "RETRY", "CANCELLING"},
        "Needs you": {"FAILURE", "in part"},
        "Finished": {"SUCCESS", "REVOKED"},
    }


def test_the_tabs_count_what_they_show(browser_of_alice: Client, alice: User) -> None:
    for state in (State.PENDING, State.PROGRESS, State.FAILURE, State.SUCCESS, State.REVOKED):
        a_run(alice, state=state)
    tabs = browser_of_alice.get(reverse("dashboard")).context["tabs"]
    assert [(name, count) for name, _, count in tabs] == [
        ("", 5),
        ("active", 2),
        ("attention", 1),
        ("done", 1),
        ("cancelled", 1),
    ]
    for name, _, count in tabs:
        assert len(titles(browser_of_alice.get(reverse("dashboard"), {"state": name}))) == count, (
            name
        )


def test_a_search_finds_by_title_and_by_id_and_says_where_else_it_matched(
    browser_of_alice: Client, alice: User
) -> None:
    run = a_run(alice, "legacy vpc", state=State.PENDING)
    a_run(alice, "orders", state=State.FAILURE)
    assert titles(browser_of_alice.get(reverse("dashboard"), {"q": "VPC"})) == ["legacy vpc"]
    assert titles(browser_of_alice.get(reverse("dashboard"), {"q": str(run.pk)})) == ["legacy vpc"]
    missed = browser_of_alice.get(reverse("dashboard"), {"q": "vpc", "state": "attention"})
    assert missed.context["elsewhere"] == 1
    assert "No run" in missed.content.decode()


def test_pages_follow_each_other_without_a_gap(browser_of_alice: Client, alice: User) -> None:
    for number in range(PAGE + 7):
        a_run(alice, f"run {number:03}", state=State.SUCCESS)
    first = browser_of_alice.get(reverse("dashboard"))
    cursor = first.context["page"].next_before
    second = browser_of_alice.get(reverse("dashboard"), {"before": cursor})
    assert second.context["page"].next_before == ""
    assert titles(first) + titles(second) == [
        f"run {number:03}" for number in reversed(range(PAGE + 7))
    ]


@pytest.mark.parametrize(
    "query", ["?state=nonsense", "?before=nonsense", "?kind=nonsense", "?q=%00", "?q=%FF"]
)
def test_an_address_that_makes_no_sense_shows_the_dashboard(
    browser_of_alice: Client, query: str
) -> None:
    assert browser_of_alice.get(reverse("dashboard") + query).status_code == 200


def test_many_runs_take_as_many_queries_as_few(browser_of_alice: Client, alice: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            browser_of_alice.get(reverse("dashboard"))
        return len(captured)

    for state in State:
        a_run(alice, state=state)
    few = queries()
    for state in State:
        for _ in range(12):
            a_run(alice, state=state)
    assert queries() <= few <= 17


def test_alice_does_not_see_bobs_runs_nor_children(
    browser_of_alice: Client, alice: User, bob: User
) -> None:
    a_run(bob, "bobs")
    a_run(alice, "a child", parent=a_run(alice, "mine"))
    assert titles(browser_of_alice.get(reverse("dashboard"))) == ["mine"]


def test_cancel_is_a_form_that_comes_back(browser_of_alice: Client, alice: User) -> None:
    run = a_run(alice)
    answer = browser_of_alice.post(
        reverse("cancel_task", args=[run.pk]), {"next": "/?state=active"}
    )
    run.refresh_from_db()
    assert (answer["Location"], run.state, run.cancel_requested_by) == (
        "/?state=active",
        State.REVOKED,
        alice,
    )


def test_cancel_does_not_lead_to_another_site(browser_of_alice: Client, alice: User) -> None:
    for target in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        answer = browser_of_alice.post(
            reverse("cancel_task", args=[a_run(alice).pk]), {"next": target}
        )
        assert answer["Location"] == reverse("dashboard")


def test_cancelling_a_finished_run_says_so(browser_of_alice: Client, alice: User) -> None:
    run = a_run(alice, state=State.SUCCESS)
    answer = browser_of_alice.post(reverse("cancel_task", args=[run.pk]), follow=True)
    assert "Could not cancel orders: it had already finished." in answer.content.decode()


def test_bob_cannot_cancel_alices_run(alice: User, bob: User) -> None:
    run, client = a_run(alice), Client()
    client.force_login(bob)
    assert client.post(reverse("cancel_task", args=[run.pk])).status_code == 404
    run.refresh_from_db()
    assert run.state == State.PENDING


def test_a_get_cancels_nothing(browser_of_alice: Client, alice: User) -> None:
    run = a_run(alice)
    assert browser_of_alice.get(reverse("cancel_task", args=[run.pk])).status_code == 405


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (6.55, "6.5 s"),
        (9.96, "10 s"),
        (18, "18 s"),
        (72, "1 min 12 s"),
        (60, "1 min"),
        (7500, "2 h 5 min"),
        (3600, "1 h"),
        (273_600, "3 d 4 h"),
        (-3, "0.0 s"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, words: str) -> None:
    assert wording.duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == words


def test_moments_are_said_as_a_person_says_them() -> None:
    now = timezone.now().replace(hour=14, minute=0)
    said = {
        now - timedelta(seconds=20): "20 s ago",
        now - timedelta(minutes=6): "6 min ago",
        now - timedelta(hours=4): "Today 10:00",
        now - timedelta(hours=20): "Yesterday 18:00",
    }
    for moment, words in said.items():
        assert wording.when(moment, now).replace("\N{NO-BREAK SPACE}", " ") == words


def test_only_a_success_is_a_hundred_percent(alice: User) -> None:
    full = a_run(alice, state=State.PROGRESS, current=100, total=100)
    assert full.percent == 99
    assert "99" in wording.status_line(
        a_run(alice, state=State.REVOKED, started_at=timezone.now(), current=100)
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"state": State.RETRY, "attempt": 1, "error": "table locked\nmore"},
            "Attempt 2 of 4 · table locked",
        ),
        ({"state": State.FAILURE}, "It stopped without giving a reason."),
        (
            {"state": State.FAILURE, "error": "main.tf:41 has an unclosed block"},
            "main.tf:41 has an unclosed block",
        ),
        ({"state": State.REVOKED}, "Cancelled before it started."),
    ],
)
def test_the_line_under_a_bar_says_why(alice: User, fields: dict[str, Any], words: str) -> None:
    assert wording.status_line(a_run(alice, **fields)) == words


def test_what_is_at_work_stands_before_what_waits(browser_of_alice: Client, alice: User) -> None:
    a_run(alice, "at work", state=State.PROGRESS)
    a_run(alice, "again", state=State.RETRY)
    for number in range(PAGE + 3):
        a_run(alice, f"waits {number:02}", state=State.PENDING)
    waiting_titles = [f"waits {number:02}" for number in reversed(range(PAGE + 3))]
    expected = ["again", "at work", *waiting_titles]
    assert titles(browser_of_alice.get(reverse("dashboard"))) == expected[:PAGE]
    first = browser_of_alice.get(reverse("dashboard"), {"state": "active"})
    more = {"state": "active", "before": first.context["page"].next_before}
    second = browser_of_alice.get(reverse("dashboard"), more)
    assert titles(first) + titles(second) == expected
    assert second.context["page"].next_before == ""


def test_a_full_page_at_work_leads_to_what_waits_and_to_no_empty_page(
    browser_of_alice: Client, alice: User
) -> None:
    for _ in range(PAGE):
        a_run(alice, "at work", state=State.PROGRESS)
    active = {"state": "active"}
    assert browser_of_alice.get(reverse("dashboard"), active).context["page"].next_before == ""
    a_run(alice, "waits", state=State.PENDING)
    first = browser_of_alice.get(reverse("dashboard"), active)
    more = {**active, "before": first.context["page"].next_before}
    assert titles(browser_of_alice.get(reverse("dashboard"), more)) == ["waits"]


def test_follow_ups_stand_in_the_list_only_where_they_need_someone(
    browser_of_alice: Client, alice: User
) -> None:
    for state in State:
        a_run(alice, f"report {state}", state=state, kind="generate_report")
    listed = browser_of_alice.get(reverse("dashboard"))
    assert titles(listed) == ["report FAILURE"]
    counts = {name: count for name, _, count in listed.context["tabs"]}
    assert counts == {"": 1, "active": 0, "attention": 1, "done": 0, "cancelled": 0}
    asked_for = browser_of_alice.get(reverse("dashboard"), {"kind": "generate_report"})
    assert len(titles(asked_for)) == len(State)
    done = TaskRun.objects.get(state=State.SUCCESS)
    assert titles(browser_of_alice.get(reverse("dashboard"), {"q": str(done.pk)})) == [
        "report SUCCESS"
    ]


def test_tabs_count_to_a_thousand_and_no_further(browser_of_alice: Client, alice: User) -> None:
    TaskRun.objects.bulk_create(
        TaskRun(owner=alice, kind="probe", queue="default", title="many", state=State.SUCCESS)
        for _ in range(COUNTED + 5)
    )
    page = browser_of_alice.get(reverse("dashboard"))
    assert "1,000+" in page.content.decode()
    assert {name: count for name, _, count in page.context["tabs"]}["done"] == COUNTED + 1


def test_a_search_says_that_it_left_older_runs_out(
    browser_of_alice: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks_ui.models.querysets.SEARCHED", 3)
    old = a_run(alice, "legacy vpc", state=State.SUCCESS)
    assert not browser_of_alice.get(reverse("dashboard"), {"q": "vpc"}).context["page"].is_cut
    for _ in range(3):
        a_run(alice, "orders", state=State.SUCCESS)
    missed = browser_of_alice.get(reverse("dashboard"), {"q": "vpc"})
    assert missed.context["page"].is_cut and titles(missed) == []
    assert "an id finds any" in missed.content.decode()
    assert titles(browser_of_alice.get(reverse("dashboard"), {"q": str(old.pk)})) == ["legacy vpc"]


def test_runs_say_their_place_in_the_queue(
    browser_of_alice: Client, alice: User, bob: User
) -> None:
    a_run(alice, "first", state=State.PENDING)
    a_run(bob, "of another", state=State.PENDING)
    a_run(alice, "elsewhere", state=State.PENDING, queue="reports")
    a_run(
        alice, "a part", state=State.PENDING, parent=a_run(alice, "at work", state=State.PROGRESS)
    )
    a_run(alice, "third", state=State.PENDING)
    page = browser_of_alice.get(reverse("dashboard"))
    places = {
        row.run.title: row.place for group in page.context["page"].groups for row in group.rows
    }
    assert places == {"first": 1, "elsewhere": 1, "third": 3, "at work": None}
    assert "3rd in the queue" in page.content.decode()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (1, "Next"),
        (2, "2nd"),
        (3, "3rd"),
        (11, "11th"),
        (112, "112th"),
        (21, "21st"),
        (1000, "1,000th"),
    ],
)
def test_places_are_ordinals(place: int, words: str) -> None:
    assert waiting.place_words(place) == f"{words} in the queue"


@pytest.mark.parametrize(
    ("current", "elapsed_s", "words"),
    [
        (4, 60, ""),  # too little is known
        (50, 2, ""),
        (25, 20, "35-85 s left"),  # 60 s at the mean rate, 2 / sqrt(25) = 40 % around it
        (64, 36, "15-30 s left"),  # 20.25 s, 25 % around it
        (99, 20, "up to 5 s left"),
        (10, 60, ""),  # a rate alone is not enough so early
        (20, 60, "2-6 min left"),  # 240 s, 45 %
    ],
)
def test_the_time_left_is_a_range_around_the_mean_rate(
    alice: User, current: int, elapsed_s: int, words: str
) -> None:
    now = timezone.now()
    run = a_run(
        alice,
        state=State.PROGRESS,
        current=current,
        attempt=1,
        started_at=now - timedelta(seconds=elapsed_s),
    )
    said = (
        waiting.left_words(run, now).replace("\N{NO-BREAK SPACE}", " ").replace("\N{EN DASH}", "-")
    )
    assert said == words
    run.attempt = 2
    assert waiting.left_words(run, now) == ""


@pytest.mark.parametrize(
    ("took_s", "words"),
    [
        ([20.0, 22.0], ""),  # two runs are too few, and a rate is not enough so early
        ([18.0, 20.0, 24.0], "10-20 s left"),
        ([3.0, 4.0, 5.0], ""),  # this run is already longer than those
    ],
)
def test_the_time_left_is_measured_on_earlier_runs_of_the_kind(
    alice: User, bob: User, took_s: list[float], words: str
) -> None:
    now = timezone.now()
    for owner, seconds in [(bob, 600.0), (bob, 600.0), (bob, 600.0), *((alice, s) for s in took_s)]:
        ended = now - timedelta(hours=1)
        a_run(
            owner,
            state=State.SUCCESS,
            started_at=ended - timedelta(seconds=seconds),
            finished_at=ended,
        )
    began = now - timedelta(seconds=7)
    run = a_run(alice, state=State.PROGRESS, current=6, attempt=1, started_at=began)
    usual = waiting.usual_times([run]).get("probe")
    said = waiting.left_words(run, now, usual=usual)
    plain = said.replace("\N{NO-BREAK SPACE}", " ").replace("\N{EN DASH}", "-")
    assert plain == words


def test_a_paused_queue_and_lost_workers_are_named_beside_what_waits(
    browser_of_alice: Client, alice: User
) -> None:
    Worker.objects.create(
        hostname="w1",
        pid=1,
        last_seen_at=timezone.now() - timedelta(seconds=Worker.LOST_AFTER_S + 60),
    )
    assert "No worker" not in browser_of_alice.get(reverse("dashboard")).content.decode()
    a_run(alice, state=State.PENDING)
    assert (
        "No worker has responded for" in browser_of_alice.get(reverse("dashboard")).content.decode()
    )
    PausedQueue.objects.create(name="default")
    assert (
        "“default” is paused by an operator"
        in browser_of_alice.get(reverse("dashboard")).content.decode()
    )


def test_marked_runs_are_cancelled_together_and_the_outcome_is_said(
    browser_of_alice: Client, alice: User, bob: User
) -> None:
    waiting_runs = [a_run(alice, f"run {n}", state=State.PENDING) for n in range(2)]
    done, of_bob = (
        a_run(alice, "done", state=State.SUCCESS),
        a_run(bob, "of bob", state=State.PENDING),
    )
    marked = [str(run.pk) for run in (*waiting_runs, done, of_bob)]
    answer = browser_of_alice.post(
        reverse("bulk_tasks"), {"act": "cancel", "task": [*marked, "nonsense"]}, follow=True
    )
    assert "Cancel requested for 2 of 3 runs." in answer.content.decode()
    states = dict(TaskRun.objects.values_list("title", "state"))
    assert states == {
        "run 0": "REVOKED",
        "run 1": "REVOKED",
        "done": "SUCCESS",
        "of bob": "PENDING",
    }


def test_bulk_takes_only_what_it_knows(browser_of_alice: Client, alice: User) -> None:
    run = a_run(alice, state=State.PENDING)
    assert (
        browser_of_alice.post(
            reverse("bulk_tasks"), {"act": "forget", "task": [str(run.pk)]}
        ).status_code
        == 404
    )
    assert browser_of_alice.get(reverse("bulk_tasks")).status_code == 405
    answer = browser_of_alice.post(reverse("bulk_tasks"), {"act": "again"}, follow=True)
    assert "No run was selected." in answer.content.decode()


def test_a_toast_is_said_of_an_end_but_not_of_follow_ups_that_went_well(
    browser_of_alice: Client, alice: User, bob: User
) -> None:
    def toast(run: TaskRun) -> Any:
        return browser_of_alice.get(reverse("toast", args=[run.pk]))

    assert "orders" in toast(a_run(alice, state=State.SUCCESS)).content.decode()
    failed = a_run(
        alice, state=State.FAILURE, error="main.tf:41 has an unclosed block", kind="generate_report"
    )
    assert "main.tf:41 has an unclosed block" in toast(failed).content.decode()
    assert toast(a_run(alice, state=State.PROGRESS)).status_code == 204
    assert toast(a_run(alice, state=State.SUCCESS, kind="generate_report")).status_code == 204
    assert toast(a_run(bob, state=State.SUCCESS)).status_code == 404


def test_the_connection_page_names_what_the_server_was_asked(browser_of_alice: Client) -> None:
    page = browser_of_alice.get(
        reverse("connection"), headers={"X-Forwarded-For": "192.0.2.7"}
    ).content.decode()
    assert "http://testserver" in page and "X-Forwarded-For" in page and "192.0.2.7" not in page
