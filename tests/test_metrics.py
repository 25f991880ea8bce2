"""``/metrics`` agrees with the database, whichever process did what, and reveals nothing about
people."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, RequestFactory
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest

from infra_mind.metrics import is_from_here
from tasks_ui.kinds import TaskKind
from tasks_ui.models import FINAL, ApiToken, State, Tally, TaskRun
from tasks_ui.monitoring.metrics import DatabaseCollector
from tasks_ui.prune import prune
from tasks_ui.reconciler import reconcile
from tasks_ui.runs import tallies
from tasks_ui.runs.transitions import claim
from tasks_ui.worker.execute import tracked
from tasks_ui.worker.work import Work
from tests.probe.runs import queue_probe
from tests.scraping import Samples, of, parsed, scrape
from tests.servers import Servers
from tests.stack import Stack, wait_until
from tests.tasks_ui.rows import finished_rows
from tests.tasks_ui.sockets import greeted

if TYPE_CHECKING:
    from pytest_django import Settings


LATE = TaskKind(name="noop", label="No-op", task_name="tests.late", queue="default")


@tracked(LATE)
def taken_over_meanwhile(work: Work) -> None:
    """While it is working, its run is handed to another attempt."""
    TaskRun.objects.filter(pk=work.run.pk).update(attempt=2)


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice-canary", password="a password of alice")


def seen_now() -> Samples:
    """What this process would respond, without the second that a response is cached."""
    registry = CollectorRegistry()
    registry.register(DatabaseCollector())
    return parsed(generate_latest(registry).decode())


SWEPT = ("tasks_reconciler_age_seconds", frozenset[tuple[str, str]]())


def never_falls(scrapes: list[Samples]) -> bool:
    counters = [key for key in scrapes[0] if key[0].endswith(("_total", "_count", "_bucket"))]
    return all(
        earlier[key] <= later[key] for earlier, later in pairwise(scrapes) for key in counters
    )


def test_scrapes_under_load_agree_with_the_database(shared_stack: Stack, alice: User) -> None:
    _, key = ApiToken.issue(owner=alice, name="test")
    with greeted(shared_stack, token=key) as socket:
        socket.say(type="subscribe", scope="mine")
        for manner in ["ok"] * 20 + ["flaky", "hopeless"] * 2:
            queue_probe(owner=alice, manner=manner, title="title-canary")
        queue_probe(owner=alice, kind="probe_family", children=3)
        queue_probe(owner=alice, duration_s=5)  # a scrape finds it running
        scrapes = [scrape(shared_stack.url)]
        while TaskRun.objects.active().exists():
            time.sleep(0.3)
            scrapes.append(scrape(shared_stack.url))
        wait_until(
            lambda: SWEPT in scrape(shared_stack.url), timeout_s=30, what="word of the reconciler"
        )
        time.sleep(1.1)  # a response is cached for a second
        last = scrape(shared_stack.url)
    assert never_falls([*scrapes, last])
    for kind in ("probe", "probe_family"):
        runs = TaskRun.objects.filter(kind=kind)
        for state in FINAL:
            total = of(last, "tasks_finished_total", kind=kind, state=state)
            assert total == runs.filter(state=state).count()
        retries = sum(run.attempt - 1 for run in runs)
        assert of(last, "tasks_retries_total", kind=kind) == retries
        for name in ("tasks_wait_seconds", "tasks_run_seconds"):
            assert of(last, f"{name}_count", kind=kind) == runs.count()
        took = sum(
            (run.finished_at - run.started_at).total_seconds()
            for run in runs
            if run.finished_at and run.started_at
        )
        assert of(last, "tasks_run_seconds_sum", kind=kind) == pytest.approx(took)
    assert of(last, "tasks_retries_total", kind="probe") >= 2
    assert max(of(each, "tasks_queue_running", queue="default") for each in scrapes) > 0
    assert of(last, "tasks_queue_waiting", queue="default") == 0
    assert of(last, "tasks_workers_up", queue="priority") == 3
    assert of(last, "tasks_sockets_open") == 1
    assert of(last, "tasks_push_lag_seconds_count") > 20
    assert of(last, "tasks_reconciler_age_seconds") < 30
    assert of(last, "infra_mind_requests_total", method="GET", status="2xx") >= len(scrapes)
    assert of(last, "infra_mind_pool_connections", state="used") >= 0
    assert "canary" not in str(last)


def test_totals_stay_when_runs_are_folded_and_deleted(alice: User) -> None:
    finished_rows(owner=alice, rows=60)
    TaskRun.objects.update(
        finished_at=timezone.now() - timedelta(days=40), started_at=timezone.now()
    )
    before = seen_now()
    assert of(before, "tasks_finished_total", kind="probe", state="SUCCESS") == 19
    tallies.fold()
    assert seen_now() == pytest.approx(before)  # sums in another order
    assert prune() > 0
    assert not TaskRun.objects.filter(state=State.SUCCESS).exists()
    tallies.fold()
    assert seen_now() == pytest.approx(before)  # sums in another order


def test_a_run_that_has_just_finished_is_counted_once(alice: User) -> None:
    run = queue_probe(owner=alice, kind="noop")
    TaskRun.objects.filter(pk=run.pk).update(
        state=State.SUCCESS, started_at=timezone.now(), finished_at=timezone.now()
    )
    for _ in range(2):
        assert of(seen_now(), "tasks_finished_total", kind="noop", state="SUCCESS") == 1
        tallies.fold()
    assert not Tally.objects.filter(name=tallies.FINISHED).exists()


def test_a_run_taken_back_from_a_lost_worker_is_counted(alice: User) -> None:
    run = queue_probe(owner=alice, kind="noop")
    assert claim(run.pk, attempt=0, worker="gone")
    TaskRun.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=40))
    lost = seen_now()
    assert of(lost, "tasks_lease_overdue") == 1
    assert of(lost, "tasks_lease_overdue_seconds") >= 40
    reconcile()
    assert of(seen_now(), "tasks_reconciled_total", rule="lost_lease") == 1
    assert of(seen_now(), "tasks_lease_overdue") == 0


def test_an_attempt_that_comes_too_late_is_counted(alice: User) -> None:
    run = queue_probe(owner=alice, kind="noop")
    taken_over_meanwhile.apply(args=[str(run.pk), 0])
    assert of(seen_now(), "tasks_fenced_total", kind="noop") == 1


def test_what_waits_is_counted_by_queue(alice: User) -> None:
    run = queue_probe(owner=alice)
    TaskRun.objects.filter(pk=run.pk).update(queued_at=timezone.now() - timedelta(minutes=5))
    queue_probe(owner=alice, next_retry_at=timezone.now() + timedelta(hours=1))  # for later
    now = seen_now()
    assert of(now, "tasks_queue_waiting", queue="default") == 1
    assert 300 <= of(now, "tasks_queue_oldest_seconds", queue="default") < 330
    assert of(now, "tasks_queue_waiting", queue="reports") == 0


def test_while_the_database_is_away_nothing_else_is_reported(
    transactional_db: None, servers: Servers
) -> None:
    connection.close()
    servers.postgres.stop()
    assert seen_now() == {("tasks_database_up", frozenset()): 0}
    servers.postgres.start()
    assert of(seen_now(), "tasks_database_up") == 1


@pytest.mark.parametrize(
    ("meta", "is_near"),
    [
        ({}, True),
        ({"HTTP_HOST": "[::1]:8000", "REMOTE_ADDR": "::1"}, True),
        ({"HTTP_HOST": "localhost", "REMOTE_ADDR": "127.0.0.1"}, True),
        ({"REMOTE_ADDR": "192.0.2.7"}, False),
        ({"REMOTE_ADDR": ""}, False),
        ({"HTTP_HOST": "infra.example"}, False),  # a foreign name that resolves to this machine
        ({"HTTP_X_FORWARDED_FOR": "192.0.2.7"}, False),  # a proxy on this machine
    ],
)
def test_without_a_token_only_this_machine_reads_metrics(
    meta: dict[str, str], is_near: bool
) -> None:
    request = RequestFactory().get("/metrics")
    request.META |= {"HTTP_HOST": "127.0.0.1:8000", "REMOTE_ADDR": "127.0.0.1", **meta}
    assert is_from_here(request) == is_near


def test_a_token_lets_prometheus_in_from_anywhere(db: None, settings: Settings) -> None:
    far: dict[str, Any] = {"REMOTE_ADDR": "192.0.2.7", "HTTP_HOST": "web:8000"}
    assert Client().get("/metrics", **far).status_code == 403
    settings.METRICS_TOKEN = "long-and-random"
    assert Client().get("/metrics", **far).status_code == 401
    wrong = Client().get("/metrics", headers={"Authorization": "Bearer long-and-rändom"}, **far)
    assert wrong.status_code == 401
    right = Client().get("/metrics", headers={"Authorization": "Bearer long-and-random"}, **far)
    assert right.status_code == 200
    assert of(parsed(right.content.decode()), "tasks_database_up") == 1
