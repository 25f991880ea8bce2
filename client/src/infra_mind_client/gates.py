"""The gates that a pipeline can set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from infra_mind_client.review import SEVERITIES, Gate, Review, count_words


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """None: not set. Money is USD per month."""

    fail_on: str | None = None
    new_only: bool = False
    max_increase: float | None = None
    budget: float | None = None


def apply(wanted: Wanted, review: Review) -> list[Gate]:
    return [*_severity(wanted, review), *_increase(wanted, review), *_budget(wanted, review)]


def _severity(wanted: Wanted, review: Review) -> Iterator[Gate]:
    if wanted.fail_on is None:
        return
    levels = SEVERITIES[: SEVERITIES.index(wanted.fail_on) + 1]
    looked_at = review.new if wanted.new_only else review.findings
    found = [each for each in looked_at if each.severity in levels]
    what = f"{'new ' if wanted.new_only else ''}findings of severity {wanted.fail_on} or above"
    words = f"{len(found)} {what}: {count_words(found)}" if found else f"No {what}"
    yield Gate(name="fail-on", passed=not found, message=f"{words}.")


def _increase(wanted: Wanted, review: Review) -> Iterator[Gate]:
    if wanted.max_increase is None:
        return
    cost = review.figure("monthly_cost")
    change = cost.difference if cost else None
    if cost is None or change is None:
        words = "The change in cost is unknown"
        why = (cost and cost.note) or "there is no cost to compare with"
        yield Gate(name="max-increase", passed=None, message=f"{words}: {why.rstrip('.')}.")
        return
    yield Gate(
        name="max-increase",
        passed=change <= wanted.max_increase,
        message=(
            f"Cost changes by {change:+,.2f} USD a month; at most"
            f" {wanted.max_increase:+,.2f} is allowed.{_lower_bound(cost.note)}"
        ),
    )


def _budget(wanted: Wanted, review: Review) -> Iterator[Gate]:
    if wanted.budget is None:
        return
    cost = review.figure("monthly_cost")
    if cost is None or cost.now is None:
        why = (cost and cost.note) or "cost was not assessed"
        words = f"The budget can't be checked: {why.rstrip('.')}."
        yield Gate(name="budget", passed=None, message=words)
        return
    yield Gate(
        name="budget",
        passed=cost.now <= wanted.budget,
        message=(
            f"{cost.now:,.2f} USD a month of a budget of {wanted.budget:,.2f}."
            f"{_lower_bound(cost.note)}"
        ),
    )


def _lower_bound(note: str) -> str:
    return f" This is {note}." if note else ""
