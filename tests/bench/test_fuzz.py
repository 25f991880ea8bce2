"""The site under many hostile requests: 5,000 malformed socket frames, 5,000 requests generated
from the API's document, and 10,000 to API, pages and admin.

Only ``make bench`` collects this file; tests/test_api_schema.py, tests/test_hostile_requests.py and
tests/tasks_ui/test_socket_fuzz.py send a few hundred each.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks_ui.models import ApiToken
from tests.api_world import end_all_runs, make_user, make_world
from tests.hostile_requests import break_nothing
from tests.stack import Stack
from tests.tasks_ui.test_socket_fuzz import harmless
from tests.tasks_ui.webs import another_web
from tests.test_api_schema import requests_made
from tests.test_hostile_requests import LIMITS


def test_five_thousand_malformed_frames_do_no_harm(shared_stack: Stack) -> None:
    token = ApiToken.issue(owner=make_user("alice"), name="test")[1]
    harmless(shared_stack, token=token, frames=5000, seed=7)


def test_five_thousand_requests_made_from_the_document_break_nothing(
    shared_stack: Stack, tmp_path: Path
) -> None:
    alice = make_user("alice")
    make_world(alice)
    token = ApiToken.issue(owner=alice, name="test")[1]
    with another_web(
        shared_stack, tmp_path, ANALYZE_WAIT_MAX_S="1", RATE_LIMIT_PER_MINUTE="1000000"
    ) as web:
        every_phase = "examples,coverage,fuzzing"
        count = requests_made(
            web, token=token, folder=tmp_path, examples=180, phases=every_phase, exclude=[]
        )
    end_all_runs()
    print(f"{count} requests, no 5xx, no breach of the schema")
    assert count >= 5000


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(1, 11))
def test_ten_thousand_hostile_requests_break_nothing(
    shared_stack: Stack, tmp_path: Path, part: int
) -> None:
    """In ten parts of 1,000, so that a failing one can be run alone."""
    with another_web(shared_stack, tmp_path, **LIMITS) as web:
        statuses = break_nothing(web, count=1_000, part=part)
    end_all_runs()
    print(f"part {part}: {statuses.total()} requests: {dict(statuses.most_common())}")
    assert statuses.total() == 1_000
