"""The probes respond to anyone, and name what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test import Client

from tasks_ui.models import Worker
from tasks_ui.runs import queues
from tests.servers import Servers

if TYPE_CHECKING:
    from pytest_django import Settings


@pytest.fixture(autouse=True)
def nobody_else(db: None) -> None:
    """The workers of a stack that stays up between tests would count too."""
    Worker.objects.all().delete()


def worker_that_takes(*names: str) -> Worker:
    return Worker.objects.create(hostname="worker1@here", pid=1, queues=list(names))


def causes() -> dict[str, str]:
    """The problems that /health/ready reports, by code; empty if it reports "ready"."""
    answer = Client().get("/health/ready")
    body: dict[str, Any] = answer.json()
    assert (answer.status_code == 200) == (body["status"] == "ready")
    return {cause["code"]: cause["detail"] for cause in body.get("causes", [])}


@pytest.mark.parametrize("path", ["/health/live", "/health/serving", "/health/ready"])
def test_a_probe_is_answered_under_any_host_name_and_without_tls(
    db: None, settings: Settings, path: str
) -> None:
    """A container's health check sends ``Host: 127.0.0.1``; a server once answered it with 400 as
    soon as it had a domain name, so that the proxy in front never started."""
    settings.ALLOWED_HOSTS = ["infra.example"]
    settings.SECURE_SSL_REDIRECT = True
    worker_that_takes(*queues.names())
    answer = Client().get(path, headers={"host": "127.0.0.1:8000"})
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store, private"
    assert Client().get("/sign-in/", headers={"host": "127.0.0.1:8000"}).status_code == 400


def test_it_is_ready_when_each_queue_has_a_worker(db: None) -> None:
    worker_that_takes(*queues.names())
    assert causes() == {}


def test_it_is_not_ready_without_workers(db: None) -> None:
    assert list(causes()) == ["no_workers"]
    assert Client().get("/health/serving").status_code == 200  # people must get in to see it


def test_it_is_not_ready_while_nobody_takes_from_a_queue(db: None) -> None:
    worker_that_takes("default", "assessments", "priority")
    assert causes() == {"queue_without_worker": "No worker takes from: reports."}


def test_it_is_not_ready_on_a_full_disk(db: None, settings: Settings) -> None:
    worker_that_takes(*queues.names())
    settings.TASKS_DISK_FREE_MB = 1_000_000_000
    found = causes()
    assert list(found) == ["disk_full"]
    assert f"The disk of {settings.INFRA_MIND_HOME} has" in found["disk_full"]


def test_it_is_not_ready_on_a_database_that_takes_no_writes(transactional_db: None) -> None:
    worker_that_takes(*queues.names())
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        try:
            assert list(causes()) == ["database_read_only"]
        finally:
            cursor.execute("RESET default_transaction_read_only")


def test_it_is_not_ready_while_the_database_is_away(
    transactional_db: None, servers: Servers
) -> None:
    connection.close()
    servers.postgres.stop()
    assert list(causes()) == ["database_away"]
    assert Client().get("/health/serving").status_code == 503
    assert Client().get("/health/live").status_code == 200
    servers.postgres.start()
    assert list(causes()) == ["no_workers"]
