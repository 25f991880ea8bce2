"""zizmor: GitHub Actions workflows."""

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
    joined,
    lines_of,
    run_program,
)
from assessments.scan.types import (
    CheckResult,
    CoverageStatus,
    FileCoverage,
    FileKind,
    Outcome,
    ShardOutput,
)

PREFIX = "zizmor-"
"""Its rules are named in plain words; the prefix distinguishes them from other engines' rules."""
_OPTIONS = ("--offline", "--no-config", "--no-progress", "--no-exit-codes", "--strict-collection")
_SEVERITIES = {"high": "high", "medium": "medium", "low": "low", "informational": "info"}
_VERSION = version("zizmor")


def zizmor(run: EngineRun) -> ShardOutput:
    """A workflow that it can't read ends its run without an answer, so the files are halved until
    that one is alone: a gap. Its suppression comments are ignored, and what they name is marked as
    suppressed."""
    run.progress(0, len(run.files), run.files[0].path)
    argv = ["zizmor", *_OPTIONS, "--no-ignores", "--format", "json-v1"]
    answer = run_program(run, [*argv, *arguments(run)])
    if answer.strip():
        lines = lines_of(run)
        checks = [check for each in json.loads(answer) if (check := _check(each, lines))]
        return ShardOutput(engine="zizmor", engine_version=_VERSION, checks=checks[:MAX_CHECKS])
    if len(run.files) == 1:
        return ShardOutput(engine="zizmor", engine_version=_VERSION, coverage=[_gap(run)])
    half = len(run.paths) // 2
    return joined(zizmor(run.of_paths(paths)) for paths in (run.paths[:half], run.paths[half:]))


def _check(found: dict[str, Any], lines: dict[str, list[str]]) -> CheckResult | None:
    primary = next(
        (each for each in found["locations"] if each["symbolic"]["kind"] == "Primary"),
        found["locations"][0],
    )
    path = posixpath.normpath(str(primary["symbolic"]["key"]["Local"]["verbatim_path"]))
    if path not in lines:
        return None
    place = primary["concrete"]["location"]
    start = int(place["start_point"]["row"]) + 1
    end = max(start, int(place["end_point"]["row"]) + (place["end_point"]["column"] > 0))
    is_suppressed = bool(found["ignored"])
    severity = str(found["determinations"]["severity"]).lower()
    return CheckResult(
        engine="zizmor",
        rule=f"{PREFIX}{found['ident']}"[:100],
        title=_title(str(found["desc"]), str(primary["symbolic"].get("annotation") or "")),
        outcome=Outcome.SUPPRESSED if is_suppressed else Outcome.FAILED,
        resource=_resource(primary["symbolic"]["route"]["route"]) or path,
        resource_type="github_actions",
        file=path,
        line_start=start,
        line_end=end,
        engine_severity=_SEVERITIES.get(severity),
        remediation="; ".join(str(fix["title"]) for fix in found.get("fixes", []))[:2000],
        references=[str(found["url"])],
        focus=start,
        evidence=[] if is_suppressed else evidence(lines[path], start),
        suppression="a zizmor comment in the file" if is_suppressed else "",
    )


def _title(description: str, annotation: str) -> str:
    """The rule's own description; what it reports for the location if that says more."""
    words = f"{description}: {annotation}" if annotation else description
    return (words[:1].upper() + words[1:])[:300]


def _resource(route: list[dict[str, Any]]) -> str:
    """``jobs.build.steps[2]``"""
    text = ""
    for part in route:
        if "Key" in part:
            text += f".{part['Key']}" if text else str(part["Key"])
        elif "Index" in part:
            text += f"[{part['Index']}]"
    return text[:400]


def _gap(run: EngineRun) -> FileCoverage:
    return FileCoverage(
        path=run.files[0].path,
        kind=FileKind.GITHUB_ACTIONS,
        status=CoverageStatus.PARTLY_READ,
        reason="zizmor can't read it as a GitHub workflow.",
    )
