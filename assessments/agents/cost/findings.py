"""Savings and a missed budget as findings."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from assessments.agents.cost.price_list import ZERO, cents
from assessments.agents.cost.savings import Saving
from assessments.agents.resource_findings import finding_about
from assessments.agents.types import AgentFinding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator


def saving_finding(saving: Saving, total: Decimal) -> AgentFinding:
    """Severity by share of the whole: 10 % or more medium, 1 % or more low, otherwise info."""
    share = saving.monthly_usd / total if total else ZERO
    severity = (
        Severity.MEDIUM
        if share >= Decimal("0.1")
        else Severity.LOW
        if share >= Decimal("0.01")
        else Severity.INFO
    )
    return finding_about(
        saving.resource,
        rule=saving.rule,
        title=saving.title,
        severity=severity,
        expected=saving.expected,
        actual=saving.actual,
        why=saving.why,
        remediation=saving.remediation,
        reference=saving.reference,
        subject=f"{saving.resource.address}|{saving.part}",
        monthly_saving_usd=float(saving.monthly_usd),
    )


def budget_findings(total: Decimal, budget: float | None) -> Iterator[AgentFinding]:
    """Over budget: high from 50 % over, otherwise medium."""
    if budget is None or total <= Decimal(str(budget)):
        return
    over = total - Decimal(str(budget))
    severity = Severity.HIGH if total >= Decimal("1.5") * Decimal(str(budget)) else Severity.MEDIUM
    yield finding_about(
        None,
        rule="im-cost-budget",
        title="The declared resources cost more than the budget",
        severity=severity,
        expected=f"at most {budget:g} USD a month",
        actual=f"{total} USD a month, {cents(over)} USD over",
        why="The priced components alone cost more than the budget; unpriced ones add to that.",
        remediation="Start with the savings, then the most expensive rows of the price table.",
    )
