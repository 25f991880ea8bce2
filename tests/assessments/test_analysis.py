"""An assessment from its files to its report, through real workers and the real scanner."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from assessments import versions
from assessments.models import Assessment, AssessmentRun, Report
from assessments.requirements import Requirements
from assessments.services import (
    create_assessment,
    create_sample,
    request_report,
    run_again,
    start_analysis,
)
from assessments.versions import Change
from tasks_ui.kinds import CannotRunAgainError
from tasks_ui.models import FINAL, ApiToken, State, TaskEvent, TaskRun
from tests.assessments.scanning import PLAIN
from tests.stack import Stack, wait_until

if TYPE_CHECKING:
    from django.contrib.auth.models import User

OPEN_GROUP = """\
resource "aws_security_group" "web" {
  name = "web"

  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
"""
LONE_BUCKET = """\
resource "aws_s3_bucket" "invoices" {
  bucket = "invoices"
}
"""


def analysed(
    assessment: Assessment, owner: User, *, expected: State = State.SUCCESS
) -> AssessmentRun:
    """A run of the assessment that has ended; if it succeeded, with recommendations and report."""
    task = start_analysis(assessment, by=owner)
    wait_until(
        lambda: TaskRun.objects.get(pk=task.pk).state in FINAL,
        timeout_s=120,
        what="the end of the run",
    )
    task.refresh_from_db()
    assert task.state == expected, (task.error_code, task.error)
    run = AssessmentRun.objects.get(task=task)
    if expected != State.SUCCESS:
        return run
    wait_until(
        lambda: Report.objects.filter(run=run, content__isnull=False).exists(),
        timeout_s=60,
        what="the report",
    )
    run.refresh_from_db()
    return run


def terraform(owner: User, text: str) -> Assessment:
    return create_assessment(
        owner=owner,
        name="network",
        requirements=Requirements(),
        uploads=[("main.tf", text.encode())],
    )


def facts(run: AssessmentRun) -> tuple[object, ...]:
    """Everything that a run found, except ids and times."""
    findings = run.findings.values_list(
        "fingerprint", "title", "severity", "file", "line_start", "line_end", "detail"
    )
    answers = run.reports.values_list(
        "agent", "status", "score", "score_formula", "figures", "tables"
    )
    return (sorted(map(repr, findings)), list(map(repr, answers)), run.resources, run.coverage)


def test_the_sample_is_assessed_by_all_agents(shared_stack: Stack, alice: User) -> None:
    run = analysed(create_sample(owner=alice), alice)
    assert run.status == "completed"
    assert {r.agent: r.status for r in run.reports.all()}.keys() == {
        "security",
        "compliance",
        "cost",
        "reliability",
        "capacity",
        "operations",
        "sustainability",
    }
    assert not run.reports.filter(status__in=["", "failed"]).exists()
    assert run.findings.count() > 20
    assert run.summary["sandbox"] == PLAIN.confinement()
    assert run.recommendations.count() > 5
    paths = set(run.version.files.values_list("path", flat=True))
    assert set(run.findings.exclude(file="").values_list("file", flat=True)) <= paths
    html = bytes(Report.objects.get(run=run).content or b"").decode()
    assert run.findings.counted().first().title.split('"')[0] in html  # type: ignore[union-attr]


def test_its_events_are_without_a_gap_and_its_bars_had_steps_between(
    shared_stack: Stack, alice: User
) -> None:
    run = analysed(create_sample(owner=alice), alice)
    events = list(TaskEvent.objects.filter(task=run.task).order_by("seq"))
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    stages = [e.data["stage"] for e in events if e.type == "stage.finished"]
    assert stages == ["intake", "scan", "agents", "synthesis"]
    steps = {e.data["parent_current"] for e in events if "parent_current" in e.data}
    assert len(steps) >= 5, steps
    assert max(steps) <= 100


def test_a_finding_names_the_lines_of_the_input(shared_stack: Stack, alice: User) -> None:
    run = analysed(terraform(alice, OPEN_GROUP), alice)
    finding = run.findings.filter(rule="CKV_AWS_24", agent="security").get()
    assert finding.file == "main.tf"
    assert finding.line_start == finding.line_end == 8
    assert any("0.0.0.0/0" in line["text"] for line in finding.detail["evidence"])


def test_different_inputs_differ_and_equal_inputs_are_equal(
    shared_stack: Stack, alice: User
) -> None:
    first = analysed(terraform(alice, OPEN_GROUP), alice)
    again = analysed(terraform(alice, OPEN_GROUP), alice)
    other = analysed(terraform(alice, LONE_BUCKET), alice)
    assert facts(first) == facts(again)
    assert facts(first)[0] != facts(other)[0]
    scores = [dict(run.reports.values_list("agent", "score")) for run in (first, other)]
    assert scores[0]["security"] != scores[1]["security"]


def test_a_second_run_says_what_is_new_what_stays_and_what_is_fixed(
    shared_stack: Stack, alice: User
) -> None:
    assessment = terraform(alice, OPEN_GROUP)
    first = analysed(assessment, alice)
    versions.add_version(assessment, Change.of([("main.tf", LONE_BUCKET.encode())]), by=alice)
    second = analysed(assessment, alice)
    comparison = second.summary["comparison"]
    assert comparison["run"] == first.number
    assert comparison["fixed"] >= 1
    assert comparison["new"] + comparison["persisting"] == second.findings.counted().count()


def test_a_questionnaire_alone_is_answered_where_it_can_be(
    shared_stack: Stack, alice: User
) -> None:
    stated = Requirements(
        rps_now=50, rps_peak=200, service_time_ms=40, replicas=12, uptime_target_percent=99.9
    )
    run = analysed(
        create_assessment(owner=alice, name="plan", requirements=stated, uploads=[]), alice
    )
    status = dict(run.reports.values_list("agent", "status"))
    assert status["capacity"] == "assessed"
    assert status["security"] == status["cost"] == "not_assessed"
    assert all(run.reports.exclude(status="assessed").values_list("reason", flat=True))


def test_the_json_report_is_made_on_request(shared_stack: Stack, alice: User) -> None:
    run = analysed(terraform(alice, OPEN_GROUP), alice)
    report = request_report(run, by=alice, kind="full", format="json")
    wait_until(lambda: Report.objects.get(pk=report.pk).content, timeout_s=30, what="the report")
    document = json.loads(bytes(Report.objects.get(pk=report.pk).content or b""))
    assert document["about"]["run"] == run.number
    assert len(document["findings"]) == run.findings.counted().count()


def test_a_request_repeated_with_its_key_after_the_run_has_finished_gets_that_run(
    shared_stack: Stack, alice: User
) -> None:
    """The route is async: in a server process, it must not read the result in the loop's thread."""
    assessment = terraform(alice, LONE_BUCKET)
    url = f"/api/v1/assessments/{assessment.pk}/analyze"
    with shared_stack.http(token=ApiToken.issue(owner=alice, name="test")[1]) as client:
        first = client.post(url, headers={"Idempotency-Key": "one"}).json()
        wait_until(
            lambda: TaskRun.objects.get(pk=first["task_id"]).state in FINAL,
            timeout_s=120,
            what="the end of the run",
        )
        again = client.post(url, headers={"Idempotency-Key": "one"})
    assert again.status_code == 202, again.text
    assert again.json()["task_id"] == first["task_id"]
    assert again.json()["status"] == "completed"


def test_a_questionnaire_alone_starts_each_stage_once(shared_stack: Stack, alice: User) -> None:
    stated = Requirements(rps_now=50, service_time_ms=40, replicas=12)
    run = analysed(
        create_assessment(owner=alice, name="plan", requirements=stated, uploads=[]), alice
    )
    started = TaskEvent.objects.filter(task=run.task, type="stage.started").order_by("seq")
    assert [event.data["stage"] for event in started] == ["intake", "scan", "agents", "synthesis"]


def test_only_the_failed_agents_are_asked_again_and_the_others_answers_kept(
    shared_stack: Stack, alice: User
) -> None:
    first = analysed(terraform(alice, OPEN_GROUP), alice)
    report = first.reports.get(agent="security")
    report.findings.all().delete()
    first.reports.filter(pk=report.pk).update(status="failed", score=None)
    assert first.task is not None
    task = run_again(first.task, by=alice, only_failed=True)
    wait_until(
        lambda: TaskRun.objects.get(pk=task.pk).state in FINAL,
        timeout_s=60,
        what="the end of the run",
    )
    second = AssessmentRun.objects.get(task=task)
    asked = TaskRun.objects.filter(parent=task, stage="agents")
    assert [child.title for child in asked] == ["Security"]
    assert not TaskRun.objects.filter(parent=task, stage="scan").exists()
    assert second.reports.get(agent="security").score is not None
    assert second.reports.count() == 7
    assert second.task is not None and second.task.again_of == first.task
    assert (
        second.findings.filter(agent="compliance").count()
        == first.findings.filter(agent="compliance").count()
    )


def test_a_run_whose_agents_all_answered_has_none_to_ask_again(
    shared_stack: Stack, alice: User
) -> None:
    run = analysed(terraform(alice, LONE_BUCKET), alice)
    assert run.task is not None
    with pytest.raises(CannotRunAgainError, match="No agent of this run failed"):
        run_again(run.task, by=alice, only_failed=True)
