"""Checkov: Terraform, plans, CloudFormation, Kubernetes, GitHub Actions, and secrets."""

from __future__ import annotations

from typing import Any

from assessments.scan.engines.one_run import MAX_CHECKS, MAX_EVIDENCE_LINES, EngineRun, ask_scanner
from assessments.scan.focus import focus_of
from assessments.scan.redact import mask_line
from assessments.scan.types import (
    CheckResult,
    CodeLine,
    CoverageStatus,
    FileCoverage,
    Outcome,
    ShardOutput,
)

_OUTCOMES = {"PASSED": Outcome.PASSED, "FAILED": Outcome.FAILED, "SKIPPED": Outcome.SUPPRESSED}


def checkov(run: EngineRun) -> ShardOutput:
    shard = run.shard
    answer = ask_scanner(
        run,
        {
            "engine": "checkov",
            "framework": shard.framework,
            "files": shard.paths,
            "units": shard.units,
        },
    )
    records = answer["records"][:MAX_CHECKS]
    unread = set(answer["errors"])
    if shard.framework == "terraform_plan" and not records:
        # Checkov passes over a plan that it does not take for one, without a word.
        unread |= set(shard.paths)
    failed = [
        FileCoverage(
            path=item.file.path,
            kind=item.kind,
            status=CoverageStatus.PARTLY_READ,
            reason="Checkov could not read it, or found nothing in it to check.",
        )
        for item in run.classified
        if item.file.path in unread
    ]
    return ShardOutput(
        engine="checkov",
        engine_version=str(answer["version"]),
        checks=[
            _checkov_check(record, shard.framework)
            for record in records
            if record["outcome"] in _OUTCOMES
        ],
        coverage=failed,
    )


def _checkov_check(record: dict[str, Any], framework: str) -> CheckResult:
    resource, resource_type = _checkov_resource(record, framework)
    secret = framework == "secrets"
    lines = [
        CodeLine(number=number, text=text.rstrip("\n"))
        for number, text in record["lines"][:MAX_EVIDENCE_LINES]
    ]
    if secret:
        lines = [CodeLine(number=line.number, text=mask_line(line.text)) for line in lines]
    start = max(1, int(record["line_start"]))
    end = max(start, lines[-1].number if secret and lines else int(record["line_end"]))
    return CheckResult(
        engine="checkov",
        rule=str(record["rule"]),
        title=str(record["title"])[:300],
        outcome=_OUTCOMES[record["outcome"]],
        resource=resource[:400],
        resource_type=resource_type,
        file=str(record["file"]),
        line_start=start,
        line_end=end,
        focus=focus_of(lines, record["keys"]),
        evidence=lines,
        suppression=str(record["suppression"])[:300],
    )


def _checkov_resource(record: dict[str, Any], framework: str) -> tuple[str, str]:
    """Address and type, as the resource model has them, from Checkov's own name:
    ``module.m.aws_instance.i``, ``Deployment.shop.cart``, ``AWS::S3::Bucket.Images``."""
    name = str(record["resource"]).lstrip("/")
    if framework in {"terraform", "terraform_plan"}:
        parts = name.split(".")
        while len(parts) > 2 and parts[0] == "module":
            parts = parts[2:]
        return name, ".".join(parts[:2]) if parts[0] == "data" else parts[0]
    if framework == "kubernetes":
        return "/".join(name.split(".", 2)), name.split(".")[0]
    if framework == "cloudformation":
        kind, _, logical_id = name.rpartition(".")
        return logical_id, kind
    if framework == "github_actions":
        return name or record["file"], framework
    # Checkov names a secret by a digest of its value, which is shown to nobody, and a Dockerfile by
    # its instruction.
    return str(record["file"]), framework
