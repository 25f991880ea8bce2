"""Operators find, understand and end everyone's tasks; staff without the permission can't."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from django_celery_results.models import TaskResult

from tasks_ui.models import PausedQueue, State, TaskRun, Worker
from tasks_ui.runs import bulk
from tasks_ui.runs.transitions import claim, create_children, transition

Queue = Callable[..., TaskRun]
LIST = "/admin/tasks_ui/taskrun/"


@pytest.fixture
def operator(db: None) -> User:
    user = User.objects.create_user("olga", password="a password of olga", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_taskrun", "operate_taskrun"])
    )
    return user


@pytest.fixture
def watcher(db: None) -> User:
    user = User.objects.create_user("wim", password="a password of wim", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_taskrun"))
    return user


def signed_in(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def test_the_list_shows_everyones_tasks_and_filters_by_user_and_state(
    client: Client, operator: User, bob: User, queue_probe: Queue
) -> None:
    queue_probe(title="alices task")
    queue_probe(title="bobs task", owner=bob)
    page = signed_in(client, operator).get(LIST)
    assert b"alices task" in page.content and b"bobs task" in page.content
    page = client.get(LIST, {"user": str(bob.pk), "state": "PENDING"})
    assert b"alices task" not in page.content and b"bobs task" in page.content
    assert b"bobs task" not in client.get(LIST, {"state": "SUCCESS"}).content


def test_the_list_is_searched_by_title_user_and_id(
    client: Client, operator: User, queue_probe: Queue
) -> None:
    run = queue_probe(title="payments")
    queue_probe(title="orders")
    signed_in(client, operator)
    for words in ("payments", str(run.pk)):
        page = client.get(LIST, {"q": words})
        assert b"payments" in page.content and b"orders" not in page.content
    assert b"orders" in client.get(LIST, {"q": "alice"}).content


def test_a_search_looks_at_the_newest_tasks_and_a_user_or_an_id_finds_older_ones(
    client: Client, operator: User, queue_probe: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks_ui.models.querysets.SEARCHED", 2)
    old = queue_probe(title="legacy payments")
    queue_probe(title="orders")
    queue_probe(title="new payments")
    signed_in(client, operator)
    page = client.get(LIST, {"q": "payments"})
    assert b"new payments" in page.content and b"legacy" not in page.content
    assert b"in the newest 10,000 tasks" in page.content
    for words in ("Alice", str(old.pk)):
        assert b"legacy payments" in client.get(LIST, {"q": words}).content


def test_an_operator_cancels_anothers_task_and_it_is_written_down(
    client: Client, operator: User, queue_probe: Queue
) -> None:
    run = queue_probe()
    signed_in(client, operator).post(
        LIST, {"action": "cancel_runs", "_selected_action": [str(run.pk)]}
    )
    run.refresh_from_db()
    assert (run.state, run.cancel_requested_by) == (State.REVOKED, operator)
    assert client.get(f"{LIST}{run.pk}/history/").content.count(b"Cancel requested") == 1


def test_staff_without_the_permission_cannot_cancel_and_see_no_payload(
    client: Client, watcher: User, queue_probe: Queue
) -> None:
    run = queue_probe(error="secret words of a failure")
    page = signed_in(client, watcher).post(
        LIST, {"action": "cancel_runs", "_selected_action": [str(run.pk)]}
    )
    run.refresh_from_db()
    assert run.state == State.PENDING
    page = client.get(f"{LIST}{run.pk}/change/")
    assert page.status_code == 200
    assert b"secret words" not in page.content and b"task.queued" not in page.content
    assert b"secret words" not in client.get(LIST).content


def test_staff_without_the_permission_are_given_no_cell_with_a_payload(
    client: Client, watcher: User, operator: User, queue_probe: Queue
) -> None:
    run = queue_probe(message="secret words of a step")
    asked = {"id": str(run.pk)}
    assert b"secret words" in signed_in(client, operator).get(f"{LIST}rows/", asked).content
    answer = signed_in(client, watcher).get(f"{LIST}rows/", asked)
    assert list(answer.json()) == [str(run.pk)]
    assert b"secret words" not in answer.content


def test_results_are_for_operators_who_may_see_results(
    client: Client, watcher: User, operator: User, queue_probe: Queue
) -> None:
    run = queue_probe()
    transition(run, State.REVOKED)
    results = "/admin/django_celery_results/taskresult/"
    permission = Permission.objects.get(codename="view_taskresult")
    for user in (watcher, operator):
        assert signed_in(client, user).get(results).status_code == 403
        user.user_permissions.add(permission)
    assert signed_in(client, watcher).get(results).status_code == 403
    page = signed_in(client, operator).get(f"{LIST}{run.pk}/change/").content.decode()
    to_result = re.search(rf"{results}\d+/change/", page)
    assert to_result
    assert f"{LIST}{run.pk}/change/" in client.get(to_result[0]).content.decode()


def test_people_who_are_not_staff_see_nothing(
    client: Client, alice: User, queue_probe: Queue
) -> None:
    run = queue_probe()
    signed_in(client, alice)
    for page in ("", f"{run.pk}/change/", "rows/", "queues/"):
        assert client.get(LIST + page).status_code == 302


def test_forgetting_asks_first_and_keeps_what_is_not_finished(
    client: Client, operator: User, queue_probe: Queue
) -> None:
    done, waiting = queue_probe(), queue_probe()
    transition(done, State.REVOKED)
    asked = {"action": "forget_runs", "_selected_action": [str(done.pk), str(waiting.pk)]}
    page = signed_in(client, operator).post(LIST, asked)
    assert b"Forget: 2" in page.content and TaskRun.objects.count() == 2
    client.post(LIST, {**asked, "confirmed": "yes"})
    assert list(TaskRun.objects.values_list("pk", flat=True)) == [waiting.pk]
    assert not TaskResult.objects.filter(task_id=str(done.pk)).exists()


def test_all_that_match_are_cancelled_after_a_question_and_nothing_else(
    client: Client, operator: User, bob: User, queue_probe: Queue
) -> None:
    alices = queue_probe()
    bobs = [queue_probe(owner=bob) for _ in range(bulk.BATCH + 5)]
    address = f"{LIST}?user={bob.pk}"
    asked = {"action": "cancel_runs", "select_across": "1", "_selected_action": [str(bobs[0].pk)]}
    page = signed_in(client, operator).post(address, asked)
    assert f"Cancel: {len(bobs)}" in page.content.decode()
    assert not TaskRun.objects.filter(state=State.REVOKED).exists()
    page = client.post(address, {**asked, "confirmed": "yes"}, follow=True)
    assert f"{len(bobs)}\N{NO-BREAK SPACE}tasks are being cancelled." in page.content.decode()
    assert list(TaskRun.objects.exclude(state=State.REVOKED)) == [alices]


def test_a_task_is_run_again_for_its_owner_and_both_runs_say_by_whom(
    client: Client, operator: User, alice: User, queue_probe: Queue
) -> None:
    run, family = queue_probe(), queue_probe(kind="probe_family")
    for finished in (run, family):
        transition(finished, State.REVOKED)
    asked = {"action": "retry_runs", "_selected_action": [str(run.pk), str(family.pk)]}
    page = signed_in(client, operator).post(LIST, asked, follow=True).content.decode()
    assert "1\N{NO-BREAK SPACE}task was queued again." in page
    assert "1\N{NO-BREAK SPACE}task can&#x27;t be run again" in page
    again = TaskRun.objects.get(again_of=run)
    assert (again.owner, again.state) == (alice, State.PENDING)
    for seen in (run, again):
        assert (
            "olga"
            in client.get(f"{LIST}{seen.pk}/change/").content.decode().split('class="timeline"')[1]
        )


def test_the_page_of_a_run_has_its_actions_its_parts_and_who_cancelled_it(
    client: Client, operator: User, queue_probe: Queue
) -> None:
    run = queue_probe(kind="probe_family", children=2)
    started = claim(run.pk, attempt=0, worker="w")
    assert started
    child = TaskRun(kind="probe", queue="default", title="the only part", weight=100)
    create_children(started, attempt=1, stage="first", make=lambda: [child])
    address = f"{LIST}{run.pk}/change/"
    page = signed_in(client, operator).get(address).content.decode()
    assert f"{LIST}{child.pk}/change/" in page and "Stage first started" in page
    client.post(address, {"CHANGE_FORM-action": "cancel_runs", "_selected_action": str(run.pk)})
    run.refresh_from_db()
    assert (run.state, run.cancel_requested_by) == (State.CANCELLING, operator)
    lines = client.get(address).content.decode().split('class="timeline"')[1]
    assert re.search(r"Cancelling\s*</td>\s*<td>olga</td>", lines)


def test_a_waiting_task_is_moved_to_the_priority_queue(
    client: Client, operator: User, queue_probe: Queue
) -> None:
    run = queue_probe()
    asked = {"action": "expedite_runs", "_selected_action": [str(run.pk)]}
    page = signed_in(client, operator).post(LIST, asked, follow=True)
    assert b"was moved to the priority queue." in page.content
    run.refresh_from_db()
    assert run.queue == "priority"


def test_the_list_is_filtered_by_worker_and_queue(
    client: Client, operator: User, queue_probe: Queue
) -> None:
    queue_probe(title="the one of w1", worker="w1", queue="reports")
    queue_probe(title="the other")
    Worker.objects.create(hostname="w1", pid=1)
    signed_in(client, operator)
    for chosen in ({"worker": "w1"}, {"queue": "reports"}):
        page = client.get(LIST, chosen).content
        assert b"the one of w1" in page and b"the other" not in page


def test_the_form_of_the_filters_keeps_the_search_and_what_is_not_offered(
    client: Client, operator: User, bob: User, queue_probe: Queue
) -> None:
    queue_probe(title="bobs payments", owner=bob)
    queue_probe(title="alices payments")
    signed_in(client, operator)
    unset = {name: "" for name in ("user", "state", "age", "queue", "kind", "worker", "level")}
    page = client.get(LIST, unset).content.decode()
    assert "bobs payments" in page and "alices payments" in page and "Clear filters" not in page
    page = client.get(
        LIST, {**unset, "user": str(bob.pk), "worker": "gone", "q": "pay"}
    ).content.decode()
    assert "Clear filters" in page and '<input type="hidden" name="q" value="pay"' in page
    assert '<option value="gone" selected>gone</option>' in page
    assert f'<option value="{bob.pk}" selected>bob</option>' in page


@pytest.mark.parametrize(
    "unknown",
    ["worker=gone", "queue=x", "kind=x", "user=x", "user=999999", "state=x", "age=x", "level=x"],
)
def test_a_filter_that_knows_nothing_of_its_value_matches_nothing(
    client: Client, operator: User, queue_probe: Queue, unknown: str
) -> None:
    """Because otherwise "all that match" would be everything there is."""
    run = queue_probe()
    asked = {
        "action": "cancel_runs",
        "select_across": "1",
        "_selected_action": [str(run.pk)],
        "confirmed": "yes",
    }
    signed_in(client, operator).post(f"{LIST}?{unknown}", asked)
    run.refresh_from_db()
    assert run.state == State.PENDING


def test_the_list_is_drilled_down_to_a_day(
    client: Client, operator: User, queue_probe: Queue
) -> None:
    run = queue_probe(title="the one of today")
    other = queue_probe(title="the other")
    TaskRun.objects.filter(pk=other.pk).update(created_at=run.created_at - timedelta(days=40))
    today = timezone.localdate()
    page = signed_in(client, operator).get(LIST).content.decode()
    to_month = f"?created_at__month={today.month}&amp;created_at__year={today.year}"
    assert to_month in page
    page = client.get(LIST + to_month.replace("&amp;", "&")).content.decode()
    to_day = (
        f"?created_at__day={today.day}&amp;created_at__month={today.month}"
        f"&amp;created_at__year={today.year}"
    )
    assert to_day in page
    page = client.get(LIST + to_day.replace("&amp;", "&")).content.decode()
    assert "the one of today" in page and "the other" not in page
    assert client.get(
        LIST, {"created_at__year": "2026", "created_at__month": "13"}
    ).status_code in {200, 302}


def test_an_operator_pauses_and_resumes_a_queue_and_it_is_written_down(
    client: Client, operator: User
) -> None:
    signed_in(client, operator)
    page = client.post(f"{LIST}queues/default/pause/", follow=True).content.decode()
    assert PausedQueue.objects.get().paused_by == operator
    assert "default, paused. By olga." in page
    client.post(f"{LIST}queues/default/resume/")
    assert not PausedQueue.objects.exists()
    assert client.post(f"{LIST}queues/nowhere/pause/").status_code == 404
    assert client.post(f"{LIST}queues/default/flush/").status_code == 404
    assert client.get(f"{LIST}queues/default/pause/").status_code == 405


def test_staff_without_the_permission_see_the_queues_and_hold_none(
    client: Client, watcher: User
) -> None:
    page = signed_in(client, watcher).get(f"{LIST}queues/")
    assert page.status_code == 200 and b"Pause" not in page.content
    assert client.post(f"{LIST}queues/default/pause/").status_code == 403
    assert not PausedQueue.objects.exists()


def test_the_page_of_queues_names_a_queue_that_nobody_works_on(
    client: Client, watcher: User, queue_probe: Queue
) -> None:
    queue_probe()
    Worker.objects.create(hostname="w1", pid=1, queues=["reports"])
    assert (
        b"No worker takes from default" in signed_in(client, watcher).get(f"{LIST}queues/").content
    )
    Worker.objects.create(hostname="w2", pid=1, queues=["default"])
    assert b"No worker takes from" not in client.get(f"{LIST}queues/").content
    Worker.objects.filter(hostname="w2").update(
        last_seen_at=timezone.now() - timedelta(seconds=Worker.LOST_AFTER_S)
    )
    page = client.get(f"{LIST}queues/").content
    assert b"No worker takes from default" in page and b"Lost" in page


@pytest.mark.parametrize("address", [LIST, f"{LIST}queues/"])
def test_a_page_takes_as_many_queries_for_fifty_rows_as_for_one(
    client: Client,
    operator: User,
    queue_probe: Queue,
    django_assert_max_num_queries: Callable[..., AbstractContextManager[object]],
    address: str,
) -> None:
    for number in range(50):
        queue_probe(title=f"task {number}")
        Worker.objects.create(hostname=f"w{number}", pid=1)
    signed_in(client, operator)
    with django_assert_max_num_queries(16):
        assert client.get(address).status_code == 200
