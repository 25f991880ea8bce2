"""Who may do what: every REST route, page, socket message and admin action, for every kind of
caller.

The routes are read from the code: a new one without a row here fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

import infra_mind.urls  # noqa: F401  (puts the API together)
from assessments.models import Assessment
from assessments.rest.examples import ASSESSMENT_ID, FINDING_ID, FINGERPRINT, REPORT_ID, RUN_ID
from tasks_ui.admin import TaskRunAdmin
from tasks_ui.models import ApiToken, PausedQueue, TaskRun, Worker
from tasks_ui.rest.api import api
from tasks_ui.rest.examples import EXAMPLES, TASK_ID
from tests.api_world import SECRET, end_all_runs, make_user, make_world
from tests.stack import Stack
from tests.tasks_ui.sockets import converse, greeted

if TYPE_CHECKING:
    from pytest_django import Settings

READ, WRITE, OWN, PUBLIC = (
    "one's own, read",
    "one's own, changed",
    "a list or a new thing of the caller's",
    "public",
)
ROUTES: dict[tuple[str, str], str] = {
    ("GET", "/tasks/"): OWN,
    ("GET", "/tasks/{uuid:task_id}"): READ,
    ("GET", "/tasks/{uuid:task_id}/status"): READ,
    ("GET", "/tasks/{uuid:task_id}/events"): READ,
    ("GET", "/tasks/{uuid:task_id}/result"): READ,
    ("POST", "/tasks/{uuid:task_id}/cancel"): WRITE,
    ("POST", "/tasks/{uuid:task_id}/retry"): WRITE,
    ("POST", "/tasks/bulk"): OWN,
    ("POST", "/ws-tickets/"): OWN,
    ("GET", "/asyncapi.json"): PUBLIC,
    ("GET", "/assessments/"): OWN,
    ("POST", "/assessments/"): OWN,
    ("GET", "/assessments/{uuid:assessment_id}"): READ,
    ("DELETE", "/assessments/{uuid:assessment_id}"): WRITE,
    ("POST", "/assessments/{uuid:assessment_id}/analyze"): WRITE,
    ("POST", "/assessments/analyze"): OWN,
    ("POST", "/assessments/upload"): OWN,
    ("POST", "/assessments/analyze/upload"): OWN,
    ("POST", "/assessments/{uuid:assessment_id}/versions/upload"): WRITE,
    ("GET", "/assessments/{uuid:assessment_id}/versions"): READ,
    ("POST", "/assessments/{uuid:assessment_id}/versions"): WRITE,
    ("GET", "/assessments/{uuid:assessment_id}/versions/{int:number}"): READ,
    ("GET", "/assessments/{uuid:assessment_id}/runs/{int:number}"): READ,
    ("GET", "/runs/{uuid:run_id}/compare"): READ,
    ("GET", "/assessments/{uuid:assessment_id}/runs/{int:number}/map"): READ,
    ("GET", "/assessments/{uuid:assessment_id}/findings"): READ,
    ("GET", "/assessments/{uuid:assessment_id}/runs"): READ,
    ("GET", "/assessments/{uuid:assessment_id}/recommendations"): READ,
    ("GET", "/assessments/{uuid:assessment_id}/reports"): READ,
    ("POST", "/assessments/{uuid:assessment_id}/reports"): WRITE,
    ("GET", "/assessments/{uuid:assessment_id}/reports/{uuid:report_id}/download"): READ,
    ("DELETE", "/assessments/{uuid:assessment_id}/reports/{uuid:report_id}"): WRITE,
    ("PUT", "/price-book/"): OWN,
    ("GET", "/price-book/"): OWN,
    ("DELETE", "/price-book/"): OWN,
    ("GET", "/assessments/{uuid:assessment_id}/mutes"): READ,
    ("POST", "/assessments/{uuid:assessment_id}/mutes"): WRITE,
    ("DELETE", "/assessments/{uuid:assessment_id}/mutes/{fingerprint}"): WRITE,
}
BODIES: dict[str, Any] = {
    "/tasks/bulk": EXAMPLES["BulkIn"][0],
    "/assessments/": EXAMPLES["AssessmentIn"][1],
    "/assessments/upload": EXAMPLES["AssessmentIn"][1],
    "/assessments/analyze": EXAMPLES["AnalyzeIn"][0],
    "/assessments/analyze/upload": EXAMPLES["AnalyzeIn"][0],
    "/assessments/{uuid:assessment_id}/versions/upload": EXAMPLES["VersionIn"][0],
    "/assessments/{uuid:assessment_id}/versions": EXAMPLES["VersionIn"][0],
    "/assessments/{uuid:assessment_id}/reports": EXAMPLES["ReportIn"][0],
    "/assessments/{uuid:assessment_id}/mutes": EXAMPLES["MuteIn"][0],
    "/price-book/": EXAMPLES["PriceBookIn"][0],
}
IDS = {
    "task_id": TASK_ID,
    "assessment_id": ASSESSMENT_ID,
    "number": "1",
    "run_id": RUN_ID,
    "report_id": REPORT_ID,
    "finding_id": FINDING_ID,
    "fingerprint": FINGERPRINT,
    "recommendation_id": FINDING_ID,
    "agent": "cost",
    "token_id": "1",
    "filter_id": "1",
    "token": "not-signed",
    "uidb36": "1",
    "key": "no-key",
    "provider_id": "nobody",
}
OTHERS = ("stranger", "staff", "watcher", "operator", "superuser")
PUBLIC_PAGES = {
    "sign-in/",
    "sign-in/inactive/",
    "sign-up/",
    "sign-up/<str:token>/",
    "sign-out/",
    "password/reset/",
    "password/reset/sent/",
    "password/reset/done/",
    "password/reset/<base36:uidb36>-<str:key>/",
    "email/sent/",
    "email/<str:key>/",
    "oidc/cancelled/",
    "oidc/error/",
    "oidc/<str:provider_id>/",
    "oidc/<str:provider_id>/callback/",
    "api/v1/docs",
    "api/v1/docs/socket",
}
WITH_A_KEY = {"password/reset/<base36:uidb36>-<str:key>/", "email/<str:key>/"}
"""They respond with a message that the key is no longer valid."""

Key = Callable[[str], str]


def permitted(*codenames: str) -> list[Permission]:
    return list(
        Permission.objects.filter(content_type__app_label="tasks_ui", codename__in=codenames)
    )


@pytest.fixture
def people(shared_stack: Stack) -> Iterator[dict[str, User]]:
    """The owner of everything that exists, and others."""
    users = {
        "owner": make_user("alice"),
        "stranger": make_user("bob"),
        "staff": make_user("sam", is_staff=True),
        "watcher": make_user("wim", is_staff=True),
        "operator": make_user("olga", is_staff=True),
        "superuser": make_user("root", is_staff=True, is_superuser=True),
    }
    users["watcher"].user_permissions.set(permitted("view_taskrun"))
    users["operator"].user_permissions.set(permitted("view_taskrun", "operate_taskrun"))
    make_world(users["owner"])
    yield users
    end_all_runs()


@pytest.fixture(autouse=True)
def the_test_client_is_a_known_host(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]


@pytest.fixture
def key(people: dict[str, User]) -> Key:
    """A caller's token: a person's, or one of the owner's that is no longer fully valid."""
    yesterday = timezone.now() - timedelta(days=1)

    def of(caller: str) -> str:
        if caller == "anonymous":
            return ""
        row, made = ApiToken.issue(owner=people.get(caller, people["owner"]), name=caller)
        ApiToken.objects.filter(pk=row.pk).update(
            revoked_at=yesterday if caller == "revoked token" else None,
            expires_at=yesterday if caller == "expired token" else None,
            scope="read" if caller == "read-only token" else "write",
        )
        return made

    return of


