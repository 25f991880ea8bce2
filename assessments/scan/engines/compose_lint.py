"""compose-lint: Compose files."""

from __future__ import annotations

import posixpath
from typing import Any

from assessments.scan.engines.one_run import (
    MAX_CHECKS,
    EngineRun,
    arguments,
    evidence,
    json_object,
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


def compose_lint(run: EngineRun) -> ShardOutput:
    """One process for the shard: a Compose file's own ``include`` and overrides are found beside
    it. A settings file is never among its files (``classify``), and it has no suppression
    comments."""
    run.progress(0, len(run.files), run.files[0].path)
    answer = json_object(
        run_program(run, ["compose-lint", "--format", "json", "--", *arguments(run)])
    )
    by_path = {file.path: file for file in run.files}
    findings = [
        (finding, by_path.get(posixpath.normpath(str(finding["file"]))))
        for finding in answer.get("findings", [])
    ]
    lines = lines_of(run)
    return ShardOutput(
        engine="compose-lint",
        engine_version=str(answer.get("tool", {}).get("version", "")),
        checks=[
            _compose_check(finding, file, lines[file.path]) for finding, file in findings if file
        ][:MAX_CHECKS],
        coverage=[
            FileCoverage(
                path=path,
                kind=FileKind.COMPOSE,
                status=CoverageStatus.PARTLY_READ,
                reason=one_line(f"compose-lint: {error.get('message', '')}"),
            )
            for error in answer.get("errors", [])
            if (path := posixpath.normpath(str(error.get("file", "")))) in by_path
        ],
    )


def _compose_check(finding: dict[str, Any], file: InputFile, lines: list[str]) -> CheckResult:
    line = max(1, int(finding.get("line") or 1))
    return CheckResult(
        engine="compose-lint",
        rule=str(finding["rule_id"]),
        title=str(finding["message"])[:300],
        outcome=Outcome.FAILED,
        resource=f"compose/{finding['service']}"[:400],
        resource_type="compose_service",
        file=file.path,
        line_start=line,
        line_end=line,
        engine_severity=str(finding["severity"]),
        remediation=str(finding.get("fix") or "")[:2000],
        references=[str(reference) for reference in finding.get("references", [])][:10],
        focus=line,
        evidence=evidence(lines, line),
    )
