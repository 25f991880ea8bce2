"""kubernetes-validate: manifests against the API of one version of Kubernetes."""

from __future__ import annotations

from typing import Any

from assessments.scan.engines.one_run import (
    MAX_CHECKS,
    EngineRun,
    ask_scanner,
    evidence,
    joined,
    lines_of,
    unread,
)
from assessments.scan.sandbox import EngineCrashed
from assessments.scan.types import CheckResult, Outcome, ShardOutput

ENGINE = "kubernetes-validate"
_SEVERITIES = {
    "KUBE-REMOVED": "high",
    "KUBE-UNKNOWN": "high",
    "KUBE-SCHEMA": "high",
    "KUBE-FIELD": "medium",
}
_GUIDE = "https://kubernetes.io/docs/reference/using-api/deprecation-guide/"


def kubernetes_validate(run: EngineRun) -> ShardOutput:
    """Each scope alone, as with Checkov: a patch in an overlay is not a complete object."""
    parts = [{"files": scope.paths, "units": scope.units} for scope in run.shard.scopes]
    request = {"engine": ENGINE, "kubernetes_version": run.sandbox.kubernetes_version}
    answers = ask_scanner(run, {**request, "parts": parts})
    lines = lines_of(run)
    return joined(
        ShardOutput(
            engine=ENGINE,
            engine_version="",
            coverage=unread(run, f"{ENGINE} could not read it: {answer}", scope=scope),
        )
        if isinstance(answer, EngineCrashed)
        else ShardOutput(
            engine=ENGINE,
            engine_version=str(answer["version"]),
            checks=[
                problem_check(each, lines[each["file"]]).replace(scope=scope.key)
                for each in answer["problems"][:MAX_CHECKS]
                if each["file"] in scope.paths
            ],
        )
        for scope, answer in zip(run.shard.scopes, answers, strict=True)
    )


def problem_check(problem: dict[str, Any], lines: list[str]) -> CheckResult:
    """``lines`` are those of the text that contains the problem."""
    rule = str(problem["rule"])
    start = max(1, int(problem["line_start"]))
    focus = int(problem["focus"]) if problem["focus"] else None
    title = str(problem["title"])
    return CheckResult(
        engine=ENGINE,
        rule=rule,
        title=(title[:1].upper() + title[1:])[:300],
        outcome=Outcome.FAILED,
        resource=str(problem["resource"])[:400],
        resource_type=str(problem["resource_type"])[:200],
        file=str(problem["file"]),
        line_start=start,
        line_end=max(start, int(problem["line_end"])),
        engine_severity=_SEVERITIES.get(rule),
        remediation=str(problem["fix"])[:300],
        references=[_GUIDE] if rule == "KUBE-REMOVED" else [],
        focus=focus,
        evidence=evidence(lines, focus or start),
    )
