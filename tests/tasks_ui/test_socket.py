"""The WebSocket API through the real web process, workers, Valkey and PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import redis
from django.contrib.auth.models import Permission
from django.test import Client

from tasks_ui.models import FINAL, ApiToken, AuditEntry, SocketTicket, TaskEvent, TaskRun
from tasks_ui.runs.services import request_cancel
from tests.stack import Stack, wait_until
from tests.tasks_ui.sockets import converse, greeted

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Queue = Callable[..., TaskRun]


@pytest.fixture
def token(alice: User) -> str:
    return key_of(alice)


@pytest.fixture(autouse=True)
def all_ends(shared_stack: Stack) -> Iterator[None]:
    """No run outlives its test: the database is emptied under it."""
    yield
    wait_until(
        lambda: not TaskRun.objects.active().exists(), timeout_s=30, what="the end of all runs"
    )


def key_of(user: User, **more: Any) -> str:
    return ApiToken.issue(owner=user, name="test", **more)[1]


def all_seqs(task_id: Any) -> list[int]:
    return list(
        TaskEvent.objects.filter(task=task_id).order_by("seq").values_list("seq", flat=True)
    )


def session_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


def test_a_subscriber_gets_a_snapshot_every_event_in_order_and_the_end(
    shared_stack: Stack, queue_probe: Queue, token: str
) -> None:
    run = queue_probe(duration_s=0.5)
    with greeted(shared_stack, token=token) as socket:
        socket.subscribe(run.pk)
        snapshot = socket.hear()
        assert snapshot["type"] == "snapshot"
        assert snapshot["task"]["task_id"] == str(run.pk)
        socket.hear_until("caught_up")
        socket.hear_until("event", event="task.succeeded")
        assert socket.seqs(run.pk) == all_seqs(run.pk)
        assert any(frame["type"] == "progress" for frame in socket.heard)


def test_a_parents_subscriber_hears_of_its_children(
    shared_stack: Stack, queue_probe: Queue, token: str
) -> None:
    run = queue_probe(kind="probe_family", children=2, duration_s=0.3)
    with greeted(shared_stack, token=token) as socket:
        socket.subscribe(run.pk)
        socket.hear_until("event", event="task.succeeded")
        assert socket.seqs(run.pk) == all_seqs(run.pk)
        children = set(TaskRun.objects.filter(parent=run).values_list("pk", flat=True))
        succeeded = [
            f for f in socket.heard if f["type"] == "event" and f["event"] == "child.succeeded"
        ]
        assert {f["data"]["task_id"] for f in succeeded} == {str(pk) for pk in children}
        progress = [f for f in socket.heard if f["type"] == "progress"]
        assert {f["parent_id"] for f in progress if f["task_id"] != str(run.pk)} == {str(run.pk)}
        assert {f["attempt"] for f in progress} == {1}


def test_after_a_reconnect_only_what_was_missed_is_sent(
    shared_stack: Stack, queue_probe: Queue, token: str
) -> None:
    run = queue_probe(duration_s=0.5)
    with greeted(shared_stack, token=token) as socket:
        socket.subscribe(run.pk)
        last = socket.hear_until("event", event="task.started")["seq"]
    wait_until(lambda: TaskRun.objects.get(pk=run.pk).state in FINAL, timeout_s=20, what="the end")
    with greeted(shared_stack, token=token) as socket:
        socket.subscribe(run.pk, after_seq=last)
        end = socket.hear_until("caught_up")
        assert socket.seqs(run.pk) == [seq for seq in all_seqs(run.pk) if seq > last]
        assert end["last_seq"] == all_seqs(run.pk)[-1]


def test_a_client_that_is_ahead_of_the_server_is_told_to_resync(
    shared_stack: Stack, queue_probe: Queue, token: str
) -> None:
    run = queue_probe()
    with greeted(shared_stack, token=token) as socket:
        socket.subscribe(run.pk, after_seq=1000)
        assert socket.hear_until("resync_required")["reason"] == "ahead"


def test_the_scope_mine_brings_new_tasks_of_mine_and_of_nobody_else(
    shared_stack: Stack, queue_probe: Queue, alice: User, bob: User, token: str
) -> None:
    before = queue_probe(duration_s=1.5)
    with greeted(shared_stack, token=token) as socket:
        socket.say(type="subscribe", scope="mine")
        caught_up = socket.hear_until("caught_up")
        assert caught_up["scope"] == "mine"
        assert [f["task"]["task_id"] for f in socket.heard if f["type"] == "snapshot"] == [
            str(before.pk)
        ]
        bobs = queue_probe(owner=bob)
        mine = queue_probe()
        wait_until(lambda: not TaskRun.objects.active().exists(), timeout_s=20, what="all ends")
        ended: set[str] = set()
        while ended != {str(before.pk), str(mine.pk)}:
            frame = socket.hear(timeout_s=30)
            if frame["type"] == "event" and frame["event"] == "task.succeeded":
                ended.add(frame["task_id"])
            elif (
                frame["type"] == "snapshot" and frame["task"]["state"] == "SUCCESS"
            ):  # over before it was looked at
                ended.add(frame["task"]["task_id"])
        told = {
            f.get("task_id") or f["task"]["task_id"]
            for f in socket.heard
            if f["type"] in {"snapshot", "event"}
        }
        assert str(bobs.pk) not in told
        first = next(
            f
            for f in socket.heard
            if f["type"] == "snapshot" and f["task"]["task_id"] == str(mine.pk)
        )
        assert socket.seqs(mine.pk) == [seq for seq in all_seqs(mine.pk) if seq > first["last_seq"]]


def test_bob_is_told_that_alices_task_does_not_exist(
    shared_stack: Stack, queue_probe: Queue, bob: User
) -> None:
    run = queue_probe(duration_s=0.3)
    with greeted(shared_stack, token=key_of(bob)) as socket:
        socket.subscribe(run.pk, ref="first")
        refusal = socket.hear()
        assert (refusal["type"], refusal["code"], refusal["ref"]) == ("error", "not_found", "first")
        socket.subscribe("01890000-0000-7000-8000-000000000000", ref="first")
        assert socket.hear() == refusal  # the same message as for a task that doesn't exist
        wait_until(
            lambda: TaskRun.objects.get(pk=run.pk).state in FINAL, timeout_s=20, what="the end"
        )
        socket.say(type="ping", ref=1)
        assert socket.hear()["type"] == "pong"  # and nothing came before it


def test_only_staff_who_may_view_tasks_follow_everyones(
    shared_stack: Stack, queue_probe: Queue, alice: User, bob: User
) -> None:
    with greeted(shared_stack, token=key_of(bob)) as socket:
        socket.say(type="subscribe", scope="all")
        assert socket.hear()["code"] == "forbidden"
    bob.is_staff = bob.is_superuser = True
    bob.save()
    with greeted(shared_stack, token=key_of(bob)) as socket:
        socket.say(type="subscribe", scope="all")
        socket.hear_until("caught_up")
        run = queue_probe(duration_s=0.2)
        assert socket.hear_until("event", event="task.succeeded")["task_id"] == str(run.pk)
        bob.is_superuser = False
        bob.save()
        assert socket.hear_until("revoked", timeout_s=3)["task_id"] is None


def test_staff_who_read_runs_follow_anothers_task_until_they_may_not(
    shared_stack: Stack, queue_probe: Queue, bob: User
) -> None:
    bob.is_staff = True
    bob.save()
    run = queue_probe(duration_s=60)
    cookie = session_of(bob)
    with greeted(shared_stack, cookie=cookie, origin=shared_stack.url) as socket:
        socket.subscribe(run.pk)
        assert socket.hear()["code"] == "not_found"
        permission = Permission.objects.get(codename="view_all_runs")
        bob.user_permissions.add(permission)
        socket.subscribe(run.pk)
        assert socket.hear_until("snapshot")["task"]["task_id"] == str(run.pk)
        socket.hear_until("event", event="task.started")
        socket.hear_until("progress")
        bob.user_permissions.remove(permission)
        assert socket.hear_until("revoked", timeout_s=3)["task_id"] == str(run.pk)
        request_cancel(run, by=run.owner)
        wait_until(
            lambda: TaskRun.objects.get(pk=run.pk).state in FINAL, timeout_s=20, what="the end"
        )
        socket.say(type="ping", ref=1)
        assert socket.hear()["type"] == "pong"  # and nothing came before it
    opened = AuditEntry.objects.filter(event="run.opened", actor=bob)
    assert [each.about for each in opened] == [f"{run.owner.get_username()}: live, {run.pk}"]


def test_a_token_of_staff_who_read_runs_follows_only_their_own(
    shared_stack: Stack, queue_probe: Queue, bob: User
) -> None:
    bob.is_staff = True
    bob.save()
    bob.user_permissions.add(Permission.objects.get(codename="view_all_runs"))
    run = queue_probe(duration_s=0.1)
    with greeted(shared_stack, token=key_of(bob)) as socket:
        socket.subscribe(run.pk)
        assert socket.hear()["code"] == "not_found"


def test_nobody_is_refused_with_4401(shared_stack: Stack) -> None:
    assert converse(shared_stack).closes() == 4401
    assert converse(shared_stack, token="im_wrong").closes() == 4401
    assert converse(shared_stack, cookie="x" * 32, origin=shared_stack.url).closes() == 4401


def test_a_session_opens_a_socket_from_pages_of_this_site_alone(
    shared_stack: Stack, alice: User
) -> None:
    session = session_of(alice)
    with greeted(shared_stack, cookie=session, origin=shared_stack.url) as socket:
        assert socket.heard[0]["user"] == "alice"
    another_port = shared_stack.url.rsplit(":", 1)[0] + ":1"
    for origin in ("http://evil.example", another_port, "http://127.0.0.1", "null", None):
        assert converse(shared_stack, cookie=session, origin=origin).closes() == 4403, origin


def test_a_ticket_opens_one_socket_once_and_not_after_its_minute(
    shared_stack: Stack, token: str
) -> None:
    with shared_stack.http(token=token) as http:
        ticket = http.post("/api/v1/ws-tickets/").json()["ticket"]
        late = http.post("/api/v1/ws-tickets/").json()["ticket"]
    with greeted(shared_stack, ticket=ticket):
        assert converse(shared_stack, ticket=ticket).closes() == 4401
    SocketTicket.objects.update(expires_at="2020-01-01T00:00Z")
    assert converse(shared_stack, ticket=late).closes() == 4401


@pytest.mark.parametrize("how", ["sign out", "new password", "deactivated", "deleted"])
def test_a_lost_session_ends_its_sockets_within_two_seconds(
    shared_stack: Stack, queue_probe: Queue, alice: User, how: str
) -> None:
    client = Client()
    client.force_login(alice)
    run = queue_probe()
    with greeted(
        shared_stack, cookie=client.cookies["sessionid"].value, origin=shared_stack.url
    ) as socket:
        socket.subscribe(run.pk)
        socket.hear_until("caught_up")
        if how == "sign out":
            client.logout()
        elif how == "new password":
            alice.set_password("another password")
            alice.save()
        elif how == "deactivated":
            type(alice).objects.update(is_active=False)  # without a signal: the poll finds it
        else:
            wait_until(
                lambda: TaskRun.objects.get(pk=run.pk).state in FINAL, timeout_s=20, what="the end"
            )
            alice.delete()
        assert socket.closes(within_s=2) == 4401
        if how != "deleted":
            assert {"v": 1, "type": "revoked", "task_id": str(run.pk)} in socket.heard


def test_a_revoked_token_ends_its_sockets_within_two_seconds(
    shared_stack: Stack, alice: User, token: str
) -> None:
    with (
        greeted(shared_stack, token=token) as socket,
        greeted(shared_stack, token=key_of(alice)) as other,
    ):
        row = ApiToken.find(token)
        assert row
        row.revoked_at = row.created_at
        row.save()
        assert socket.closes(within_s=2) == 4401
        other.say(type="ping")
        assert other.hear()["type"] == "pong"


def test_a_task_that_gets_another_owner_is_revoked(
    shared_stack: Stack, queue_probe: Queue, bob: User, token: str
) -> None:
    run = queue_probe()
    with greeted(shared_stack, token=token) as socket:
        socket.subscribe(run.pk)
        socket.hear_until("caught_up")
        TaskRun.objects.filter(pk=run.pk).update(owner=bob)
        assert socket.hear_until("revoked", timeout_s=3)["task_id"] == str(run.pk)


def test_a_task_that_is_deleted_is_gone(
    shared_stack: Stack, queue_probe: Queue, token: str
) -> None:
    run = queue_probe()
    wait_until(lambda: TaskRun.objects.get(pk=run.pk).state in FINAL, timeout_s=20, what="the end")
    with greeted(shared_stack, token=token) as socket:
        socket.subscribe(run.pk)
        socket.hear_until("caught_up")
        TaskRun.objects.filter(pk=run.pk).delete()
        assert socket.hear_until("resync_required", timeout_s=3)["reason"] == "gone"


def test_a_cancel_is_heard(
    shared_stack: Stack, queue_probe: Queue, alice: User, token: str
) -> None:
    run = queue_probe(duration_s=20)
    with greeted(shared_stack, token=token) as socket:
        socket.subscribe(run.pk)
        socket.hear_until("event", event="task.started")
        request_cancel(run, by=alice)
        socket.hear_until("event", event="task.cancelling")
        socket.hear_until("event", event="task.revoked")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "invalid_json"),
        ("[" * 8000, "invalid_json"),
        ("[]", "invalid_message"),
        ("null", "invalid_message"),
        ('{"type":"shutdown"}', "invalid_message"),
        ('{"type":"subscribe"}', "invalid_message"),
        ('{"type":"subscribe","task_id":"1"}', "invalid_message"),
        ('{"type":"subscribe","scope":"yours"}', "invalid_message"),
        ('{"type":"ping","more":1}', "invalid_message"),
        (
            '{"type":"subscribe","task_id":"01890000-0000-7000-8000-000000000000","after_seq":-1}',
            "invalid_message",
        ),
        (
            '{"type":"subscribe","task_id":"01890000-0000-7000-8000-000000000000","after_seq":1e99}',
            "invalid_message",
        ),
    ],
)
def test_a_malformed_frame_gets_an_error_and_the_socket_lives(
    shared_stack: Stack, token: str, frame: str, code: str
) -> None:
    with greeted(shared_stack, token=token) as socket:
        socket.connection.send(frame)
        assert socket.hear()["code"] == code
        socket.say(type="ping")
        assert socket.hear()["type"] == "pong"


def test_a_frame_above_16_kib_ends_the_socket(shared_stack: Stack, token: str) -> None:
    with greeted(shared_stack, token=token) as socket:
        socket.connection.send(json.dumps({"type": "ping", "ref": "x" * 17_000}))
        assert socket.closes() == 1009


def test_a_flood_of_messages_ends_the_socket(shared_stack: Stack, token: str) -> None:
    with greeted(shared_stack, token=token) as socket:
        for _ in range(100):
            socket.say(type="ping")
        assert socket.closes() == 4429


def test_one_user_opens_fifty_sockets_and_no_more(
    shared_stack: Stack, bob: User, token: str
) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(greeted(shared_stack, token=token))
        assert converse(shared_stack, token=token).closes() == 4429
        stack.enter_context(greeted(shared_stack, token=key_of(bob)))


def test_events_arrive_complete_though_every_connection_to_valkey_is_cut(
    shared_stack: Stack, queue_probe: Queue, token: str
) -> None:
    run = queue_probe(kind="probe_family", children=3, duration_s=0.7)
    valkey = redis.Redis.from_url(shared_stack.servers.valkey.url)
    with greeted(shared_stack, token=token) as socket:
        socket.subscribe(run.pk)
        socket.hear_until("event", event="task.started")
        for _ in range(5):
            valkey.client_kill_filter(_type="pubsub", skipme=True)
            time.sleep(0.3)
        socket.hear_until("event", event="task.succeeded", timeout_s=60)
        assert socket.seqs(run.pk) == all_seqs(run.pk)
