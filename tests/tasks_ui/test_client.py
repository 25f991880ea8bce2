"""The Python client: every durable event once and in order, whatever happens to its connections."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra_mind_client import ApiError, Client, UnreachableError
from tasks_ui.models import FINAL, TaskRun
from tasks_ui.runs.services import request_cancel
from tasks_ui.runs.transitions import emit
from tests.stack import Stack, free_port, wait_until
from tests.tasks_ui.proxies import Proxy
from tests.tasks_ui.test_socket import all_seqs, key_of
from tests.tasks_ui.webs import another_web

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Queue = Callable[..., TaskRun]
CUTS = 50


@pytest.fixture(autouse=True)
def all_ends(shared_stack: Stack) -> Iterator[None]:
    """No run outlives its test: the database is emptied under it."""
    yield
    wait_until(
        lambda: not TaskRun.objects.active().exists(), timeout_s=30, what="the end of all runs"
    )


class Follower(threading.Thread):
    """Follows a task to its end. ``heard`` contains the seqs in order of arrival."""

    def __init__(self, url: str, token: str, task_id: Any) -> None:
        super().__init__(daemon=True)
        self.heard: list[int] = []
        self.events: list[str] = []
        self.ended_at: datetime | None = None
        self.error: Exception | None = None
        self._client = Client(url, token=token)
        self._task_id = str(task_id)

    def run(self) -> None:
        try:
            with self._client as client:
                for frame in client.follow(self._task_id):
                    if frame["type"] == "event":
                        self.heard.append(frame["seq"])
                        self.events.append(frame["event"])
                self.ended_at = datetime.now(UTC)
        except Exception as error:
            self.error = error

    def finish(self, *, timeout_s: float) -> None:
        self.join(timeout_s)
        assert not self.is_alive(), "the client still follows"
        if self.error:
            raise self.error


@pytest.mark.slow
def test_a_client_cut_fifty_times_gets_each_event_once_and_in_order(
    shared_stack: Stack, queue_probe: Queue, alice: User
) -> None:
    run = queue_probe(kind="probe_family", children=12, duration_s=60)
    with Proxy(shared_stack.port) as proxy:
        follower = Follower(proxy.url, key_of(alice), run.pk)
        follower.start()
        give_up_at = time.monotonic() + 180
        while proxy.cuts < CUTS and time.monotonic() < give_up_at:
            emit(run, "probe.noted", {"cut": proxy.cuts}, attempt=None)
            if proxy.cut() and proxy.cuts == CUTS // 2:
                shared_stack.servers.valkey.kill()
                shared_stack.servers.valkey.start()
            time.sleep(random.uniform(0, 0.15))
        assert proxy.cuts == CUTS
        request_cancel(run, by=alice)
        wait_until(
            lambda: TaskRun.objects.get(pk=run.pk).state in FINAL, timeout_s=60, what="the end"
        )
        follower.finish(timeout_s=30)
    assert follower.heard == all_seqs(run.pk) == list(range(1, len(follower.heard) + 1))
    assert len(follower.heard) > CUTS


@pytest.mark.slow
def test_with_half_of_the_layers_messages_lost_all_is_there_two_seconds_after_the_end(
    shared_stack: Stack, queue_probe: Queue, alice: User, tmp_path: Path
) -> None:
    token = key_of(alice)
    with another_web(shared_stack, tmp_path, LOSE_LAYER_MESSAGES="0.5") as web:
        runs = [queue_probe(kind="probe_family", children=3, duration_s=0.2) for _ in range(4)]
        followers = [Follower(web.url, token, run.pk) for run in runs]
        for follower in followers:
            follower.start()
        for run, follower in zip(runs, followers, strict=True):
            follower.finish(timeout_s=60)
            ended = TaskRun.objects.get(pk=run.pk)
            assert follower.heard == all_seqs(run.pk)
            assert ended.finished_at and follower.ended_at
            assert (follower.ended_at - ended.finished_at).total_seconds() < 2
        assert "Lost on purpose: task.event" in web["web"].log()


def test_where_no_websocket_comes_through_the_client_asks_over_http(
    shared_stack: Stack, queue_probe: Queue, alice: User
) -> None:
    run = queue_probe(kind="probe_family", children=2, duration_s=0.5)
    with Proxy(shared_stack.port, refuses_upgrades=True) as proxy:
        follower = Follower(proxy.url, key_of(alice), run.pk)
        follower.start()
        follower.finish(timeout_s=40)
        assert proxy.refused >= 2
    assert follower.heard == all_seqs(run.pk)
    assert follower.events[-1] == "task.succeeded"


def test_a_client_of_a_task_that_is_not_there_or_with_no_token_is_told_so(
    shared_stack: Stack, queue_probe: Queue, alice: User, bob: User
) -> None:
    run = queue_probe(duration_s=0.2)
    for key, status in ((key_of(bob), 404), ("im_wrong", 401)):
        with Client(shared_stack.url, token=key) as client, pytest.raises(ApiError) as refused:
            list(client.follow(str(run.pk)))
        assert refused.value.status == status


def test_a_server_that_is_away_for_good_ends_the_clients_patience() -> None:
    with Client(f"http://127.0.0.1:{free_port()}", token="im_x", patience_s=1) as client:
        with pytest.raises(UnreachableError):
            client.get("/tasks/")
        with pytest.raises(UnreachableError):
            list(client.follow("019ab3f0-5c1e-7a52-9d3b-4f2f6f3c8e10"))
