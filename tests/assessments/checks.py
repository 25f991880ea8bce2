"""Hand-made check results for the tests of check-based agents."""

from __future__ import annotations

from assessments.agents.types import AgentInput, AgentResult
from assessments.requirements import Framework, Requirements
from assessments.scan.types import (
    CheckResult,
    CodeLine,
    CoverageStatus,
    FileCoverage,
    FileKind,
    Outcome,
    Resource,
)


def check(
    rule: str,
    outcome: Outcome = Outcome.FAILED,
    *,
    resource: str = "aws_db_instance.orders",
    engine: str = "checkov",
    file: str = "infra/main.tf",
    line: int = 10,
    severity: str | None = None,
    title: str = "Ensure it is set",
) -> CheckResult:
    return CheckResult(
        engine=engine,
        rule=rule,
        title=title,
        outcome=outcome,
        resource=resource,
        file=file,
        line_start=line,
        line_end=line + 2,
        engine_severity=severity,
        evidence=[CodeLine(number=line, text="publicly_accessible = true")]
        if outcome == Outcome.FAILED
        else [],
        suppression="accepted by the owner" if outcome == Outcome.SUPPRESSED else "",
    )


def passed(
    rule: str, *, resource: str = "aws_db_instance.orders", file: str = "infra/main.tf"
) -> CheckResult:
    return check(rule, Outcome.PASSED, resource=resource, file=file)


def given(
    *checks: CheckResult,
    resources: list[Resource] | None = None,
    frameworks: list[Framework] | None = None,
) -> AgentInput:
    return AgentInput(
        checks=list(checks),
        resources=resources or [],
        requirements=Requirements.model_validate({"frameworks": frameworks or []}),
    )


def resource(address: str, *, provider: str = "aws", **attributes: object) -> Resource:
    kind, _, name = address.partition(".")
    return Resource(
        address=address,
        type=kind,
        name=name,
        provider=provider,
        origin=FileKind.TERRAFORM,
        file="infra/main.tf",
        line_start=5,
        line_end=9,
        exact=False,
        attributes=attributes,
    )


def compose_service(name: str) -> Resource:
    return Resource(
        address=f"compose/{name}",
        type="compose_service",
        name=name,
        provider="docker",
        origin=FileKind.COMPOSE,
        file="compose.yaml",
        line_start=2,
        line_end=6,
        exact=True,
        attributes={"image": "nginx"},
    )


def read(path: str, kind: FileKind, status: CoverageStatus = CoverageStatus.READ) -> FileCoverage:
    return FileCoverage(path=path, kind=kind, status=status)


def silent(done: int, total: int, message: str) -> None:
    assert 0 < done <= total
    assert message


def sources_of(result: AgentResult) -> list[str]:
    return [each.source for each in result.figures] + [each.source for each in result.tables]
