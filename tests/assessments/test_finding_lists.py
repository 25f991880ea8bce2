"""Lists of findings: filters with counts, groups, bulk changes, and exports of what is shown."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from assessments import muting
from assessments.models import AssessmentRun, Finding, FindingAssignment, FindingMute
from tests.assessments.rows import assessed, uploaded
from tests.assessments.test_pages import analysed, signed_in

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

ROWS: list[dict[str, Any]] = [
    {"severity": 4, "agent": "security", "problem": "A", "resource": "db.a", "file": "a.tf"},
    {"severity": 3, "agent": "security", "problem": "A", "resource": "db.b", "file": "a.tf"},
    {"severity": 3, "agent": "cost", "problem": "B", "resource": "db.a", "file": "b.yaml"},
    {"severity": 1, "agent": "operations", "problem": "C", "resource": "", "file": ""},
    {"severity": 3, "agent": "compliance", "problem": "D", "resource": "db.a", "file": "a.tf"},
]


@pytest.fixture
def run(alice: User) -> AssessmentRun:
    run = analysed(alice)
    found = run.findings.get()
    for number, row in enumerate(ROWS):
        kind = {"a.tf": "terraform", "b.yaml": "kubernetes"}.get(row["file"], "")
        found.pk, found.file_kind, found.fingerprint = None, kind, str(number) * 64
        found.title, found.rule = f"Problem {row['problem']}", row["problem"]
        for name, value in row.items():
            setattr(found, name, value)
        found.save(force_insert=True)
    run.findings.filter(problem="").delete()
    return run


@pytest.fixture
def client(alice: User) -> Client:
    return signed_in(alice)


def page(client: Client, run: AssessmentRun, **query: Any) -> Any:
    answer = client.get(reverse("run_findings", args=[run.assessment_id, run.number]), query)
    assert answer.status_code == 200
    return answer


def shown(answer: Any) -> list[tuple[str, str]]:
    return [(each.problem, each.resource) for each in answer.context["page"]]


def counts(answer: Any, name: str) -> dict[str, int]:
    return {c.value: c.count for c in answer.context["count"].facets[name].choices}


def test_several_values_widen_and_several_filters_narrow(
    client: Client, run: AssessmentRun
) -> None:
    assert len(shown(page(client, run))) == 4  # without compliance's
    assert shown(page(client, run, severity=["4", "1"])) == [("A", "db.a"), ("C", "")]
    assert shown(page(client, run, severity="3", agent=["cost", "compliance"])) == [
        ("D", "db.a"),
        ("B", "db.a"),
    ]
    assert shown(page(client, run, kind="kubernetes")) == [("B", "db.a")]
    assert shown(page(client, run, resource="db.a", agent="security")) == [("A", "db.a")]
    assert shown(page(client, run, resource="-")) == [("C", "")]
    assert shown(page(client, run, severity="x", agent="x", kind="x", page="x", group="x")) == (
        shown(page(client, run))
    )


def test_a_values_count_is_what_choosing_it_shows(client: Client, run: AssessmentRun) -> None:
    FindingMute.objects.create(assessment=run.assessment, fingerprint="1" * 64, reason="known")
    answer = page(client, run, severity="3")
    assert answer.context["count"].total == 1
    assert counts(answer, "severity") == {"4": 1, "3": 1, "1": 1}
    assert counts(answer, "agent") == {"cost": 1, "compliance": 1}
    assert counts(answer, "kind") == {"kubernetes": 1}
    assert counts(answer, "status") == {"muted": 1}
    for name in ("severity", "agent", "kind", "status", "assignee"):
        for choice in answer.context["count"].facets[name].choices:
            if choice.is_chosen:
                continue
            query = {"severity": ["3"], name: [choice.value]}
            query["severity"] = ["3", choice.value] if name == "severity" else ["3"]
            chosen = page(client, run, **query).context["count"].total
            assert chosen == choice.count + (answer.context["count"].total * (name == "severity"))


def test_the_total_of_the_facets_is_the_number_of_rows(client: Client, run: AssessmentRun) -> None:
    FindingMute.objects.create(assessment=run.assessment, fingerprint="1" * 64, reason="known")
    FindingAssignment.objects.create(
        assessment=run.assessment, fingerprint="2" * 64, assignee="Kim"
    )
    run.findings.filter(problem="B").update(since="new", is_exposed=True)
    for query in (
        {},
        {"status": ["muted", "new"]},
        {"status": "muted"},
        {"status": "new"},
        {"assignee": "Kim"},
        {"assignee": ["Kim", "-"]},
        {"assignee": "-", "kind": "terraform"},
        {"exposed": "1"},
        {"q": "problem a"},
        {"assessment": str(run.assessment_id)},
    ):
        answer = page(client, run, **query)
        assert len(shown(answer)) == answer.context["count"].total, query


@pytest.mark.parametrize(
    ("by", "labels"),
    [
        ("problem", {"Problem A": 2, "Problem B": 1, "Problem C": 1}),
        ("resource", {"db.a": 2, "db.b": 1, "About no single resource": 1}),
        ("file", {"a.tf": 2, "b.yaml": 1, "About no file": 1}),
        ("agent", {"Security": 2, "Cost": 1, "Operations": 1}),
    ],
)
def test_groups_count_what_their_link_lists(
    client: Client, run: AssessmentRun, by: str, labels: dict[str, int]
) -> None:
    answer = page(client, run, group=by)
    groups = list(answer.context["page"])
    assert {group.label: group.count for group in groups} == labels
    assert groups[0].worst == 4
    path = reverse("run_findings", args=[run.assessment_id, run.number])
    for group in groups:
        assert client.get(f"{path}{group.query}").context["count"].total == group.count


def test_chosen_findings_are_muted_and_assigned_together(
    client: Client, run: AssessmentRun
) -> None:
    ids = [str(pk) for pk in run.findings.filter(problem="A").values_list("pk", flat=True)]
    here = reverse("run_findings", args=[run.assessment_id, run.number])
    said = client.post(
        reverse("change_findings"),
        {"finding": ids, "act": "assign", "assignee": " Kim  Lee ", "next": here},
        follow=True,
    ).content.decode()
    assert "2\N{NO-BREAK SPACE}findings assigned to Kim Lee." in said
    assert counts(page(client, run), "assignee") == {"-": 2, "Kim Lee": 2}
    client.post(
        reverse("change_findings"),
        {"finding": ids, "act": "mute", "reason": "a test system", "days": "30"},
    )
    assert set(FindingMute.objects.values_list("reason", "by__username")) == {
        ("a test system", "alice")
    }
    assert counts(page(client, run), "status") == {"muted": 2}
    client.post(reverse("change_findings"), {"finding": ids, "act": "assign", "assignee": ""})
    assert not FindingAssignment.objects.exists()


def test_all_of_a_filter_are_changed_and_nothing_else(client: Client, run: AssessmentRun) -> None:
    client.post(
        reverse("change_findings"),
        {"all": "1", "run": str(run.pk), "query": "severity=3", "act": "mute", "reason": "later"},
    )
    assert set(FindingMute.objects.values_list("fingerprint", flat=True)) == {"1" * 64, "2" * 64}


def test_what_can_not_be_changed_changes_nothing(
    client: Client, run: AssessmentRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(**fields: Any) -> str:
        everything = {"all": "1", "run": str(run.pk), "query": "", **fields}
        answer = client.post(reverse("change_findings"), everything, follow=True)
        return str(answer.content.decode())

    assert "Nothing was changed. Give a reason" in said(act="mute", reason=" ")
    assert "at most 120 characters" in said(act="assign", assignee="x" * 121)
    monkeypatch.setattr(muting, "BULK_MAX", 3)
    assert "At most 3 findings" in said(act="mute", reason="all")
    assert not FindingMute.objects.exists() and not FindingAssignment.objects.exists()


def test_bob_changes_and_exports_nothing_of_alices(run: AssessmentRun, bob: User) -> None:
    stranger = signed_in(bob)
    ids = [str(pk) for pk in run.findings.values_list("pk", flat=True)]
    stranger.post(reverse("change_findings"), {"finding": ids, "act": "mute", "reason": "no"})
    all_of_run = {"all": "1", "run": str(run.pk), "act": "mute", "reason": "no"}
    assert stranger.post(reverse("change_findings"), all_of_run).status_code == 404
    stranger.post(reverse("change_findings"), {"all": "1", "act": "mute", "reason": "no"})
    assert not FindingMute.objects.exists()
    assert stranger.get(reverse("findings_csv"), {"run": str(run.pk)}).status_code == 404
    assert stranger.get(reverse("findings_json")).json() == []
    path = reverse("run_findings", args=[run.assessment_id, run.number])
    assert stranger.get(path).status_code == 404


def test_an_export_holds_the_current_filter(client: Client, run: AssessmentRun) -> None:
    Finding.objects.filter(problem="B").update(title="=cmd()")
    FindingAssignment.objects.create(
        assessment=run.assessment, fingerprint="2" * 64, assignee="Kim"
    )
    query = {"run": str(run.pk), "severity": "3"}
    rows = client.get(reverse("findings_json"), query).json()
    assert [(row["rule"], row["assignee"]) for row in rows] == [("A", None), ("B", "Kim")]
    answer = client.get(reverse("findings_csv"), query)
    assert answer["Content-Disposition"] == 'attachment; filename="orders-run-1-findings.csv"'
    table = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [row["title"] for row in table] == ["Problem A", "'=cmd()"]


def test_a_page_takes_as_many_queries_for_many_findings_as_for_few(
    client: Client, run: AssessmentRun
) -> None:
    def queries(**query: Any) -> int:
        with CaptureQueriesContext(connection) as captured:
            page(client, run, **query)
        return len(captured)

    few = queries(), queries(group="problem")
    found = run.findings.filter(problem="A").first()
    assert found is not None
    for number in range(60):
        found.pk, found.fingerprint = None, f"{number:064}"
        found.save(force_insert=True)
    assert (queries(), queries(group="problem")) == few
    assert max(few) <= 10


def test_findings_of_a_run_know_their_problem_and_the_kind_of_their_file(alice: User) -> None:
    run = assessed(uploaded(alice, {"main.tf": 'resource "aws_s3_bucket" "logs" {\n}\n'}))
    found = run.findings.filter(agent="security")
    assert found.exists()
    assert set(found.values_list("file_kind", flat=True)) == {"terraform"}
    assert not found.filter(problem="").exists()
    problems = {item.problem for item in run.recommendations.all()}
    assert set(found.values_list("problem", flat=True)) <= problems


def test_the_findings_of_a_run_are_listed_while_its_recommendations_are_written(
    alice: User,
) -> None:
    run = analysed(alice)
    AssessmentRun.objects.update(status=AssessmentRun.Status.RECOMMENDING)
    answer = signed_in(alice).get(reverse("findings"))
    assert [each.run_id for each in answer.context["page"]] == [run.pk]
