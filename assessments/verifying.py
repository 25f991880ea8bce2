"""The next run decides whether a problem is solved, not a person.

A run that no longer finds a problem of the run before verifies it: its recommendation is done, in
whatever state it was. A run that still finds what was marked as done, or finds again what an
earlier run had verified, reopens it and says so.
"""

from __future__ import annotations

from assessments.agents import problems
from assessments.agents.problems import problem_key
from assessments.agents.types import AgentStatus
from assessments.models import AssessmentRun, Recommendation
from assessments.rules import known_rules

Status = Recommendation.Status


def run_before(run: AssessmentRun) -> AssessmentRun | None:
    """The completed run before ``run``, of the same assessment."""
    done = AssessmentRun.Status.COMPLETED
    return run.assessment.runs.filter(number__lt=run.number, status=done).first()


def verify_solved(run: AssessmentRun, before: AssessmentRun | None) -> int:
    """Mark the recommendations of ``before`` whose problem ``run`` does not find as done, verified
    by it. Returns how many.

    Only if its agent has answered: a problem that was not looked for is not solved. Muted findings
    count as found.
    """
    if before is None:
        return 0
    found = problems_of(run)
    looked = set(run.reports.filter(status=AgentStatus.ASSESSED).values_list("agent", flat=True))
    rows = before.recommendations.exclude(status=Status.DISMISSED).filter(verified_in=None)
    solved = [
        row.pk
        for row in rows.only("problem", "agent", "impact")
        if row.agent in looked and found.isdisjoint(keys_of(row))
    ]
    return Recommendation.objects.filter(pk__in=solved).update(status=Status.DONE, verified_in=run)


def reopenings(run: AssessmentRun, before: AssessmentRun | None) -> dict[str, str]:
    """By problem: why it is open again, as a sentence."""
    if before is None:
        return {}
    earlier = Recommendation.objects.filter(run__assessment=run.assessment_id, status=Status.DONE)
    back = {
        key: f"Gone in run {row.verified_in.number}, found again in run {run.number}."
        for row in earlier.filter(verified_in__number__lt=run.number)
        .select_related("verified_in")
        .only("problem", "impact", "verified_in__number")
        .order_by("pk")
        if row.verified_in
        for key in keys_of(row)
    }
    still = {
        key: f"Marked as done in run {before.number}, still found in run {run.number}."
        for row in earlier.filter(run=before, verified_in=None).only("problem", "impact")
        for key in keys_of(row)
    }
    return {**back, **still}


def problems_of(run: AssessmentRun) -> set[str]:
    """The problems that a run finds, muted ones too, and those that it can't decide: they are not
    solved."""
    rows = run.findings.counted().order_by().values_list("rule", "title").distinct()
    return {problem for rule, title in rows for problem in problems.problems_of(rule, title=title)}


def keys_of(row: Recommendation) -> set[str]:
    """Its problem, and those that its rules belong to now, as the table of rules grows."""
    rules = [rule for rule in row.impact.get("rules", []) if rule in known_rules()]
    return {row.problem, *(problem_key(rule, title="") for rule in rules)}
