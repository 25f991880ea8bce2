"""Runs one shard through one engine: confined, with accurate progress, producing checks, resources
and gaps that contain no secrets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from assessments.scan.characters import REASON, storable
from assessments.scan.classify import Classified, Role, classify
from assessments.scan.dockerfiles import first_lines
from assessments.scan.intake import InputFile
from assessments.scan.redact import Redactor
from assessments.scan.sandbox import EngineCrashed, Register, Sandbox
from assessments.scan.secrets.texts import is_searched
from assessments.scan.shards import RENDERED
from assessments.scan.terragrunt import read_terragrunt
from assessments.scan.types import CoverageStatus, FileCoverage, FileKind, Resource, ShardOutput

if TYPE_CHECKING:
    from assessments.scan.shards import Shard
from assessments.scan.engines.cfn_lint import cfn_lint
from assessments.scan.engines.checkov import checkov
from assessments.scan.engines.compose_lint import compose_lint
from assessments.scan.engines.hadolint import hadolint
from assessments.scan.engines.kubernetes_validate import kubernetes_validate
from assessments.scan.engines.one_run import (
    MAX_CODE_LINES,
    EngineRun,
    OnProgress,
    code_lines,
    joined,
    lines_of,
    unread,
)
from assessments.scan.engines.resources import read
from assessments.scan.engines.secrets import secrets
from assessments.scan.engines.tfparse import tfparse
from assessments.scan.engines.zizmor import zizmor


def run_shard(
    shard: Shard,
    files: Sequence[InputFile],
    *,
    sandbox: Sandbox,
    on_progress: OnProgress,
    should_stop: Callable[[], bool] = lambda: False,
    register: Register | None = None,
) -> ShardOutput:
    """Run ``shard`` over its files (``files`` may contain others; they are ignored).

    ``on_progress(done, total, message)`` counts finished units out of known units.
    ``register(kill)`` provides a function that ends the engine's processes at once, from any
    thread. Raises ScanCancelled, ScanTimeout, ScanFailed.
    """
    wanted = set(shard.paths)
    classified = [classify(file) for file in files if file.path in wanted]
    # Classified again rather than trusted: no path from a caller leads an engine to a file that
    # was held back. All text is searched for secrets.
    classified = [
        item
        for item in classified
        if (is_searched(item.file) if shard.engine == "secrets" else _is_seen(item, shard))
    ]
    if shard.engine != "secrets":
        classified = [_as_seen(item) for item in classified]
    known = 1

    def note(done: int, total: int, message: str) -> None:
        nonlocal known
        known = max(1, total)
        on_progress(done, known, message)

    run = EngineRun(
        shard=shard,
        files=[item.file for item in classified],
        classified=classified,
        sandbox=sandbox,
        on_progress=note,
        should_stop=should_stop,
        register=register,
        redactor=Redactor.of(
            (item.file for item in classified),
            documents=[doc for item in classified for doc in item.documents],
        ),
    )
    output = _storable(_with_crashes_found(run), run)
    on_progress(known, known, "")
    return _tidy(output, run)


def _is_seen(item: Classified, shard: Shard) -> bool:
    """A template is for Helm only, which needs all files of its chart, as Kustomize needs all that
    an overlay names."""
    return item.scannable or shard.framework in RENDERED


def _as_seen(item: Classified) -> Classified:
    if item.kind is FileKind.TERRAFORM_VARS and item.role is Role.PARAMETERS:
        told = read_terragrunt(item.file.content.decode("utf-8-sig"), path=item.file.path)
        return replace(item, file=InputFile.of(item.file.path, told.variable_file()))
    if item.kind is not FileKind.DOCKERFILE:
        return item
    return replace(item, file=first_lines(item.file))


def _with_crashes_found(run: EngineRun) -> ShardOutput:
    """The engine's output. If it raises on some file, the files are halved until only that file is
    a gap. An engine that sees one scope at a time reports by itself which scopes it failed on."""
    if not run.classified:
        return ShardOutput(engine=run.shard.engine, engine_version="")
    try:
        return _ENGINES[run.shard.engine](run)
    except EngineCrashed as error:
        if len(run.classified) == 1 or run.shard.is_per_scope:
            reason = f"{run.shard.engine} could not read it: {error}"
            return ShardOutput(
                engine=run.shard.engine, engine_version="", coverage=unread(run, reason)
            )
    half = len(run.paths) // 2
    return joined(
        _with_crashes_found(run.of_paths(part)) for part in (run.paths[:half], run.paths[half:])
    )


def _storable(output: ShardOutput, run: EngineRun) -> ShardOutput:
    """Without characters that can't be stored; a file that has any counts as not read in full."""
    clean = storable(output)
    if clean is output:
        return output
    pairs = [*zip(output.checks, clean.checks, strict=True)]
    changed = {one.file for one, other in pairs if one != other}
    changed |= {
        one.file
        for one, other in zip(output.resources, clean.resources, strict=True)
        if one != other
    }
    gaps = [
        FileCoverage(
            path=item.file.path, kind=item.kind, status=CoverageStatus.PARTLY_READ, reason=REASON
        )
        for item in run.classified
        if item.file.path in changed
    ]
    return clean.replace(coverage=[*clean.coverage, *gaps])


def _tidy(output: ShardOutput, run: EngineRun) -> ShardOutput:
    """Redacted, bounded, sorted, without duplicates; nothing about files outside the shard."""
    known = {file.path for file in run.files}
    lines = lines_of(run) if output.resources else {}
    checks = {
        (
            check.scope,
            check.rule,
            check.resource,
            check.file,
            check.line_start,
            check.line_end,
            check.outcome,
        ): check
        for check in output.checks
        if check.file in known
    }
    resources = {
        (resource.scope, resource.address, resource.file, resource.line_start): resource
        for resource in output.resources
        if resource.file in known
    }
    return output.replace(
        checks=[run.redactor.check(checks[key]) for key in sorted(checks)],
        resources=[
            run.redactor.resource(_with_code(resources[key], lines)) for key in sorted(resources)
        ],
        coverage=sorted(
            (gap.replace(reason=run.redactor.message(gap.reason)) for gap in output.coverage),
            key=lambda gap: (gap.scope, gap.path, gap.status, gap.line or 0, gap.reason),
        ),
    )


def _with_code(resource: Resource, lines: dict[str, list[str]]) -> Resource:
    declared = code_lines(lines[resource.file], resource.line_start, resource.line_end)
    return resource.replace(code=declared[:MAX_CODE_LINES])


_ENGINES: dict[str, Callable[[EngineRun], ShardOutput]] = {
    "checkov": checkov,
    "tfparse": tfparse,
    "cfn-lint": cfn_lint,
    "kubernetes-validate": kubernetes_validate,
    "compose-lint": compose_lint,
    "hadolint": hadolint,
    "resources": read,
    "secrets": secrets,
    "zizmor": zizmor,
}
