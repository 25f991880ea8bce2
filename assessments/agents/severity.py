"""How bad a failed check is, and who says so.

In this order: the severity of the Prowler check that the crosswalk names (origin CROSSWALK); what
the engine itself said (origin ENGINE); the default of the check's topic in ``TOPIC_SEVERITY``
(origin CATEGORY). The origin is stored with each finding and shown beside it.
"""

from __future__ import annotations

from collections.abc import Iterable

from assessments.agents.crosswalk import entries, severities
from assessments.agents.routing import Topic, topic
from assessments.agents.types import Severity, SeverityOrigin
from assessments.scan.types import CheckResult

TOPIC_SEVERITY = {
    Topic.SECRETS: Severity.CRITICAL,
    Topic.IDENTITY: Severity.HIGH,
    Topic.NETWORK: Severity.MEDIUM,
    Topic.ENCRYPTION: Severity.MEDIUM,
    Topic.CUSTOMER_KEYS: Severity.LOW,
    Topic.APPLICATION: Severity.MEDIUM,
    Topic.WORKLOAD: Severity.MEDIUM,
    Topic.SUPPLY_CHAIN: Severity.MEDIUM,
    Topic.GENERAL: Severity.MEDIUM,
    Topic.LOGGING: Severity.MEDIUM,
    Topic.MONITORING: Severity.LOW,
    Topic.LIMITS: Severity.MEDIUM,
    Topic.IMAGES: Severity.MEDIUM,
    Topic.CI: Severity.MEDIUM,
    Topic.TAGS: Severity.LOW,
    Topic.RECOVERY: Severity.MEDIUM,
    Topic.HYGIENE: Severity.LOW,
    Topic.AVAILABILITY: Severity.MEDIUM,
}
"""This project's default by topic, used only where neither the crosswalk nor the engine gives a
severity. A secret in a file is critical, as Prowler rates one in a function's variables: whoever
reads the repository holds it. Identity is high because it opens other resources; customer-managed
keys, tags and hygiene are low because the data is protected without them."""

ENGINE_WORDS = {
    "critical": Severity.CRITICAL,
    "high": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "low": Severity.LOW,
    "info": Severity.INFO,
    "error": Severity.MEDIUM,
    "warning": Severity.LOW,
    "style": Severity.INFO,
}
"""The engines' words. compose-lint says critical to low, zizmor high to info; Hadolint says error,
warning, info, style, which rank build quality, so that an error is medium."""


class SeverityTable:
    """Severity by rule over one set of checks, so that a rule weighs the same whether it passed or
    failed.

    An engine that names the severity only where a rule failed is taken by its word for the whole
    rule; where it named several, the highest holds.
    """

    def __init__(self, checks: Iterable[CheckResult]) -> None:
        self._engine: dict[str, Severity] = {}
        for check in checks:
            said = ENGINE_WORDS.get((check.engine_severity or "").lower())
            if said is not None:
                self._engine[check.rule] = max(said, self._engine.get(check.rule, said))

    def of(self, check: CheckResult) -> tuple[Severity, SeverityOrigin]:
        """Severity of ``check`` and where it comes from."""
        if check.own_rule and check.rule in self._engine:
            return self._engine[check.rule], SeverityOrigin.OWN_RULE
        entry = entries().get(check.rule)
        if entry and entry.checks:
            return severities()[entry.checks[0]], SeverityOrigin.CROSSWALK
        if check.rule in self._engine:
            return self._engine[check.rule], SeverityOrigin.ENGINE
        return TOPIC_SEVERITY[topic(check)], SeverityOrigin.CATEGORY
