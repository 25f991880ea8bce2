"""HEAD over the wire."""

from __future__ import annotations

import httpx

from tests.stack import Stack


def test_head_of_a_large_answer_leaves_the_connection_fit_for_the_next_request(
    shared_stack: Stack,
) -> None:
    with httpx.Client(base_url=shared_stack.url) as http:
        whole = http.get("/api/v1/openapi.json")
        assert len(whole.content) > 70_000
        for _ in range(3):
            head = http.head("/api/v1/openapi.json")
            assert (head.status_code, head.content) == (200, b"")
            assert http.get("/health/live").status_code == 200