def routes() -> set[tuple[str, str]]:
    """Every method and path of the API, including those that the document leaves out."""
    found = set()
    for prefix, router in api._routers:
        for path, view in router.path_operations.items():
            for operation in view.operations:
                found |= {(method, plain(f"/{prefix}{path}")) for method in operation.methods}
    return found


def plain(path: str) -> str:
    return re.sub("/+", "/", path.replace("uuidstr:", "uuid:"))


def address(path: str) -> str:
    asked = f"?with={RUN_ID}" if path.endswith("/compare") else ""
    return "/api/v1" + re.sub(r"\{(?:\w+:)?(\w+)\}", lambda found: IDS[found[1]], path) + asked


def test_every_route_has_a_row() -> None:
    assert routes() == ROUTES.keys()


@pytest.mark.parametrize(
    "caller", ["anonymous", "revoked token", "expired token", "read-only token", "owner", *OTHERS]
)
def test_every_route_answers_each_caller_as_it_should(
    shared_stack: Stack, key: Key, caller: str
) -> None:
    with shared_stack.http(token=key(caller)) as http:
        for (method, path), kind in sorted(
            ROUTES.items(), key=lambda row: (row[0][0] == "DELETE", -len(row[0][1]))
        ):
            answer = http.request(method, address(path), json=BODIES.get(path))
            said = f"{caller}: {method} {path} -> {answer.status_code} {answer.text[:200]}"
            assert answer.status_code in expected(kind, caller, method, path), said
            if caller not in {"owner", "read-only token"}:
                assert SECRET not in answer.text, said
    if caller != "owner":
        assert Assessment.objects.filter(pk=ASSESSMENT_ID).exists()
        assert not TaskRun.objects.filter(again_of__isnull=False).exists()


