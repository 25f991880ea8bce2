"""The exit status: 0 fine, 1 a gate failed, 2 something was not read or not known."""

from __future__ import annotations

from typing import Any

import pytest

from infra_mind_client import gates
from infra_mind_client.review import Change, Review, Unread
from tests.client.reviews import finding, review

UNREAD = [Unread(path="a.tf", reason="invalid HCL")]
NO_COST = [Change(key="monthly_cost", label="Cost", unit="", now=None, note="No price is known.")]
CHANGED = review(base="main", new=[finding(1, severity="low")], persisting=[finding(2)])


def status_of(what: Review, **wanted: Any) -> int:
    what.gates = gates.apply(gates.Wanted(**wanted), what)
    return what.exit_status


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, 0),
        ({"fail_on": "critical"}, 0),
        ({"fail_on": "high"}, 1),
        ({"fail_on": "high", "new_only": True}, 0),
        ({"fail_on": "low", "new_only": True}, 1),
        ({"max_increase": 20.5}, 0),
        ({"max_increase": 20.49}, 1),
        ({"budget": 120.5}, 0),
        ({"budget": 120}, 1),
    ],
)
def test_gates_of_a_change(wanted: dict[str, Any], expected: int) -> None:
    assert status_of(CHANGED, **wanted) == expected


def test_what_was_not_read_is_two_and_a_gate_that_failed_comes_first() -> None:
    assert status_of(review(unread=UNREAD)) == 2
    assert status_of(review(unread=UNREAD, new=[finding()]), fail_on="high") == 1


@pytest.mark.parametrize("wanted", [{"budget": 10}, {"max_increase": 10}])
def test_a_gate_on_money_that_nobody_knows_does_not_pass(wanted: dict[str, Any]) -> None:
    assert status_of(review(figures=NO_COST), **wanted) == 2
    (gate,) = gates.apply(gates.Wanted(**wanted), review(figures=NO_COST))
    assert "No price is known." in gate.message


def test_a_lower_bound_says_that_it_is_one() -> None:
    cost = Change(
        key="monthly_cost", label="Cost", unit="", now=5, note="at least: 2 without a known price"
    )
    (gate,) = gates.apply(gates.Wanted(budget=10), review(figures=[cost]))
    assert gate.passed and "at least: 2 without a known price" in gate.message


def test_accepted_findings_count_for_no_gate() -> None:
    assert status_of(review(accepted=[finding(accepted="in the baseline")]), fail_on="info") == 0
