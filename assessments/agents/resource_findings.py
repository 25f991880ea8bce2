"""The finding about a declared resource: one constructor for all agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.agents.types import AgentFinding, SeverityOrigin
from assessments.rules import known_rules
from assessments.scan.focus import focus_of, shown, window

if TYPE_CHECKING:
    from assessments.agents.types import Severity
    from assessments.scan.types import Resource


OF_A_VALUE = frozenset(
    {"im-cost-graviton", "im-cost-generation", "im-sus-processor", "im-sus-region"}
)
"""Rules about an instance type or a region that is known, so that it can't be missing."""


def finding_about(
    resource: Resource | None,
    *,
    rule: str,
    title: str,
    severity: Severity,
    expected: str,
    actual: str,
    why: str,
    remediation: str,
    reference: str = "",
    origin: SeverityOrigin = SeverityOrigin.FORMULA,
    subject: str = "",
    attribute: str = "",
    monthly_saving_usd: float | None = None,
) -> AgentFinding:
    """A finding of ``rule`` at the resource's line that shows the problem, located by the table's
    attribute; without a resource it is about the requirements.

    ``subject`` distinguishes findings of one rule across runs; by default it is the resource's
    address. ``attribute`` takes the place of the table's.
    """
    named = resource.address if resource else "requirements"
    code = resource.code if resource else []
    known = known_rules().get(rule)
    end = resource.line_end if resource else 0
    focus = focus_of(code, attribute=attribute or (known.attribute if known else ""), end=end)
    if focus and focus.missing and rule in OF_A_VALUE:
        focus = None  # The value is in another block: a launch template, a provider.
    start = resource.line_start if resource else 0
    is_found = focus is not None and focus.line != start
    return AgentFinding(
        rule=rule,
        title=title,
        severity=severity,
        severity_origin=origin,
        resource=resource.address if resource else "",
        resource_type=resource.type if resource else "",
        file=resource.file if resource else "",
        line_start=focus.line if focus and is_found else start,
        line_end=focus.line if focus and is_found else end,
        expected=expected,
        actual=actual,
        why=why,
        remediation=remediation,
        references=[reference] if reference else [],
        evidence=window(code, focus.line if focus else start),
        line=focus.line if focus else start,
        shown=shown(code, focus),
        fingerprint_key=f"{rule}|{subject or named}",
        monthly_saving_usd=monthly_saving_usd,
    )