def expected(kind: str, caller: str, method: str, path: str) -> set[int]:
    done = {200, 201, 202, 204}
    if kind == PUBLIC:
        return done
    if caller in {"anonymous", "revoked token", "expired token"}:
        return {401}
    if caller == "read-only token":
        return done if method == "GET" or path.startswith("/ws-tickets") else {403}
    if caller == "owner":
        return done | (
            {404}
            if "fingerprint" in path
            else {409}
            if "/reports" in path and method == "POST"
            else set()
        )
    return done if kind == OWN else {404}


def test_others_change_nothing_in_bulk(shared_stack: Stack, key: Key) -> None:
    for caller in OTHERS:
        with shared_stack.http(token=key(caller)) as http:
            answer = http.post(
                "/api/v1/tasks/bulk", json={"action": "retry", "ids": [TASK_ID]}
            ).json()
            assert [each["outcome"] for each in answer["results"]] == ["not_found"]
            by_filter = {"action": "cancel", "filter": {"q": SECRET}}
            assert http.post("/api/v1/tasks/bulk", json=by_filter).json()["results"] == []


def pages() -> list[str]:
    """Every page's route below the site's root, except the API's and the admin's."""

    def walk(patterns: list[Any], prefix: str) -> Iterator[str]:
        for pattern in patterns:
            route = f"{prefix}{pattern.pattern}"
            if isinstance(pattern, URLResolver):
                if not route.startswith(("admin/", "api/v1/")):
                    yield from walk(pattern.url_patterns, route)
            elif isinstance(pattern, URLPattern) and not route.startswith(("health/", "metrics")):
                yield route

    return sorted(set(walk(get_resolver().url_patterns, "")))


def page_address(route: str) -> str:
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: IDS[found[1]], route)


@pytest.mark.parametrize("caller", ["anonymous", *OTHERS])
def test_no_page_shows_or_changes_anothers(people: dict[str, User], caller: str) -> None:
    client = Client()
    for route in pages():
        if caller != "anonymous":
            client.force_login(people[caller])
        for method in ("get", "post"):
            if method == "post" and route in {
                "sign-out/",
                "assessments/new/",
                "assessments/sample/",
                "pipelines/",  # creates a token of the caller's
            }:
                continue
            answer = getattr(client, method)(page_address(route))
            said = f"{caller}: {method} /{route} -> {answer.status_code}"
            assert SECRET.encode() not in getattr(answer, "content", b""), said
            if caller == "anonymous" and route not in PUBLIC_PAGES:
                assert answer.status_code in {302, 405} and "/sign-in/" in answer.get(
                    "Location", "/sign-in/"
                ), said
            elif "<" in route and route not in WITH_A_KEY:
                assert answer.status_code in {404, 405}, said
            else:
                assert answer.status_code < 500, said
    assert Assessment.objects.filter(pk=ASSESSMENT_ID).exists()
    assert TaskRun.objects.count() == 1


