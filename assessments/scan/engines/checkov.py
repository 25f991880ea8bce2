"""Checkov: everything but Compose files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from assessments.scan.engines.checkov_records import (
    AZURE,
    OUTCOMES,
    as_own,
    checkov_check,
    is_other_config,
    own_rules_of,
)
from assessments.scan.engines.helm import helm_output
from assessments.scan.engines.kustomize import kustomize_output, overlay_part
from assessments.scan.engines.one_run import (
    MAX_CHECKS,
    EngineRun,
    ask_once,
    ask_scanner,
    joined,
    lines_of,
    unread,
)
from assessments.scan.engines.stack import parameters_of
from assessments.scan.engines.terraform_root import followed, has_installed, installed_calls
from assessments.scan.sandbox import EngineCrashed
from assessments.scan.shards import RENDERED
from assessments.scan.types import (
    CoverageStatus,
    FileCoverage,
    FileKind,
    Resource,
    ShardOutput,
)

if TYPE_CHECKING:
    from assessments.scan.shards import ShardScope

_REGION = re.compile(r"^[a-z]+[0-9]?$")
"""A region by its name; what remains of an expression is not one."""


def checkov(run: EngineRun) -> ShardOutput:
    """All scopes of the shard, each seen alone; or all files at once, if no file depends on
    another."""
    request = {
        "engine": "checkov",
        "framework": run.shard.framework,
        "rules": run.shard.rules,
        "own_rules": [[each.about.rule, each.text] for each in run.sandbox.own_rules],
        "kubernetes_version": run.sandbox.kubernetes_version,
    }
    if not run.shard.is_per_scope:
        return _output(run, ask_once(run, request), paths=run.paths)
    scopes = run.shard.scopes
    answers = ask_scanner(run, {**request, "parts": [_part(run, scope) for scope in scopes]})
    return joined(
        _crashed(run, scope, answer)
        if isinstance(answer, EngineCrashed)
        else _answered(run, answer, scope)
        for scope, answer in zip(scopes, answers, strict=True)
    )


def _answered(run: EngineRun, answer: dict[str, Any], scope: ShardScope) -> ShardOutput:
    if run.shard.framework == "helm":
        return helm_output(run, answer, scope)
    if run.shard.framework == "kustomize":
        return kustomize_output(run, answer, scope)
    return _output(run, answer, paths=scope.paths, scope=scope.key)


def _part(run: EngineRun, scope: ShardScope) -> dict[str, Any]:
    given = parameters_of(run, scope) if scope.parameters else {}
    return {
        "files": scope.paths,
        "units": scope.units,
        "root": scope.root,
        "named_vars": scope.named_vars,
        "parameters": given,
        "values": scope.values,
        "installed": installed_calls(followed(run, scope)) if has_installed(run, scope) else [],
        **(overlay_part(run, scope) if run.shard.framework == "kustomize" else {}),
    }


def _crashed(run: EngineRun, scope: ShardScope, error: EngineCrashed) -> ShardOutput:
    """The scope is halved until the file that crashes the engine is alone. The files of a Terraform
    root need each other, as do those of a chart or overlay: there the whole scope is the gap."""
    is_rendered = run.shard.framework in RENDERED
    is_whole = is_rendered or run.shard.framework == "terraform"
    if len(scope.paths) == 1 or is_whole or not error.is_of_a_file:
        reason = f"Checkov could not read it: {error}"
        gaps = [
            gap
            for gap in unread(run, reason, scope=scope)
            if gap.kind is not FileKind.UNKNOWN or not is_rendered
        ]
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
    if framework in AZURE:
        every = lines_of(run)
        records = [each for each in records if not is_other_config(each, every[each["file"]])]
    cut = {record["file"] for record in records[MAX_CHECKS:]}
    records = records[:MAX_CHECKS]
    missed = set(answer["errors"]) & known
    if framework == "terraform_plan" and not records:
        # Checkov silently skips a plan that it does not recognize as one.
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
    own = {each.rule: each for each in own_rules_of(run, answer)}
    return ShardOutput(
        engine="checkov",
        engine_version=str(answer["version"]),
        own_rules=list(own.values()),
        checks=[
            as_own(checkov_check(record, framework, files.get(record["file"], [])), own).replace(
                scope=scope
            )
            for record in records
            if record["outcome"] in OUTCOMES
        ],
        coverage=gaps,
        resources=[
            _resource(row, framework).replace(scope=scope)
            for row in answer.get("resources", ())
            if row["file"] in known
        ],
    )


def _resource(row: dict[str, Any], framework: str) -> Resource:
    """What an ARM template or a Bicep file declares. Parameters and functions may be unresolved in
    it, so it is not exact."""
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
