"""Checkov: everything but Compose files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from assessments.rules import known_rules
from assessments.scan.engines.one_run import (
    MAX_CHECKS,
    EngineRun,
    ask_once,
    ask_scanner,
    code_lines,
    joined,
    lines_of,
    unread,
)
from assessments.scan.engines.stack import parameters_of
from assessments.scan.focus import focus_of, window
from assessments.scan.sandbox import EngineCrashed
from assessments.scan.types import (
    CheckResult,
    CoverageStatus,
    FileCoverage,
    FileKind,
    Outcome,
    Resource,
    ShardOutput,
)

if TYPE_CHECKING:
    from assessments.scan.shards import ShardScope

_REGION = re.compile(r"^[a-z]+[0-9]?$")
"""A region by its name; what is left of an expression is none."""
PIPELINES = {
    "github_actions",
    "gitlab_ci",
    "azure_pipelines",
    "circleci_pipelines",
    "ansible",
}
_OUTCOMES = {"PASSED": Outcome.PASSED, "FAILED": Outcome.FAILED, "SKIPPED": Outcome.SUPPRESSED}


def checkov(run: EngineRun) -> ShardOutput:
    """All scopes of the shard, each seen alone; or, where no file depends on another, all files at
    once."""
    request = {"engine": "checkov", "framework": run.shard.framework, "rules": run.shard.rules}
    if not run.shard.is_per_scope:
        return _output(run, ask_once(run, request), paths=run.paths)
    scopes = run.shard.scopes
    answers = ask_scanner(run, {**request, "parts": [_part(run, scope) for scope in scopes]})
    return joined(
        _crashed(run, scope, answer)
        if isinstance(answer, EngineCrashed)
        else _output(run, answer, paths=scope.paths, scope=scope.key)
        for scope, answer in zip(scopes, answers, strict=True)
    )


def _part(run: EngineRun, scope: ShardScope) -> dict[str, Any]:
    given = parameters_of(run, scope) if scope.parameters else {}
    return {
        "files": scope.paths,
        "units": scope.units,
        "root": scope.root,
        "named_vars": scope.named_vars,
        "parameters": given,
    }


def _crashed(run: EngineRun, scope: ShardScope, error: EngineCrashed) -> ShardOutput:
    """Halves of the scope are tried until the file that the engine can't stand is alone. Terraform
    files need each other, so there the whole scope is the gap."""
    if len(scope.paths) == 1 or run.shard.framework == "terraform" or not error.is_of_a_file:
        reason = f"Checkov could not read it: {error}"
        gaps = unread(run, reason, scope=scope)
        return ShardOutput(engine="checkov", engine_version="", coverage=gaps)
    half = len(scope.paths) // 2
    parts = [scope.replace(paths=paths) for paths in (scope.paths[:half], scope.paths[half:])]
    return joined(checkov(run.of_scopes([part])) for part in parts)


def _output(
    run: EngineRun, answer: dict[str, Any], *, paths: list[str], scope: str = ""
) -> ShardOutput:
    framework = run.shard.framework
    known = set(paths)
    records = [record for record in answer["records"] if record["file"] in known]
    cut = {record["file"] for record in records[MAX_CHECKS:]}
    records = records[:MAX_CHECKS]
    missed = set(answer["errors"]) & known
    if framework == "terraform_plan" and not records:
        # Checkov passes over a plan that it does not take for one, without a word.
        missed |= known
    failed = {record["file"] for record in records if record["outcome"] == "FAILED"}
    files = lines_of(run, failed)
    gaps = [
        FileCoverage(
            scope=scope,
            path=item.file.path,
            kind=item.kind,
            status=CoverageStatus.PARTLY_READ,
            reason=f"Only {MAX_CHECKS:,} results are kept; some about this file are not."
            if item.file.path in cut
            else "Checkov could not read it, or found nothing in it to check.",
        )
        for item in run.classified
        if (item.file.path in missed and item.kind is not FileKind.UNKNOWN) or item.file.path in cut
    ]
    return ShardOutput(
        engine="checkov",
        engine_version=str(answer["version"]),
        checks=[
            _checkov_check(record, framework, files.get(record["file"], [])).replace(scope=scope)
            for record in records
            if record["outcome"] in _OUTCOMES
        ],
        coverage=gaps,
        resources=[
            _resource(row, framework).replace(scope=scope)
            for row in answer.get("resources", ())
            if row["file"] in known
        ],
    )


def _resource(row: dict[str, Any], framework: str) -> Resource:
    """What an ARM template or a Bicep file declares. Parameters and functions may be left in it, so
    it is not exact."""
    attributes = row["attributes"]
    location = attributes.get("location") if isinstance(attributes, dict) else ""
    return Resource(
        address=str(row["address"])[:400],
        type=str(row["type"])[:200],
        name=str(row["name"])[:200],
        provider="azure",
        origin=FileKind(framework),
        file=str(row["file"]),
        line_start=max(1, int(row["line_start"])),
        line_end=max(1, int(row["line_end"])),
        exact=False,
        region=location if isinstance(location, str) and _REGION.match(location) else "",
        attributes=attributes if isinstance(attributes, dict) else {},
    )


def _checkov_check(record: dict[str, Any], framework: str, file: list[str]) -> CheckResult:
    outcome = _OUTCOMES[record["outcome"]]
    start = max(1, int(record["line_start"]))
    end = max(start, int(record["line_end"]))
    check = _result(record, framework, start=start, end=end)
    if outcome is not Outcome.FAILED:
        return check
    lines = code_lines(file, start, end)
    known = known_rules().get(check.rule)
    attribute = known.attribute if known else ""
    focus = focus_of(lines, record["keys"], attribute=attribute, end=end)
    return check.replace(
        focus=focus.line if focus and focus.line != start else None,
        missing=focus.missing if focus else "",
        evidence=window(lines, focus.line if focus else start),
    )


def _result(record: dict[str, Any], framework: str, *, start: int, end: int) -> CheckResult:
    file = str(record["file"])
    resource, resource_type = resource_of(str(record["resource"]), framework, file=file)
    return CheckResult(
        engine="checkov",
        rule=str(record["rule"]),
        title=str(record["title"])[:300],
        outcome=_OUTCOMES[record["outcome"]],
        resource=resource[:400],
        resource_type=resource_type,
        file=file,
        line_start=start,
        line_end=end,
        suppression=str(record["suppression"])[:300],
    )


def resource_of(name: str, framework: str, *, file: str) -> tuple[str, str]:
    """Address and type, as the resource model has them, from Checkov's own name:
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
        # Microsoft.Storage/storageAccounts.logs: the type has a point of its own.
        kind = f"{provider}/{rest.partition('.')[0]}" if rest else kind
        return name, kind
    if framework in PIPELINES:
        return name or file, framework
    # Checkov names a Dockerfile by its instruction.
    return file, framework