@pytest.mark.parametrize("caller", ["anonymous", "revoked token", "expired token"])
def test_no_socket_opens_without_a_good_token(shared_stack: Stack, key: Key, caller: str) -> None:
    assert converse(shared_stack, token=key(caller)).closes() == 4401


@pytest.mark.parametrize("caller", ["owner", "read-only token", *OTHERS])
def test_every_socket_message_answers_each_caller_as_it_should(
    shared_stack: Stack, key: Key, caller: str
) -> None:
    is_owner, sees_all = caller in {"owner", "read-only token"}, caller in {"operator", "superuser"}
    with greeted(shared_stack, token=key(caller)) as socket:
        assert answer_to(socket, type="ping") == ["pong"]
        told = answer_to(socket, type="subscribe", task_id=TASK_ID)
        assert told == (["snapshot", "caught_up"] if is_owner else ["not_found"])
        assert answer_to(socket, type="unsubscribe", task_id=TASK_ID) == []
        assert answer_to(socket, type="subscribe", scope="mine")[-1:] == ["caught_up"]
        assert answer_to(socket, type="unsubscribe", scope="mine") == []
        assert answer_to(socket, type="subscribe", scope="all")[-1:] == (
            ["caught_up"] if sees_all else ["forbidden"]
        )
        heard = str(socket.heard)
    assert (SECRET in heard) == (is_owner or (sees_all and TaskRun.objects.active().exists()))


def answer_to(socket: Any, **message: Any) -> list[str]:
    """The types, or error codes, of everything before the pong for a ping that is sent after the
    message."""
    socket.say(**message)
    if message["type"] != "ping":
        socket.say(type="ping")
    frames = []
    while (frame := socket.hear())["type"] != "pong":
        frames.append(frame.get("code") or frame["type"])
    return frames or (["pong"] if message["type"] == "ping" else [])


def test_admin_actions_are_offered_to_those_with_the_permission(people: dict[str, User]) -> None:
    tasks = TaskRunAdmin(TaskRun, admin.site)
    offered = {name: set(tasks.get_actions(_request(user))) for name, user in people.items()}
    everything = set(tasks.actions or ())
    assert everything
    assert offered["operator"] == offered["superuser"] == everything
    assert (
        offered["owner"] == offered["stranger"] == offered["staff"] == offered["watcher"] == set()
    )


@pytest.mark.parametrize("caller", ["owner", "stranger", "staff", "watcher"])
def test_no_admin_action_is_done_without_the_permission(
    people: dict[str, User], caller: str
) -> None:
    client = Client()
    client.force_login(people[caller])
    before = [vars(run) | {"_state": None} for run in TaskRun.objects.all()]
    for action in TaskRunAdmin.actions:
        client.post("/admin/tasks_ui/taskrun/", {"action": action, "_selected_action": [TASK_ID]})
    assert [vars(run) | {"_state": None} for run in TaskRun.objects.all()] == before


def test_the_admin_lists_are_for_staff_with_the_permission(people: dict[str, User]) -> None:
    statuses = {
        "owner": 302,
        "stranger": 302,
        "staff": 403,
        "watcher": 200,
        "operator": 200,
        "superuser": 200,
    }
    for caller, status in statuses.items():
        client = Client()
        client.force_login(people[caller])
        assert client.get("/admin/tasks_ui/taskrun/").status_code == status, caller
    assert Client().get("/admin/tasks_ui/taskrun/").status_code == 302


def test_the_overview_is_for_staff_with_the_permission_and_errors_for_operators(
    people: dict[str, User],
) -> None:
    TaskRun.objects.filter(pk=TASK_ID).update(
        state="FAILURE", finished_at=timezone.now(), error="words of a failure", error_code="error"
    )
    shown = {"owner": 302, "stranger": 302, "staff": 403, "watcher": 200, "operator": 200}
    for caller, status in {**shown, "superuser": 200}.items():
        client = Client()
        client.force_login(people[caller])
        answer = client.get("/admin/tasks_ui/taskrun/overview/")
        assert answer.status_code == status, caller
        is_told = b"words of a failure" in answer.content
        assert is_told == (caller in {"operator", "superuser"}), caller
    assert Client().get("/admin/tasks_ui/taskrun/overview/").status_code == 302


