"""Recommendations: a run's findings, grouped by what to do about them, in order of priority.

One recommendation stands for one problem, however many rules and agents report it and in however
many places. The order is: the worst severity among its findings; then whether one of its resources
can be reached from the internet; then its reach, the number of places; then its effort, the
smallest first; then the saving and the title. Its title is the action to take, and its effort that
of the change itself, both from the table of rules (``assessments.rules``). Muted findings are left
out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assessments.agents.check_findings import THEN
from assessments.agents.problems import UNKNOWN_VALUES, problem_key
from assessments.agents.types import Severity
from assessments.agents.wording import capital, counted
from assessments.fixing import add_fixes
from assessments.models import AssessmentRun, Finding, Recommendation
from assessments.rules import known_rules
from assessments.services import follow_with_report
from assessments.sources import store_source
from assessments.verifying import keys_of, reopenings, run_before, verify_solved

if TYPE_CHECKING:
    from tasks_ui.worker.work import Work

Effort = Recommendation.Effort
EFFORT_RANK = {Effort.SMALL: 0, Effort.MEDIUM: 1, Effort.LARGE: 2}
DEFAULT_EFFORT = Effort.MEDIUM
"""Of a change that the table does not know."""
FORMULA = (
    "By the worst severity of its findings, then resources that the internet can reach first, then"
    " the number of places, then the smallest effort, then the largest saving. Effort is that of"
    " the change: a setting in place is small; one that needs a key, a role, a network or a rollout"
    " to clients is medium; a rebuild, migration or restore is large."
)
"""The order in words, shown beside the priorities."""
WHY_VALUES = (
    "Checks that rest on values which can't be worked out from the upload have neither passed nor"
    " failed."
)
ACTION_CHARS = 70
MAX_EXPOSURES = 10
"""How many reasons one recommendation stores."""


def generate(work: Work, run: AssessmentRun) -> dict[str, Any]:
    """Write the run's recommendations, with a fix where one is proven. Units of work are problems:
    each counts when it is written, and again when its fix is settled; and masking the source."""
    problems: dict[str, list[Finding]] = defaultdict(list)
    for finding in run.findings.counted().unmuted().order_by("fingerprint"):
        problems[problem_key(finding.rule, title=finding.title)].append(finding)
    before = run_before(run)
    decided, reopened = decisions_before(before), reopenings(run, before)
    units = 2 * len(problems) + 1
    drafts: list[tuple[Recommendation, list[Finding]]] = []
    for number, (problem, findings) in enumerate(problems.items(), start=1):
        recommendation = draft(run, problem, findings)
        recommendation.status = decided.get(problem, Recommendation.Status.OPEN)
        if problem in reopened:
            recommendation.impact["reopened"] = reopened[problem]
        drafts.append((recommendation, findings))
        work.report(number, units, recommendation.title)
    drafts.sort(key=lambda pair: order_of(pair[0]))
    for priority, (recommendation, _) in enumerate(drafts, start=1):
        recommendation.priority = priority
    facts = add_fixes(
        work,
        run,
        drafts,
        on_done=lambda settled: work.report(len(drafts) + settled, units, "Trying fixes on a copy"),
    )
    work.report(units - 1, units, "Masking secrets in the source")
    store_source(run)
    work.report(units, units)
    work.save_with_result(lambda: store(run, drafts))
    return {
        "assessment_id": str(run.assessment_id),
        "run": run.number,
        "recommendations": len(drafts),
        **facts,
    }


def decisions_before(before: AssessmentRun | None) -> dict[str, Recommendation.Status]:
    """What was accepted or dismissed in the previous run, by problem. What was done but came back
    is open."""
    kept = [Recommendation.Status.ACCEPTED, Recommendation.Status.DISMISSED]
    if before is None:
        return {}
    return {
        problem: Recommendation.Status(row.status)
        for row in before.recommendations.filter(status__in=kept)
        for problem in keys_of(row)
    }


def draft(run: AssessmentRun, problem: str, findings: list[Finding]) -> Recommendation:
    """One recommendation for the findings of one problem, described by the worst of them."""
    findings = sorted(findings, key=lambda f: (-f.severity, f.file, f.line_start, f.resource))
    worst = findings[0]
    places = {(f.scope, f.file, f.line_start, f.resource) for f in findings}
    savings = [f.monthly_saving_usd for f in findings if f.monthly_saving_usd is not None]
    counts = Counter(Severity(f.severity).name.lower() for f in findings)
    is_exposed = any(f.is_exposed for f in findings)
    is_unknown = problem == UNKNOWN_VALUES
    effort = max(
        (Effort.SMALL if is_unknown else effort_of(f.rule) for f in findings),
        key=EFFORT_RANK.__getitem__,
    )
    return Recommendation(
        run=run,
        problem=problem,
        severity=worst.severity,
        is_exposed=is_exposed,
        reach=len(places),
        agent=worst.agent,
        title=action_of(worst)[:300],
        why=WHY_VALUES
        if is_unknown
        else worst.detail.get("why") or worst.detail.get("expected") or worst.title,
        steps=steps_of(findings),
        effort=effort,
        monthly_saving_usd=sum(savings, Decimal(0)) if savings else None,
        impact={
            "formula": (
                f"{Severity(worst.severity).name.capitalize()}"
                f"{', reachable from the internet' if is_exposed else ''},"
                f" {counted(len(places), 'place')}, {effort} effort"
            ),
            "severities": dict(counts),
            "places": len(places),
            "exposure": exposure_of(findings),
            # Missing values are no problem of the rules that ask for them.
            "rules": sorted({f.rule for f in findings}) if not is_unknown else [],
        },
    )


def exposure_of(findings: list[Finding]) -> list[str]:
    """Why the internet can reach the resources of ``findings``, each reason once."""
    reasons = (str(f.detail.get("exposure") or "") for f in findings if f.is_exposed)
    return list(dict.fromkeys(each for each in reasons if each))[:MAX_EXPOSURES]


def effort_of(rule: str) -> Effort:
    """The effort of the change that fixes what ``rule`` reports; medium if the table lacks the
    rule."""
    known = known_rules().get(rule)
    return Effort(known.effort) if known else DEFAULT_EFFORT


def action_of(finding: Finding) -> str:
    """What to do, in the imperative: the table's text, or the first sentence of the remediation,
    or, if neither exists and is short enough, "Fix" and the problem."""
    if finding.problem == UNKNOWN_VALUES:
        return "Add the values that checks depend on"
    known = known_rules().get(finding.rule)
    if known:
        return known.action
    sentence = (
        str(finding.detail.get("remediation") or "").split(". ")[0].split("\n")[0].rstrip(".")
    )
    return capital(sentence) if 0 < len(sentence) <= ACTION_CHARS else f"Fix: {finding.title}"


def steps_of(findings: list[Finding]) -> list[str]:
    """What to do at each place, the same words only once."""
    steps: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        words = finding.detail.get("remediation", "")
        if finding.problem == UNKNOWN_VALUES:
            words = words.partition(THEN)[0]
        steps[words].append(finding.place)
    said = ((words, ", ".join(filter(None, dict.fromkeys(at)))) for words, at in steps.items())
    return [_step(words, where) for words, where in said if words or where]


def _step(words: str, where: str) -> str:
    """``where`` is empty for what the requirements ask of the whole deployment."""
    if not where:
        return words
    return f"{words} ({where})" if words else f"Look at {where}"


def order_of(recommendation: Recommendation) -> tuple[Any, ...]:
    return (
        -recommendation.severity,
        not recommendation.is_exposed,
        -recommendation.reach,
        EFFORT_RANK[Effort(recommendation.effort)],
        -(recommendation.monthly_saving_usd or Decimal(0)),
        recommendation.title + recommendation.problem,
    )


def store(run: AssessmentRun, drafts: list[tuple[Recommendation, list[Finding]]]) -> None:
    """Replace what an earlier attempt wrote, verify what is solved, and queue the report that
    follows."""
    verify_solved(run, run_before(run))
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
    skipped = follow_with_report(run)
    if skipped:
        run.summary["report_skipped"] = skipped
        run.save(update_fields=["summary"])
