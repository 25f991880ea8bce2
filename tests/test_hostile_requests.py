"""Hostile requests to the API, the pages and the admin get a readable response, never a 5xx.
``make bench`` sends 10,000 of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api_world import end_all_runs
from tests.hostile_requests import break_nothing, routes
from tests.stack import Stack
from tests.tasks_ui.webs import another_web

LIMITS = {"ANALYZE_WAIT_MAX_S": "1", "RATE_LIMIT_PER_MINUTE": "1000000"}


def test_every_part_of_the_site_is_asked() -> None:
    first = {route.split("/")[0] for route in routes()}
    assert {"api", "admin", "assessments", "findings", "sign-in", "tokens", ""} <= first
    assert len(routes()) > 100


@pytest.mark.slow
def test_five_hundred_hostile_requests_break_nothing(shared_stack: Stack, tmp_path: Path) -> None:
    with another_web(shared_stack, tmp_path, **LIMITS) as web:
        statuses = break_nothing(web, count=500)
    end_all_runs()
    assert statuses.total() == 500
    assert {200, 302, 400, 404, 405, 422} <= statuses.keys(), statuses
