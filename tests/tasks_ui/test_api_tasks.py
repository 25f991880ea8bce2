"""The REST API of tasks, through the real web process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.test import Client
from django.utils import timezone

from tasks_ui.models import FINAL, ApiToken, State, TaskEvent, TaskRun
from tests.stack import Stack, wait_until

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Queue = Callable[..., TaskRun]


@pytest.fixture
def http(shared_stack: Stack, alice: User) -> Iterator[httpx.Client]:
    with shared_stack.http(token=key_of(alice)) as client:
        yield client


@pytest.fixture(autouse=True)
def all_ends(shared_stack: Stack) -> Iterator[None]:
    """No run outlives its test: the database is emptied under it."""
    yield
    wait_until(
        lambda: not TaskRun.objects.active().exists(), timeout_s=30, what="the end of all runs"
    )


def key_of(user: User, **more: Any) -> str:
    return ApiToken.issue(owner=user, name="test", **more)[1]


def finished(run: TaskRun) -> TaskRun:
    wait_until(lambda: TaskRun.objects.get(pk=run.pk).state in FINAL, timeout_s=20, what="the end")
    return TaskRun.objects.get(pk=run.pk)


def is_problem(response: httpx.Response, status: int) -> bool:
    body = response.json()
    kind = response.headers["Content-Type"]
    return (
        response.status_code == status == body["status"]
        and kind == "application/problem+json"
        and "title" in body
    )


def test_the_status_of_a_finished_task_has_its_result_and_no_error(
    http: httpx.Client, queue_probe: Queue
) -> None:
    run = finished(queue_probe())
    status = http.get(f"/api/v1/tasks/{run.pk}/status").json()
    assert status.keys() == {"task_id", "state", "current", "total", "status", "result"}
    assert status["state"] == "SUCCESS"
    assert status["current"] == status["total"]
    assert status["result"] == {"attempt": 1}
    assert http.get(f"/api/v1/tasks/{run.pk}/result").json()["result"] == {"attempt": 1}


def test_the_status_of_a_failed_task_has_its_error(http: httpx.Client, queue_probe: Queue) -> None:
    run = finished(queue_probe(manner="hopeless"))
    status = http.get(f"/api/v1/tasks/{run.pk}/status").json()
    assert (status["state"], status["result"]) == ("FAILURE", None)
    assert status["error"] == "main.tf:4 can't be fixed"


def test_a_task_comes_with_its_children(http: httpx.Client, queue_probe: Queue) -> None:
    run = finished(queue_probe(kind="probe_family", children=2))
    task = http.get(f"/api/v1/tasks/{run.pk}").json()
    assert task["percent"] == 100
    assert {child["parent_id"] for child in task["children"]} == {str(run.pk)}
    assert len(task["children"]) == TaskRun.objects.filter(parent=run).count() > 0


def test_events_are_paged_by_seq(http: httpx.Client, queue_probe: Queue) -> None:
    run = finished(queue_probe(kind="probe_family", children=2))
    events: list[dict[str, Any]] = []
    while True:
        after = events[-1]["seq"] if events else 0
        page = http.get(
            f"/api/v1/tasks/{run.pk}/events", params={"after_seq": after, "limit": 3}
        ).json()
        events += page["events"]
        if not page["events"]:
            break
    assert [event["seq"] for event in events] == list(range(1, page["last_seq"] + 1))
    assert events[-1]["event"] == "task.succeeded"
    assert len(events) == TaskEvent.objects.filter(task=run).count()


def test_a_running_task_is_cancelled(http: httpx.Client, queue_probe: Queue, alice: User) -> None:
    run = queue_probe(duration_s=20)
    wait_until(
        lambda: TaskRun.objects.get(pk=run.pk).state == State.PROGRESS,
        timeout_s=20,
        what="progress",
    )
    answer = http.post(f"/api/v1/tasks/{run.pk}/cancel").json()
    assert answer.keys() == {"task_id", "status", "message"}
    assert answer["status"] == "CANCELLING"
    ended = finished(run)
    assert (ended.state, ended.cancel_requested_by) == (State.REVOKED, alice)


def test_cancelling_a_finished_task_changes_nothing(http: httpx.Client, queue_probe: Queue) -> None:
    run = finished(queue_probe())
    assert http.post(f"/api/v1/tasks/{run.pk}/cancel").json()["status"] == "SUCCESS"
    assert TaskEvent.objects.filter(task=run, type__startswith="task.cancel").count() == 0


def test_pages_of_the_list_join_without_a_gap_in_both_orders(
    http: httpx.Client, queue_probe: Queue
) -> None:
    made = [str(queue_probe().pk) for _ in range(7)]
    for order, expected in (("newest", made[::-1]), ("oldest", made)):
        seen: list[str] = []
        cursor: str | None = None
        while True:
            params = {"limit": "3", "order": order} | ({"cursor": cursor} if cursor else {})
            page = http.get("/api/v1/tasks/", params=params).json()
            assert page["total"] == 7
            seen += [task["task_id"] for task in page["tasks"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == expected


def test_the_list_is_filtered(http: httpx.Client, queue_probe: Queue) -> None:
    good, bad = (
        finished(queue_probe()),
        finished(queue_probe(manner="hopeless", title="Broken pipe")),
    )

    def ids(**params: Any) -> set[str]:
        return {
            task["task_id"] for task in http.get("/api/v1/tasks/", params=params).json()["tasks"]
        }

    both = {str(good.pk), str(bad.pk)}
    assert ids() == both
    assert ids(state="FAILURE") == {str(bad.pk)}
    assert ids(state=["FAILURE", "SUCCESS"]) == both
    assert ids(kind="probe") == both
    assert ids(kind="process_assessment") == set()
    assert ids(queue=good.queue) == both
    assert ids(queue="reports") == set()
    assert ids(q="PIPE") == {str(bad.pk)}
    assert ids(q=str(good.pk)) == {str(good.pk)}
    assert ids(since=timezone.now().isoformat()) == set()
    assert ids(until=timezone.now().isoformat()) == both
    assert ids(since=bad.created_at.isoformat()) == {str(bad.pk)}


@pytest.mark.parametrize("route", ["", "/status", "/events", "/result"])
def test_bob_gets_404_for_alices_task(
    shared_stack: Stack, queue_probe: Queue, bob: User, route: str
) -> None:
    run = queue_probe()
    with shared_stack.http(token=key_of(bob)) as http:
        assert is_problem(http.get(f"/api/v1/tasks/{run.pk}{route}"), 404)
        assert http.get("/api/v1/tasks/").json()["total"] == 0
        assert (
            http.get("/api/v1/tasks/", params={"parent": str(run.pk), "q": str(run.pk)}).json()[
                "tasks"
            ]
            == []
        )


def test_bob_cannot_cancel_alices_task(shared_stack: Stack, queue_probe: Queue, bob: User) -> None:
    run = queue_probe(duration_s=0.5)
    with shared_stack.http(token=key_of(bob)) as http:
        assert is_problem(http.post(f"/api/v1/tasks/{run.pk}/cancel"), 404)
    assert finished(run).state == State.SUCCESS


def test_every_refusal_is_a_problem(
    shared_stack: Stack, http: httpx.Client, queue_probe: Queue
) -> None:
    run = queue_probe()
    with shared_stack.http() as nobody:
        assert is_problem(nobody.get("/api/v1/tasks/"), 401)
        assert is_problem(nobody.post(f"/api/v1/tasks/{run.pk}/cancel"), 401)
    assert is_problem(http.get("/api/v1/nothing/"), 404)
    assert is_problem(http.get("/api/v1/tasks/1/status"), 404)
    assert is_problem(http.delete("/api/v1/tasks/"), 405)
    assert is_problem(http.get("/api/v1/tasks/", headers={"Host": "evil.example"}), 400)
    wrong = http.get(
        "/api/v1/tasks/", params={"limit": 0, "since": "yesterday", "state": "DONE", "q": "\0"}
    )
    assert is_problem(wrong, 422)
    assert {error["path"].split(".")[0] for error in wrong.json()["errors"]} == {
        "limit",
        "since",
        "state",
        "q",
    }


def test_a_token_that_is_unknown_revoked_or_expired_opens_nothing(
    shared_stack: Stack, alice: User
) -> None:
    yesterday = timezone.now() - timedelta(days=1)
    expired, revoked = key_of(alice, expires_at=yesterday), key_of(alice)
    ApiToken.objects.filter(expires_at=None).update(revoked_at=yesterday)
    inactive = key_of(alice)
    for key in ("im_unknown", "im unknown", expired, revoked):
        with shared_stack.http() as http:
            assert is_problem(
                http.get("/api/v1/tasks/", headers={"Authorization": f"Bearer {key}"}), 401
            ), key
    with shared_stack.http(token=inactive) as http:
        assert http.get("/api/v1/tasks/").status_code == 200
        type(alice).objects.update(is_active=False)
        assert is_problem(http.get("/api/v1/tasks/"), 401)


def test_a_read_only_token_reads_and_changes_nothing(
    shared_stack: Stack, queue_probe: Queue, alice: User
) -> None:
    run = queue_probe(duration_s=0.3)
    with shared_stack.http(token=key_of(alice, scope=ApiToken.Scope.READ)) as http:
        assert http.get(f"/api/v1/tasks/{run.pk}").status_code == 200
        assert is_problem(http.post(f"/api/v1/tasks/{run.pk}/cancel"), 403)
        assert http.post("/api/v1/ws-tickets/").status_code == 201
    assert finished(run).state == State.SUCCESS


def test_a_session_needs_the_csrf_token_to_change_something(
    shared_stack: Stack, queue_probe: Queue, alice: User
) -> None:
    run = queue_probe(duration_s=20)
    browser = Client()
    browser.force_login(alice)
    session = browser.cookies["sessionid"].value
    secret = "a" * 32
    with httpx.Client(
        base_url=shared_stack.url, cookies={"sessionid": session, "csrftoken": secret}
    ) as http:
        assert http.get(f"/api/v1/tasks/{run.pk}").status_code == 200
        assert is_problem(http.post(f"/api/v1/tasks/{run.pk}/cancel"), 403)
        answer = http.post(f"/api/v1/tasks/{run.pk}/cancel", headers={"X-CSRFToken": secret})
        assert answer.status_code == 200
    finished(run)


def test_the_openapi_document_names_every_route_and_resolves(shared_stack: Stack) -> None:
    with shared_stack.http() as http:
        document = http.get("/api/v1/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert {
        "/api/v1/tasks/",
        "/api/v1/tasks/{task_id}/status",
        "/api/v1/tasks/{task_id}/cancel",
        "/api/v1/assessments/{assessment_id}/analyze",
    } <= document["paths"].keys()
    assert unresolved(document) == set()


def test_the_asyncapi_document_names_every_message_and_resolves(shared_stack: Stack) -> None:
    with shared_stack.http() as http:
        document = http.get("/api/v1/asyncapi.json").json()
    assert document["asyncapi"] == "3.0.0"
    assert document["servers"]["infra_mind"]["host"] == shared_stack.url.removeprefix("http://")
    names = {message["name"] for message in document["components"]["messages"].values()}
    assert {"subscribe", "snapshot", "event", "caught_up", "revoked"} <= names
    assert unresolved(document) == set()


def unresolved(document: dict[str, Any]) -> set[str]:
    """References that lead nowhere."""

    def leads_nowhere(reference: str) -> bool:
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place.get(part) if isinstance(place, dict) else None
        return place is None

    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    return {reference for reference in references(document) if leads_nowhere(reference)}


def test_a_finished_task_is_done_again_as_a_new_one(
    http: httpx.Client, queue_probe: Queue, alice: User
) -> None:
    run = finished(queue_probe(manner="hopeless"))
    answer = http.post(f"/api/v1/tasks/{run.pk}/retry")
    assert answer.status_code == 202
    again = TaskRun.objects.get(pk=answer.json()["task_id"])
    assert (again.again_of, again.owner) == (run, alice)
    assert (
        answer.headers["Location"]
        == answer.json()["check_status_url"]
        == f"/api/v1/tasks/{again.pk}/status"
    )
    assert http.get(f"/api/v1/tasks/{again.pk}").json()["again_of_id"] == str(run.pk)
    assert finished(again).state == State.FAILURE
    run.refresh_from_db()
    assert run.state == State.FAILURE


def test_what_can_not_be_done_again_says_why(http: httpx.Client, queue_probe: Queue) -> None:
    family = finished(queue_probe(kind="probe_family", children=1))
    waiting = queue_probe(duration_s=5)
    assert is_problem(http.post(f"/api/v1/tasks/{waiting.pk}/retry"), 409)
    assert is_problem(http.post(f"/api/v1/tasks/{family.pk}/retry"), 409)
    assert is_problem(http.post(f"/api/v1/tasks/{finished(waiting).pk}/retry?only=failed"), 409)
    assert is_problem(http.post(f"/api/v1/tasks/{waiting.pk}/retry?only=some"), 422)
    assert not TaskRun.objects.exclude(again_of=None).exists()


def test_many_tasks_are_cancelled_by_id_and_each_says_what_became_of_it(
    shared_stack: Stack, http: httpx.Client, queue_probe: Queue, bob: User
) -> None:
    done, running = finished(queue_probe()), queue_probe(duration_s=20)
    bobs = queue_probe(owner=bob, duration_s=0.3)
    ids = [str(done.pk), str(running.pk), str(bobs.pk)]
    answer = http.post("/api/v1/tasks/bulk", json={"action": "cancel", "ids": ids}).json()
    assert [(each["task_id"], each["outcome"]) for each in answer["results"]] == list(
        zip(ids, ["refused", "done", "not_found"], strict=True)
    )
    assert finished(running).state == State.REVOKED
    assert finished(bobs).state == State.SUCCESS


def test_many_tasks_are_cancelled_and_retried_by_a_filter(
    http: httpx.Client, queue_probe: Queue, bob: User
) -> None:
    runs = [queue_probe(title=f"nightly {n}", duration_s=20) for n in range(3)]
    other, bobs = (
        queue_probe(title="daily", duration_s=0.2),
        queue_probe(title="nightly", owner=bob, duration_s=0.2),
    )
    nightly = {"action": "cancel", "filter": {"q": "nightly"}}
    answer = http.post("/api/v1/tasks/bulk", json=nightly).json()
    assert {each["task_id"] for each in answer["results"]} == {str(run.pk) for run in runs}
    assert {finished(run).state for run in runs} == {State.REVOKED}
    assert {finished(run).state for run in (other, bobs)} == {State.SUCCESS}
    assert http.post("/api/v1/tasks/bulk", json=nightly).json() == {"results": [], "remaining": 0}
    again = http.post("/api/v1/tasks/bulk", json={**nightly, "action": "retry"}).json()
    assert {each["outcome"] for each in again["results"]} == {"done"}
    assert len({each["new_task_id"] for each in again["results"]}) == 3
    # What was retried is not retried again; the new ones are cancelled by the same filter.
    assert (
        http.post("/api/v1/tasks/bulk", json={**nightly, "action": "retry"}).json()["results"] == []
    )
    assert len(http.post("/api/v1/tasks/bulk", json=nightly).json()["results"]) == 3


@pytest.mark.parametrize(
    "body",
    [
        {"action": "cancel"},
        {"action": "cancel", "filter": {}},
        {"action": "cancel", "filter": {"state": []}},
        {"action": "cancel", "filter": {"everything": True}},
        {"action": "cancel", "ids": ["01890000-0000-7000-8000-000000000000"], "filter": {"q": "a"}},
        {"action": "cancel", "ids": ["01890000-0000-7000-8000-000000000000"] * 2},
        {"action": "cancel", "ids": [f"01890000-0000-7000-8000-{n:012}" for n in range(201)]},
        {"action": "delete", "filter": {"q": "a"}},
    ],
)
def test_a_bulk_request_names_what_it_is_about(
    http: httpx.Client, queue_probe: Queue, body: dict[str, Any]
) -> None:
    run = queue_probe(duration_s=0.2)
    assert is_problem(http.post("/api/v1/tasks/bulk", json=body), 422)
    assert finished(run).state == State.SUCCESS


def test_the_list_counts_by_state_whatever_states_it_shows(
    http: httpx.Client, queue_probe: Queue
) -> None:
    for manner in ("ok", "ok", "hopeless"):
        finished(queue_probe(manner=manner))
    page = http.get("/api/v1/tasks/", params={"state": "FAILURE"}).json()
    assert page["counts"] == {"SUCCESS": 2, "FAILURE": 1}
    assert page["total"] == 1
