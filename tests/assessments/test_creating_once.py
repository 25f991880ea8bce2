"""One Idempotency-Key, one assessment: even if four requests arrive at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx

from assessments.models import Assessment, VersionFile
from tasks_ui.models import ApiToken
from tests.stack import Stack

if TYPE_CHECKING:
    from django.contrib.auth.models import User

BODY = {"name": "shop", "files": [{"path": "main.tf", "content": 'variable "a" {}'}]}


def post(stack: Stack, key: str, idempotency_key: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": idempotency_key}
    answer = httpx.post(f"{stack.url}/api/v1/assessments/", json=BODY, headers=headers, timeout=60)
    return answer.status_code, answer.json().get("id", "")


def test_four_simultaneous_posts_with_one_key_create_one_assessment(
    shared_stack: Stack, alice: User, bob: User
) -> None:
    token = ApiToken.issue(owner=alice, name="test")[1]
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: post(shared_stack, token, "one"), range(4)))
    assert {status for status, _ in answers} == {201}
    assert len({assessment_id for _, assessment_id in answers}) == 1
    assert Assessment.objects.count() == 1
    assert VersionFile.objects.count() == 1
    assert post(shared_stack, token, "two")[1] != answers[0][1]
    other = post(shared_stack, ApiToken.issue(owner=bob, name="test")[1], "one")
    assert other[0] == 201
    assert other[1] != answers[0][1], "bob's key is his own"
