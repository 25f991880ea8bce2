"""Recommendations: a run's findings, grouped by what one would do about them, in the order to do
it.

One recommendation stands for one problem that one agent found, whichever engines saw it. Its
priority is

    weight = sum of the severity weights of its findings / effort points

with the severity weights of the pillar scores and effort points small 1, medium 3, large 8. Effort
is read off the places to change: small up to 3, medium up to 10, large beyond. Equal weights are
ordered by saving, then by title. Muted findings ask for nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assessments.agents.scoring import WEIGHTS
from assessments.agents.types import Severity
from assessments.agents.wording import counted
from assessments.models import AssessmentRun, Finding, Recommendation
from assessments.services import request_report

if TYPE_CHECKING:
    from tasks_ui.worker.work import Work

EFFORT_POINTS = {
    Recommendation.Effort.SMALL: 1,
    Recommendation.Effort.MEDIUM: 3,
    Recommendation.Effort.LARGE: 8,
}
SMALL_PLACES = 3
MEDIUM_PLACES = 10
FORMULA = (
    "Severity weights of its findings / effort points, the highest first. Weights: "
    + ", ".join(f"{level.name.lower()} {WEIGHTS[level]}" for level in sorted(WEIGHTS, reverse=True))
    + "."
    f" Points: {', '.join(f'{effort.value} {points}' for effort, points in EFFORT_POINTS.items())}."
    f" Effort by places to change: small up to {SMALL_PLACES}, medium up to {MEDIUM_PLACES}, large"
    " beyond."
)
"""In words, for beside the priorities."""


def generate(work: Work, run: AssessmentRun) -> dict[str, Any]:
    """Write the run's recommendations anew. Units of work are groups of findings."""
    groups: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in run.findings.counted().unmuted().order_by("fingerprint"):
        groups[finding.agent, finding.title].append(finding)
    drafts: list[tuple[Recommendation, list[Finding]]] = []
    for number, findings in enumerate(groups.values(), start=1):
        drafts.append((draft(run, findings), findings))
        work.report(number, len(groups), drafts[-1][0].title)
    decided = decisions_before(run)
    for recommendation, _ in drafts:
        recommendation.status = decided.get(
            (recommendation.agent, recommendation.title), Recommendation.Status.OPEN
        )
    drafts.sort(key=lambda pair: order_of(pair[0]))
    for priority, (recommendation, _) in enumerate(drafts, start=1):
        recommendation.priority = priority
    work.save_with_result(lambda: store(run, drafts))
    return {
        "assessment_id": str(run.assessment_id),
        "run": run.number,
        "recommendations": len(drafts),
    }


def decisions_before(run: AssessmentRun) -> dict[tuple[str, str], Recommendation.Status]:
    """What was accepted or dismissed in the run before, by agent and title. What was done and came
    back is open."""
    before = run.assessment.runs.filter(
        number__lt=run.number, status=AssessmentRun.Status.COMPLETED
    ).first()
    kept = [Recommendation.Status.ACCEPTED, Recommendation.Status.DISMISSED]
    rows = Recommendation.objects.filter(run=before, status__in=kept).values_list(
        "agent", "title", "status"
    )
    return (
        {(agent, title): Recommendation.Status(status) for agent, title, status in rows}
        if before
        else {}
    )


def draft(run: AssessmentRun, findings: list[Finding]) -> Recommendation:
    """One recommendation for findings of one problem, most severe first."""
    findings = sorted(findings, key=lambda f: (-f.severity, f.file, f.line_start, f.resource))
    worst = findings[0]
    places = {(f.file, f.line_start, f.resource) for f in findings}
    effort = effort_of(len(places))
    weight = sum(WEIGHTS[Severity(f.severity)] for f in findings)
    savings = [f.monthly_saving_usd for f in findings if f.monthly_saving_usd is not None]
    counts = Counter(Severity(f.severity).name.lower() for f in findings)
    return Recommendation(
        run=run,
        agent=worst.agent,
        title=worst.title,
        why=worst.detail.get("why") or worst.detail.get("actual") or worst.title,
        steps=steps_of(findings),
        effort=effort,
        monthly_saving_usd=sum(savings, Decimal(0)) if savings else None,
        impact={
            "weight": round(weight / EFFORT_POINTS[effort], 2),
            "formula": (
                f"{weight} severity weight / {counted(EFFORT_POINTS[effort], 'effort point')} "
                f"({counted(len(places), 'place')})"
            ),
            "severities": dict(counts),
            "places": len(places),
        },
    )


def effort_of(places: int) -> Recommendation.Effort:
    if places <= SMALL_PLACES:
        return Recommendation.Effort.SMALL
    return Recommendation.Effort.MEDIUM if places <= MEDIUM_PLACES else Recommendation.Effort.LARGE


def steps_of(findings: list[Finding]) -> list[str]:
    """What to do at each place, the same words only once."""
    steps: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        steps[finding.detail.get("remediation", "")].append(finding.place)
    return [
        f"{words or 'Look at'} ({', '.join(dict.fromkeys(places))})"
        for words, places in steps.items()
    ]


def order_of(recommendation: Recommendation) -> tuple[float, Decimal, str]:
    return (
        -recommendation.impact["weight"],
        -(recommendation.monthly_saving_usd or Decimal(0)),
        recommendation.title + recommendation.agent,
    )


def store(run: AssessmentRun, drafts: list[tuple[Recommendation, list[Finding]]]) -> None:
    """Replace what an earlier attempt wrote, and queue the report that follows."""
    run.recommendations.all().delete()
    Recommendation.objects.bulk_create(recommendation for recommendation, _ in drafts)
    links = Recommendation.findings.through
    links.objects.bulk_create(
        (
            links(recommendation_id=recommendation.pk, finding_id=finding.pk)
            for recommendation, findings in drafts
            for finding in findings
        ),
        batch_size=1000,
    )
    request_report(run, by=run.assessment.owner, kind="technical", format="html")