def test_a_queue_is_held_by_those_with_the_permission_alone(people: dict[str, User]) -> None:
    page = "/admin/tasks_ui/taskrun/queues/"
    shown = {
        "owner": 302,
        "stranger": 302,
        "staff": 403,
        "watcher": 200,
        "operator": 200,
        "superuser": 200,
    }
    for caller, status in shown.items():
        client = Client()
        client.force_login(people[caller])
        assert client.get(page).status_code == status, caller
        for action in ("pause", "resume"):
            done = client.post(f"{page}default/{action}/")
            held = PausedQueue.objects.filter(name="default").exists()
            may = caller in {"operator", "superuser"}
            assert held == (may and action == "pause"), (caller, action)
            assert done.status_code == (302 if may or status == 302 else 403), (caller, action)


def test_a_worker_is_drained_by_those_with_the_permission_alone(people: dict[str, User]) -> None:
    worker = Worker.objects.create(hostname="w@nowhere", pid=1, queues=["default"])
    for caller in ("owner", "stranger", "staff", "watcher", "operator", "superuser"):
        client = Client()
        client.force_login(people[caller])
        for action in ("drain", "resume"):
            address = f"/admin/tasks_ui/taskrun/workers/{worker.hostname}/{action}/"
            status = client.post(address).status_code
            worker.refresh_from_db()
            may = caller in {"operator", "superuser"}
            is_kept_out = caller in {"staff", "watcher"}
            assert status == (403 if is_kept_out else 302), (caller, action)
            assert bool(worker.drain_requested_at) == (may and action == "drain"), (caller, action)
            assert client.get(address).status_code == (405 if may else status), (caller, action)
    assert client.post("/admin/tasks_ui/taskrun/workers/nobody/drain/").status_code == 404
    assert client.post(f"/admin/tasks_ui/taskrun/workers/{worker}/stop/").status_code == 404


def test_a_users_run_is_opened_by_staff_with_the_permission_alone(people: dict[str, User]) -> None:
    people["staff"].user_permissions.set(permitted("view_all_runs"))
    people["stranger"].user_permissions.set(permitted("view_all_runs"))
    page = f"/admin/tasks_ui/taskrun/{TASK_ID}/page/assessments/{ASSESSMENT_ID}/runs/1/"
    shown = {"owner": 302, "stranger": 302, "staff": 200, "watcher": 404, "operator": 404}
    for caller, status in {**shown, "superuser": 200}.items():
        client = Client()
        client.force_login(people[caller])
        answer = client.get(page)
        assert answer.status_code == status, caller
        assert (SECRET.encode() in answer.content) == (status == 200), caller
        assert client.post(page).status_code == (302 if status == 302 else 404), caller


def test_a_token_is_revoked_in_the_admin_by_those_who_may_change_tokens(
    people: dict[str, User], key: Key
) -> None:
    people["watcher"].user_permissions.add(*permitted("view_apitoken"))
    people["operator"].user_permissions.add(*permitted("view_apitoken", "change_apitoken"))
    for caller in ("owner", "stranger", "staff", "watcher", "operator", "superuser"):
        made = key("owner")
        token = ApiToken.objects.latest("pk")
        client = Client()
        client.force_login(people[caller])
        client.post(
            "/admin/tasks_ui/apitoken/", {"action": "revoke", "_selected_action": [token.pk]}
        )
        token.refresh_from_db()
        assert bool(token.revoked_at) == (caller in {"operator", "superuser"}), caller
        listed = client.get("/admin/tasks_ui/apitoken/")
        assert (token.prefix in listed.content.decode()) == (
            caller in {"watcher", "operator", "superuser"}
        ), caller
        assert made not in listed.content.decode()


def _request(user: User | AnonymousUser) -> Any:
    request = RequestFactory().get("/admin/tasks_ui/taskrun/")
    request.user = user
    return request
