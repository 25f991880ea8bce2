"""What to do first: by severity, then exposure, then reach, then effort; one problem, one row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse

from assessments.agents.check_findings import THEN
from assessments.agents.problems import UNKNOWN_VALUES, problem_key
from assessments.agents.types import Severity
from assessments.models import AgentReport, Assessment, AssessmentRun, Finding, Recommendation
from assessments.muting import mute_finding
from assessments.recommending import Effort, draft, effort_of, generate, order_of, steps_of
from assessments.verifying import keys_of, verify_solved
from tasks_ui.models import TaskRun
from tasks_ui.worker.work import Work
from tests.assessments.rows import assessed, uploaded

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db

CLEAR_TEXT_KEYS = """\
provider "aws" {
  region     = "us-east-1"
  access_key = "AKIAIOSFODNN7EXAMPLF"
  secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEZ"
}
"""
ONE_BUCKET = 'resource "aws_s3_bucket" "b0" {\n  bucket = "shop-0"\n}\n'
MANY_BUCKETS = "".join(
    f'resource "aws_s3_bucket" "b{n}" {{\n  bucket = "shop-{n}"\n}}\n' for n in range(12)
)


@pytest.fixture
def run(alice: User) -> AssessmentRun:
    assessment = Assessment.objects.create(owner=alice, name="shop")
    version = assessment.versions.create(number=1)
    return AssessmentRun.objects.create(assessment=assessment, version=version, number=1)


def found(run: AssessmentRun, rule: str, severity: Severity, **fields: Any) -> Finding:
    report, _ = AgentReport.objects.get_or_create(run=run, agent="security", position=0)
    given = {"title": rule, "file": "main.tf", "line_start": 1, "resource": rule, **fields}
    return Finding(
        run=run,
        report=report,
        agent="security",
        rule=rule,
        severity=severity,
        severity_origin="engine",
        fingerprint=f"{rule} {given['resource']}",
        **given,
    )


def test_the_worst_comes_first_however_many_places_a_lesser_problem_has(
    run: AssessmentRun,
) -> None:
    many = [found(run, "X_LOW", Severity.MEDIUM, resource=f"r{n}") for n in range(200)]
    critical = draft(run, "c", [found(run, "X_ONE", Severity.CRITICAL)])
    assert order_of(critical) < order_of(draft(run, "m", many))


def test_among_equals_the_exposed_comes_first_then_the_widespread_then_the_easy(
    run: AssessmentRun,
) -> None:
    plain = draft(run, "plain", [found(run, "X_1", Severity.HIGH)])
    wide = draft(run, "wide", [found(run, "X_2", Severity.HIGH, resource=f"r{n}") for n in (1, 2)])
    exposed = draft(run, "exposed", [found(run, "X_3", Severity.HIGH, is_exposed=True)])
    easy = draft(run, "easy", [found(run, "X_4", Severity.HIGH)])
    easy.effort, plain.effort = Effort.SMALL, Effort.LARGE
    ordered = sorted([plain, wide, exposed, easy], key=order_of)
    assert [each.problem for each in ordered] == ["exposed", "wide", "easy", "plain"]


def test_rules_that_see_one_problem_share_its_key() -> None:
    keys = {problem_key(f"CKV_AWS_{n}", title="") for n in (53, 54, 55, 56)}
    assert keys == {problem_key("CKV2_AWS_6", title="another title")}
    assert problem_key("CKV_AWS_20", title="") not in keys


def test_clear_text_keys_come_before_a_dozen_buckets(alice: User) -> None:
    run = assessed(uploaded(alice, {"main.tf": CLEAR_TEXT_KEYS + MANY_BUCKETS}))
    rows = list(run.recommendations.all())
    worst = max(f.severity for f in run.findings.counted())
    assert [row.severity for row in rows] == sorted((r.severity for r in rows), reverse=True)
    assert rows[0].severity == worst
    first = next(r.priority for r in rows if any(f.line_start in {3, 4} for f in r.findings.all()))
    assert first <= 2


def test_one_bucket_without_an_access_block_is_one_recommendation(alice: User) -> None:
    run = assessed(uploaded(alice, {"main.tf": MANY_BUCKETS}))
    rules = [rule for row in run.recommendations.all() for rule in row.impact["rules"]]
    assert len(rules) == len(set(rules)), "a rule stands in two recommendations"
    titles = [row.title for row in run.recommendations.all()]
    assert len(titles) == len(set(titles))


def test_what_was_dismissed_stays_dismissed_in_the_next_run(alice: User) -> None:
    assessment = uploaded(alice, {"main.tf": MANY_BUCKETS})
    first = assessed(assessment)
    row = first.recommendations.first()
    assert row is not None
    Recommendation.objects.filter(pk=row.pk).update(status="dismissed")
    again = assessed(assessment).recommendations.get(problem=row.problem)
    assert again.status == "dismissed"


def test_the_board_merges_a_problem_of_two_assessments_and_ranks_over_all(
    alice: User, client: Client
) -> None:
    assessed(uploaded(alice, {"main.tf": MANY_BUCKETS}, name="many"))
    run = assessed(uploaded(alice, {"main.tf": CLEAR_TEXT_KEYS + ONE_BUCKET}, name="keys"))
    client.force_login(alice)
    page = client.get(reverse("recommendations"), {"status": "open"})
    problems = page.context["problems"]
    severities = [problem.items[0].severity for problem in problems]
    assert severities == sorted(severities, reverse=True)
    place, merged = next(
        (place, each) for place, each in enumerate(problems, start=1) if len(each.items) == 2
    )
    summary = (
        page.content.decode().split(f'id="problem-{merged.items[0].pk}"')[1].split("</summary>")[0]
    )
    assert f'<span class="faint num">{place}</span>' in summary
    assert merged.effort.capitalize() in summary
    keys = [problem.key for problem in problems]
    assert len(keys) == len(set(keys))
    assert run.assessment.name == problems[0].items[0].run.assessment.name


def test_generating_twice_leaves_one_set(run: AssessmentRun, alice: User) -> None:
    found(run, "X_1", Severity.HIGH).save()
    task = TaskRun.objects.create(owner=alice, kind="generate_recommendations", queue="default")
    for _ in range(2):
        work = Work(task)
        generate(work, run)
        assert work.effects is not None
        work.effects()
    assert run.recommendations.count() == 1


def test_titles_are_actions_and_effort_is_that_of_the_change(run: AssessmentRun) -> None:
    public = found(run, "CKV_AWS_17", Severity.CRITICAL, title="Database is public")
    public.detail = {"remediation": "Set publicly_accessible = false. Then use private subnets."}
    assert draft(run, "p", [public]).title == "Make the database private"
    assert effort_of("CKV_AWS_17") == Effort.SMALL
    assert effort_of("CKV_AWS_16") == Effort.LARGE, "encrypting a database means a restore"
    assert effort_of("CKV_AWS_79") == Effort.SMALL, "IMDSv2 is a setting in place"
    assert effort_of("CKV_AWS_130") == Effort.LARGE, "workloads move to other subnets"
    assert effort_of("CKV_AWS_145") == Effort.MEDIUM, "it needs a key and its policy"
    assert effort_of("no such rule") == Effort.MEDIUM


def test_effort_does_not_grow_with_the_number_of_places(run: AssessmentRun) -> None:
    one = draft(run, "p", [found(run, "CKV_AWS_79", Severity.HIGH)])
    many = [found(run, "CKV_AWS_79", Severity.HIGH, resource=f"r{n}") for n in range(500)]
    assert draft(run, "p", many).effort == one.effort == Effort.SMALL


def test_a_rule_that_the_table_lacks_still_gets_an_action(run: AssessmentRun) -> None:
    bare = found(run, "E9999", Severity.LOW, title="Template is not valid")
    assert draft(run, "p", [bare]).title == "Fix: Template is not valid"
    bare.detail = {"remediation": "Correct the template. Then try again."}
    assert draft(run, "p", [bare]).title == "Correct the template"


def test_the_board_shows_actions_and_efforts(alice: User, client: Client) -> None:
    assessed(uploaded(alice, {"main.tf": ONE_BUCKET}, name="one"))
    assessed(uploaded(alice, {"main.tf": MANY_BUCKETS}, name="many"))
    client.force_login(alice)
    answer = client.get(reverse("recommendations"))
    shown = {str(problem): problem.items[0].effort for problem in answer.context["problems"]}
    assert shown["Block public access to the bucket"] == Effort.SMALL
    assert shown["Encrypt the bucket with a KMS key"] == Effort.MEDIUM
    assert "Block public access to the bucket" in answer.content.decode()


def test_what_the_next_run_no_longer_finds_is_done_and_verified(
    alice: User, client: Client
) -> None:
    assessment = uploaded(alice, {"main.tf": ONE_BUCKET + CLEAR_TEXT_KEYS})
    first = assessed(assessment)
    marked = first.recommendations.all()[0]
    Recommendation.objects.filter(pk=marked.pk).update(status="done")
    client.force_login(alice)
    page = client.get(reverse("recommendations"))
    assert "Marked as done. The next run verifies it." in page.content.decode()

    second = assessed(assessment)  # nothing was changed
    again = second.recommendations.get(problem=marked.problem)
    assert again.status == "open"
    assert again.impact["reopened"] == "Marked as done in run 1, still found in run 2."
    assert again.impact["reopened"] in client.get(reverse("recommendations")).content.decode()


def test_a_solved_problem_is_verified_only_by_an_agent_that_looked(
    alice: User, client: Client
) -> None:
    assessment = uploaded(alice, {"main.tf": ONE_BUCKET})
    before, after = assessed(assessment), assessed(assessment)
    row = before.recommendations.filter(agent="security").first()
    assert row is not None
    after.findings.filter(problem=row.problem).delete()
    after.reports.filter(agent="security").update(status="failed")
    verify_solved(after, before)
    row.refresh_from_db()
    assert (row.status, row.verified_in) == ("open", None)
    after.reports.filter(agent="security").update(status="assessed")
    verify_solved(after, before)
    row.refresh_from_db()
    assert (row.status, row.verified_in) == ("done", after)
    after.recommendations.filter(problem=row.problem).delete()
    client.force_login(alice)
    board = client.get(reverse("recommendations"))
    done = board.context["columns"][2]
    assert [problem.key for problem in done.problems] == [row.problem]
    assert "Verified: run 2 no longer finds it." in board.content.decode()
    third = assessed(assessment)
    back = third.recommendations.get(problem=row.problem)
    assert back.impact["reopened"] == "Gone in run 2, found again in run 3."
    columns = client.get(reverse("recommendations")).context["columns"]
    assert columns[2].problems == [] and row.problem in {p.key for p in columns[0].problems}


def test_a_muted_problem_is_not_solved(alice: User) -> None:
    assessment = uploaded(alice, {"main.tf": ONE_BUCKET})
    before = assessed(assessment)
    for finding in before.findings.counted():
        mute_finding(finding, by=alice, reason="known")
    after = assessed(assessment)
    assert not after.recommendations.exists()
    assert not before.recommendations.exclude(status="open").exists()


def test_a_step_for_the_whole_deployment_has_no_empty_brackets() -> None:
    """A report said "relax the objectives ()"."""
    whole = Finding(detail={"remediation": "Relax the objectives."})
    here = Finding(detail={"remediation": "Add a replica."}, file="main.tf", line_start=3)
    unsaid = Finding(detail={}, file="b.tf", line_start=1)
    assert steps_of([whole, here, unsaid]) == [
        "Relax the objectives.",
        "Add a replica. (main.tf:3)",
        "Look at b.tf:1",
    ]


def test_values_that_are_missing_are_one_recommendation_to_add_them(run: AssessmentRun) -> None:
    remediation = f"Add the value.{THEN}Turn it off."
    findings = [
        found(
            run,
            rule,
            Severity.INFO,
            title=f"Can't be determined: {rule}",
            problem=UNKNOWN_VALUES,
            detail={"remediation": remediation, "why": "A database is public."},
        )
        for rule in ("CKV_AWS_17", "CKV_AWS_24")
    ]
    made = draft(run, UNKNOWN_VALUES, findings)
    assert (made.title, made.effort) == ("Add the values that checks depend on", Effort.SMALL)
    assert "public" not in made.why
    assert made.steps == ["Add the value. (main.tf:1)"]
    assert keys_of(made) == {UNKNOWN_VALUES}
