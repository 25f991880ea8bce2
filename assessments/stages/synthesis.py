"""The synthesis stage: summary, coverage, and the comparison with the previous run."""

from __future__ import annotations

from collections import Counter
from typing import Any

from assessments import kinds
from assessments.agents.types import Part
from assessments.attention import reasons_of
from assessments.comparing import Comparison, known_earlier
from assessments.exposing import mark_exposed
from assessments.models import AgentReport, AssessmentRun, Finding
from assessments.muting import severity_counts
from assessments.scan.merge import ScanResult
from assessments.scan.types import Outcome
from assessments.stages.scan import weakest_level
from assessments.stages.stage import child, merged, outcomes
from tasks_ui.models import State, TaskRun
from tasks_ui.worker.work import Work


def make_synthesis(run: AssessmentRun) -> list[TaskRun]:
    return [child(kinds.SYNTHESIS, "Calculate scores", weight=10, subject=run)]


def synthesise(work: Work, run: AssessmentRun) -> dict[str, Any]:
    """One resource list, one coverage list, one comparison. Units of work are these steps."""
    steps = 4
    data = merged(run, parts={Part.RESOURCES})
    work.report(1, steps, "Comparing with the run before")
    before = run.assessment.runs.filter(
        number__lt=run.number, status=AssessmentRun.Status.COMPLETED
    ).first()
    work.report(2, steps, "Counting findings")
    summary = summary_of(run, data)
    work.report(3, steps, "Calculating scores")
    work.save_with_result(lambda: store_synthesis(run, data, summary, before))
    work.report(4, steps, "Calculating scores")
    return {"findings": run.findings.counted().count()}


def summary_of(run: AssessmentRun, data: ScanResult) -> dict[str, Any]:
    """Counts by severity, score by agent, checks by outcome, files by coverage, and the server's
    own rules with what they found."""
    checks, own = outcomes(run)
    return {
        "severities": severity_counts(run),
        "scores": {r.agent: r.score for r in run.reports.all()},
        "checks": checks,
        "resources": sum(each.type != "provider" for each in data.resources),
        "coverage": dict(Counter(file.status.value for file in data.coverage)),
        "engines": data.engines,
        "own_rules": [
            {
                **rule.to_builtins(),
                "failed": own[rule.rule, Outcome.FAILED],
                "passed": own[rule.rule, Outcome.PASSED],
            }
            for rule in data.own_rules
        ],
        "sandbox": weakest_level(run),
    }


def store_synthesis(
    run: AssessmentRun, data: ScanResult, summary: dict[str, Any], before: AssessmentRun | None
) -> None:
    failed = TaskRun.objects.filter(parent=run.task_id, stage="agents").exclude(state=State.SUCCESS)
    for task in failed:
        AgentReport.objects.filter(run=run, pk=str(task.subject_id)).update(
            status=AgentReport.FAILED, reason=task.error or "The agent was cancelled."
        )
    mark_exposed(run, data.resources)
    coverage = [file.to_builtins() for file in data.coverage]
    run.coverage = coverage
    if before:
        mark_since(run, before)
        summary["comparison"] = compared(run, before)
    AssessmentRun.objects.filter(pk=run.pk).update(
        summary=summary,
        coverage=coverage,
        attention=reasons_of(run),
        scopes=[
            {**scope.to_builtins(exclude=frozenset({"paths"})), "files": len(scope.paths)}
            for scope in data.scopes
        ],
        resources=[
            resource.to_builtins(exclude=frozenset({"attributes", "references", "code"}))
            for resource in data.resources
        ],
    )


def mark_since(run: AssessmentRun, before: AssessmentRun) -> None:
    known = before.findings.counted().values("fingerprint")
    found = run.findings.counted()
    found.filter(fingerprint__in=known).update(since=Finding.Since.PERSISTING)
    rest = found.exclude(fingerprint__in=known)
    rest.update(since=Finding.Since.NEW)
    rest.filter(known_earlier(run, before)).update(since=Finding.Since.REOPENED)


def compared(run: AssessmentRun, before: AssessmentRun) -> dict[str, int]:
    """How many findings came, stayed and went. One that went counts as fixed only if the run looked
    for it: coverage and agents' answers are final before this."""
    found = Comparison(run, before)
    return {
        "run": before.number,
        "new": found.new.count(),
        "reopened": found.reopened.count(),
        "persisting": found.persisting.count(),
        "fixed": found.fixed.count(),
        "unchecked": found.unchecked.count(),
    }
