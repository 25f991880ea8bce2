"""Where people see how well engines are confined."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

from tasks_ui.models import Worker
from tests.assessments.scanning import PLAIN
from tests.stack import Stack, wait_until

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@pytest.fixture
def operator(alice: User) -> Client:
    alice.is_staff = alice.is_superuser = True
    alice.save()
    client = Client()
    client.force_login(alice)
    return client


def test_staff_see_the_level_of_each_worker_and_others_only_that_it_is_ready(
    shared_stack: Stack, operator: Client, bob: User
) -> None:
    level = PLAIN.confinement()
    wait_until(
        lambda: Worker.objects.filter(facts={"Sandbox": level}).count() >= 2,
        timeout_s=60,
        what="the workers to say their level",
    )
    workers = operator.get("/health/ready").json()["workers"]
    assert len(workers) >= 2
    assert {tuple(facts.items()) for facts in workers.values()} == {(("Sandbox", level),)}
    page = operator.get("/admin/tasks_ui/taskrun/queues/")
    assert f"Sandbox: {level}" in page.content.decode()
    stranger, signed_in = Client(), Client()
    signed_in.force_login(bob)
    for client in (stranger, signed_in):
        assert client.get("/health/ready").json() == {"status": "ready"}
