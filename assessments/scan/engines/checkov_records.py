"""Converts a Checkov record into a check."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from assessments.rules import known_rules
from assessments.scan.engines.one_run import EngineRun, code_lines
from assessments.scan.focus import Focus, focus_of, window
from assessments.scan.types import CheckResult, Outcome, OwnRule

PIPELINES = {
    "github_actions",
    "gitlab_ci",
    "azure_pipelines",
    "circleci_pipelines",
    "ansible",
}
INSTRUCTIONS = {"CKV_DOCKER_2": "HEALTHCHECK", "CKV_DOCKER_3": "USER"}
"""What a Dockerfile lacks that fails these rules."""
_FROM = re.compile(r"\s*FROM\s", re.IGNORECASE)
OUTCOMES = {"PASSED": Outcome.PASSED, "FAILED": Outcome.FAILED, "SKIPPED": Outcome.SUPPRESSED}


def checkov_check(record: dict[str, Any], framework: str, file: list[str]) -> CheckResult:
    outcome = OUTCOMES[record["outcome"]]
    start = max(1, int(record["line_start"]))
    end = max(start, int(record["line_end"]))
    check = _result(record, framework, start=start, end=end)
    if outcome is not Outcome.FAILED:
        return check
    lines = code_lines(file, start, end)
    known = known_rules().get(check.rule)
    attribute = known.attribute if known else ""
    focus = focus_of(lines, record["keys"], attribute=attribute, end=end)
    if check.rule in INSTRUCTIONS:
        focus = _last_stage(file, INSTRUCTIONS[check.rule])
        lines = code_lines(file, 1, max(1, len(file)))
    return check.replace(
        focus=focus.line if focus and focus.line != start else None,
        missing=focus.missing if focus else "",
        evidence=window(lines, focus.line if focus else start),
    )


def _last_stage(file: list[str], missing: str) -> Focus | None:
    """Where a Dockerfile's last stage begins, which lacks an instruction."""
    starts = [number for number, line in enumerate(file, 1) if _FROM.match(line)]
    return Focus(starts[-1], missing) if starts else None


def as_own(check: CheckResult, own: Mapping[str, OwnRule]) -> CheckResult:
    """With the rule's own metadata, if it is one of the server's own rules."""
    rule = own.get(check.rule)
    if rule is None:
        return check
    return check.replace(
        title=rule.title,
        engine_severity=rule.severity or None,
        guideline=rule.guideline,
        own_rule=rule.file,
        category=rule.category,
    )


def _result(record: dict[str, Any], framework: str, *, start: int, end: int) -> CheckResult:
    file = str(record["file"])
    resource, resource_type = resource_of(str(record["resource"]), framework, file=file)
    return CheckResult(
        engine="checkov",
        rule=str(record["rule"]),
        title=str(record["title"])[:300],
        outcome=OUTCOMES[record["outcome"]],
        resource=resource[:400],
        resource_type=resource_type,
        file=file,
        line_start=start,
        line_end=end,
        suppression=str(record["suppression"])[:300],
    )


def resource_of(name: str, framework: str, *, file: str) -> tuple[str, str]:
    """Address and type, in the resource model's form, from Checkov's own name:
    ``module.m.aws_instance.i``, ``Deployment.shop.cart``, ``AWS::S3::Bucket.Images``."""
    name = name.lstrip("/")
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
    if framework in {"arm", "bicep"}:
        kind, _, _ = name.partition(".")
        provider, _, rest = name.partition("/")
        # Microsoft.Storage/storageAccounts.logs: the type itself contains a dot.
        kind = f"{provider}/{rest.partition('.')[0]}" if rest else kind
        return name, kind
    if framework in PIPELINES:
        return name or file, framework
    # Checkov names a Dockerfile by its instruction.
    return file, framework


def own_rules_of(run: EngineRun, answer: dict[str, Any]) -> list[OwnRule]:
    """The server's rules, and whether the scanner has loaded each."""
    if not isinstance(answer.get("own_rules"), list):
        return []
    loaded = set(answer["own_rules"])
    return [
        each.about.replace(is_loaded=each.about.rule in loaded) for each in run.sandbox.own_rules
    ]
