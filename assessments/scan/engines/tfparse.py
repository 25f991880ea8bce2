"""tfparse: Terraform resources with their variables, counts and modules evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assessments.scan.engines.one_run import EngineRun, ask_scanner, joined, one_line, unread
from assessments.scan.hcl_counts import with_bounded_counts, with_single_counts
from assessments.scan.readers import provider_of
from assessments.scan.sandbox import EngineCrashed, ScanFailed, ScanTimeout
from assessments.scan.types import (
    CoverageStatus,
    FileCoverage,
    FileKind,
    Reference,
    Resource,
    ShardOutput,
)

if TYPE_CHECKING:
    from assessments.scan.shards import ShardScope

TFPARSE_WALL_S = 30.0


def tfparse(run: EngineRun) -> ShardOutput:
    """Resources from source, scope by scope. Counts too costly to work out are taken as 1, and that
    is said."""
    request = {"engine": "tfparse", "parts": [_part(scope) for scope in run.shard.scopes]}
    try:
        answers = ask_scanner(run, request, rewrite=with_bounded_counts, wall_s=TFPARSE_WALL_S)
    except (ScanTimeout, ScanFailed):
        if len(run.shard.scopes) > 1:
            return joined(tfparse(run.of_scopes([scope])) for scope in run.shard.scopes)
        return _counted_once(run, request)
    return joined(
        _output(run, scope, answer) for scope, answer in zip(run.shard.scopes, answers, strict=True)
    )


def _counted_once(run: EngineRun, request: dict[str, Any]) -> ShardOutput:
    (scope,) = run.shard.scopes
    try:
        (answer,) = ask_scanner(run, request, rewrite=with_single_counts, wall_s=TFPARSE_WALL_S)
    except (ScanTimeout, ScanFailed) as error:
        return _no_answer(run, scope, f"Its resources could not be read: {error}")
    output = _output(run, scope, answer)
    reason = "Its counts take too long to work out; each block is taken once."
    return output.replace(coverage=[*unread(run, reason, scope=scope), *output.coverage])


def _part(scope: ShardScope) -> dict[str, Any]:
    return {
        "files": scope.paths,
        "units": scope.units,
        "root": scope.root,
        "var_files": scope.var_files,
    }


def _output(
    run: EngineRun, scope: ShardScope, answer: dict[str, Any] | EngineCrashed
) -> ShardOutput:
    if isinstance(answer, EngineCrashed):
        return _no_answer(run, scope, f"Its resources could not be read: {answer}")
    known = set(scope.paths)
    resources = [_tf_resource(block) for block in answer["resources"] if block["file"] in known]
    return ShardOutput(
        engine="tfparse",
        engine_version=str(answer["version"]),
        resources=[resource.replace(scope=scope.key) for resource in resources],
        coverage=[gap.replace(scope=scope.key) for gap in _tf_errors(answer["errors"], known)],
    )


def _no_answer(run: EngineRun, scope: ShardScope, reason: str) -> ShardOutput:
    gaps = unread(run, reason, scope=scope)
    return ShardOutput(engine="tfparse", engine_version="", coverage=gaps)


def _tf_resource(block: dict[str, Any]) -> Resource:
    kind = str(block["type"])
    address = str(block["address"])
    provider = (
        provider_of(address.removeprefix("provider.")) if kind == "provider" else provider_of(kind)
    )
    return Resource(
        address=address[:400],
        type=kind,
        name=address.rsplit(".", 1)[-1].split("[", 1)[0],
        provider=provider,
        origin=FileKind.TERRAFORM,
        file=str(block["file"]),
        line_start=max(1, int(block["line_start"])),
        line_end=max(1, int(block["line_end"])),
        exact=False,
        attributes=block["attributes"],
        references=[
            Reference(to=str(each["to"])[:400], at=str(each["at"]), line=max(1, int(each["line"])))
            for each in block["references"]
        ],
    )


def _tf_errors(errors: list[dict[str, Any]], known: set[str]) -> list[FileCoverage]:
    return [
        FileCoverage(
            path=error["file"],
            kind=FileKind.TERRAFORM,
            status=CoverageStatus.FAILED,
            reason=one_line(f"This is not valid HCL: {error['message']}"),
            line=error["line"],
        )
        for error in errors
        if error["file"] in known
    ]
