"""What passed, for engines that only report what failed.

compose-lint runs each of its rules on each service, and the secrets scan looks at each file;
neither names what it found in order. Where a file was read whole, a rule without a result for a
service has passed, and a file without a secret has passed. Files that were not read whole imply
nothing. Hadolint and cfn-lint publish no list of the rules that ran, so their findings are listed
and weigh nothing (``SILENT_ENGINES``).
"""

from __future__ import annotations

from functools import cache

from compose_lint.rules import get_registered_rules

from assessments.agents.types import AgentInput
from assessments.scan.types import CheckResult, CoverageStatus, FileKind, Outcome

SILENT_ENGINES = frozenset({"hadolint", "cfn-lint"})
SECRETS_RULE = "CKV_SECRET"


def implied_passes(data: AgentInput) -> list[CheckResult]:
    """The passed results that compose-lint and the secrets scan leave unsaid."""
    read = {each.path for each in data.coverage if each.status == CoverageStatus.READ}
    return [*_compose_passes(data, read), *_secret_passes(data, read)]


@cache
def compose_rules() -> dict[str, tuple[str, str]]:
    """Every rule of the installed compose-lint: id to name and severity, as its own metadata
    says."""
    found = (rule().metadata for rule in get_registered_rules())
    return {each.id: (each.name, str(each.severity.value)) for each in found}


def _compose_passes(data: AgentInput, read: set[str]) -> list[CheckResult]:
    told = {
        (each.file, each.resource, each.rule)
        for each in data.checks
        if each.engine == "compose-lint"
    }
    return [
        CheckResult(
            engine="compose-lint",
            rule=rule,
            title=name,
            outcome=Outcome.PASSED,
            resource=service.address,
            resource_type=service.type,
            file=service.file,
            line_start=service.line_start,
            line_end=service.line_end,
            engine_severity=severity,
        )
        for service in data.resources
        if service.origin == FileKind.COMPOSE
        and service.type == "compose_service"
        and service.file in read
        for rule, (name, severity) in compose_rules().items()
        if (service.file, service.address, rule) not in told
    ]


def _secret_passes(data: AgentInput, read: set[str]) -> list[CheckResult]:
    told = {each.file for each in data.checks if each.rule.startswith(SECRETS_RULE)}
    known = sorted(each.path for each in data.coverage if each.kind != FileKind.UNKNOWN)
    return [
        CheckResult(
            engine="checkov",
            rule=f"{SECRETS_RULE}_SCAN",
            title="No secret is written in the file",
            outcome=Outcome.PASSED,
            resource=path,
            file=path,
            line_start=1,
            line_end=1,
        )
        for path in known
        if path in read and path not in told
    ]
