"""cfn-lint: whether a CloudFormation template is valid."""

from __future__ import annotations

from typing import Any

from assessments.scan.engines.one_run import (
    MAX_CHECKS,
    EngineRun,
    ask_once,
    evidence,
    lines_of,
    one_line,
)
from assessments.scan.types import (
    CheckResult,
    CoverageStatus,
    FileCoverage,
    FileKind,
    Outcome,
    ShardOutput,
)

_CFN_LEVELS = {"error": "high", "warning": "medium", "informational": "info"}


def cfn_lint(run: EngineRun) -> ShardOutput:
    answer = ask_once(run, {"engine": "cfn-lint"})
    matches = [match for match in answer["matches"] if match["file"] in set(run.paths)][:MAX_CHECKS]
    lines = lines_of(run)
    return ShardOutput(
        engine="cfn-lint",
        engine_version=str(answer["version"]),
        checks=[_cfn_check(match, lines[match["file"]]) for match in matches],
        coverage=[
            FileCoverage(
                path=match["file"],
                kind=FileKind.CLOUDFORMATION,
                status=CoverageStatus.PARTLY_READ,
                reason=one_line(f"cfn-lint could not read it: {match['message']}"),
                line=max(1, int(match["line_start"])),
            )
            for match in matches
            if match["rule"] in {"E0000", "E0002"}
        ],
    )


def _cfn_check(match: dict[str, Any], lines: list[str]) -> CheckResult:
    path = match["path"]
    start = max(1, int(match["line_start"]))
    end = max(start, int(match["line_end"]))
    return CheckResult(
        engine="cfn-lint",
        rule=str(match["rule"]),
        title=str(match["message"])[:300],
        outcome=Outcome.SUPPRESSED if match["suppressed"] else Outcome.FAILED,
        resource=path[1] if len(path) > 1 and path[0] == "Resources" else match["file"],
        resource_type="cloudformation",
        file=match["file"],
        line_start=start,
        line_end=end,
        engine_severity=_CFN_LEVELS.get(str(match["severity"]).lower()),
        focus=start,
        evidence=[] if match["suppressed"] else evidence(lines, start),
        suppression="cfn-lint metadata in the template" if match["suppressed"] else "",
    )
