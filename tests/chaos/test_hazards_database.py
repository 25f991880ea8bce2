"""PostgreSQL, Valkey or the web process away while runs are queued and running, and what requests
get in the meantime."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import pytest

from assessments.models import Assessment, AssessmentRun
from assessments.requirements import Requirements
from assessments.services import create_assessment
from tasks_ui.models import State, TaskRun
from tests.chaos.harm import all_succeed_once, api, ended, postgres_stopped, revive, start_again
from tests.stack import Stack, wait_until

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Queue = Callable[..., TaskRun]
pytestmark = pytest.mark.chaos


def test_postgresql_stopped_twice_with_sixty_queued_loses_none(
    harmed: Stack, queue_probe: Queue
) -> None:
    runs = [queue_probe(duration_s=0.1) for _ in range(60)]
    for _ in range(2):
        time.sleep(1)
        with postgres_stopped(harmed.servers):
            time.sleep(4)
    all_succeed_once(runs, timeout_s=150)


def test_ten_seconds_without_postgresql_under_load_lose_nothing_and_requests_get_503(
    harmed: Stack, queue_probe: Queue, alice: User
) -> None:
    runs = [queue_probe(duration_s=0.3) for _ in range(40)]
    with api(harmed, alice) as client:
        assert client.get("/api/v1/tasks/").status_code == 200
        time.sleep(1)
        with postgres_stopped(harmed.servers):
            until = time.monotonic() + 10
            answers = []
            while time.monotonic() < until:
                answers.append(client.get("/api/v1/tasks/"))
                time.sleep(0.2)
        assert {answer.status_code for answer in answers} == {503}
        for answer in answers:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == 503
            assert int(answer.headers["retry-after"]) > 0
        wait_until(
            lambda: client.get("/api/v1/tasks/").status_code == 200,
            timeout_s=30,
            what="the web to be back",
        )
    all_succeed_once(runs, timeout_s=150)


def test_a_frozen_broker_costs_a_request_little_and_its_run_runs_later(
    harmed: Stack, alice: User
) -> None:
    assessment = _questionnaire(alice)
    url = f"/api/v1/assessments/{assessment.pk}/analyze"
    with api(harmed, alice) as client:
        client.get("/api/v1/tasks/")  # warm
        harmed.servers.valkey.freeze()
        answers = [client.post(url) for _ in range(5)]
        harmed.servers.valkey.thaw()
    assert [answer.status_code for answer in answers] == [202] * 5
    assert (
        min(answer.elapsed.total_seconds() for answer in answers) < 0.5
    )  # the quietest moment of a busy machine
    for answer in answers:
        assert ended(TaskRun(pk=answer.json()["task_id"]), timeout_s=150).state == State.SUCCESS


def test_a_request_cut_off_by_the_web_process_death_and_repeated_with_its_key_makes_one_run(
    harmed: Stack, alice: User
) -> None:
    assessment = _questionnaire(alice)
    cut_off = 0
    for number in range(6):  # the kill may come after the response: then try again
        key = f"press {number}"
        revive(harmed)
        with api(harmed, alice) as client:
            cut_off += _post_and_kill_web(harmed, client, assessment, key=key)
            start_again(harmed["web"])
            harmed.servers.restore()
            again = _post_until_answered(client, assessment, key=key)
        assert again.status_code == 202
        rows = TaskRun.objects.filter(owner=alice, idempotency_key=key)
        assert str(rows.get().pk) == again.json()["task_id"]
        assert AssessmentRun.objects.filter(assessment=assessment).count() == number + 1
        if cut_off:
            break
    assert cut_off
    assert ended(rows.get(), timeout_s=150).state == State.SUCCESS


def _questionnaire(owner: User) -> Assessment:
    stated = Requirements(rps_now=50, rps_peak=200, service_time_ms=40, replicas=12)
    return create_assessment(owner=owner, name="plan", requirements=stated, uploads=[])


def _post_and_kill_web(
    stack: Stack, client: httpx.Client, assessment: Assessment, *, key: str
) -> bool:
    """SIGKILL the web process between its commit and its response; a frozen broker widens that
    window."""
    outcome: list[object] = []

    def post() -> None:
        try:
            outcome.append(client.post(_url(assessment), headers={"Idempotency-Key": key}))
        except httpx.HTTPError as error:
            outcome.append(error)

    stack.servers.valkey.freeze()
    thread = threading.Thread(target=post)
    thread.start()
    wait_until(
        lambda: outcome or TaskRun.objects.filter(idempotency_key=key).exists(),
        timeout_s=30,
        what="the row of the run",
        step_s=0.002,
    )
    stack["web"].kill()
    thread.join(30)
    return isinstance(outcome[0], httpx.HTTPError)


def _post_until_answered(
    client: httpx.Client, assessment: Assessment, *, key: str
) -> httpx.Response:
    deadline = time.monotonic() + 60
    while True:
        try:
            return client.post(_url(assessment), headers={"Idempotency-Key": key})
        except httpx.HTTPError:
            assert time.monotonic() < deadline
        time.sleep(0.3)


def _url(assessment: Assessment) -> str:
    return f"/api/v1/assessments/{assessment.pk}/analyze"
