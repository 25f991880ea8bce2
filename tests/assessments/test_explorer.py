"""Findings, recommendations and reports across assessments: what the pages list, hide, and let a
person decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from assessments.models import AssessmentRun, Finding, FindingMute, Recommendation, Report
from tests.assessments.rows import assessed, uploaded
from tests.assessments.test_pages import analysed, signed_in

if TYPE_CHECKING:
    from django.contrib.auth.models import User

BUCKET = 'resource "aws_s3_bucket" "logs" {\n  bucket = "logs"\n}\n'


@pytest.fixture
def browser_of_alice(alice: User) -> Client:
    return signed_in(alice)


def recommended(
    run: AssessmentRun, title: str = "Keep an access log", **fields: Any
) -> Recommendation:
    row = Recommendation.objects.create(
        run=run, priority=1, agent="security", title=title, why="why", effort="small", **fields
    )
    row.findings.set(run.findings.all())
    return row


def listed(answer: Any) -> list[str]:
    """What the page lists: the board of recommendations merges its rows into problems."""
    return [str(item) for item in answer.context.get("problems", answer.context["page"])]


@pytest.mark.parametrize("page", ["findings", "recommendations", "reports"])
def test_pages_with_nothing_to_list_say_how_to_begin(browser_of_alice: Client, page: str) -> None:
    assert reverse("new_assessment") in browser_of_alice.get(reverse(page)).content.decode()


def test_findings_of_the_newest_run_of_each_assessment_are_listed(
    browser_of_alice: Client, alice: User, bob: User
) -> None:
    old = analysed(alice, name="orders")
    newer = AssessmentRun.objects.create(
        assessment=old.assessment,
        version=old.version,
        number=2,
        status=AssessmentRun.Status.COMPLETED,
    )
    Finding.objects.filter(run=old).update(title="of the old run")
    analysed(alice, name="billing")
    analysed(bob, name="of bob")
    page = browser_of_alice.get(reverse("findings"))
    assert {run.pk for run in page.context["runs"]} == {
        newer.pk,
        AssessmentRun.objects.get(assessment__name="billing").pk,
    }
    assert listed(page) == ["Bucket keeps no access log"]


def test_findings_are_filtered_by_severity_pillar_assessment_and_words(
    browser_of_alice: Client, alice: User
) -> None:
    orders, billing = (
        analysed(alice, name="orders"),
        analysed(alice, name="billing", path="billing.tf"),
    )
    Finding.objects.filter(run=billing).update(severity=4, title="Billing is open")

    def asked(**query: Any) -> list[str]:
        return listed(browser_of_alice.get(reverse("findings"), query))

    assert asked() == ["Billing is open", "Bucket keeps no access log"]
    assert asked(severity=4) == ["Billing is open"]
    assert asked(assessment=orders.assessment_id) == ["Bucket keeps no access log"]
    assert asked(q="billing.tf") == ["Billing is open"]
    assert asked(q="ckv_aws_18", agent="security") == asked()
    assert asked(agent="cost") == []
    assert asked(severity="x", agent="x", assessment="x", page="x") == asked()
    assert (
        "No matching findings"
        in browser_of_alice.get(reverse("findings"), {"q": "nothing"}).content.decode()
    )


def test_a_finding_is_muted_with_a_reason_and_comes_back(
    browser_of_alice: Client, alice: User
) -> None:
    run = analysed(alice)
    finding = run.findings.get()
    here = reverse("findings")
    browser_of_alice.post(
        reverse("mute_finding", args=[finding.pk]),
        {"reason": "kept elsewhere", "days": "30", "next": here},
    )
    mute = FindingMute.objects.get()
    assert (mute.reason, mute.by, mute.expires_at is not None) == ("kept elsewhere", alice, True)
    assert listed(browser_of_alice.get(here)) == []
    assert listed(browser_of_alice.get(here, {"muted": "1"})) == ["Bucket keeps no access log"]
    run_page = browser_of_alice.get(reverse("run", args=[run.assessment_id, 1]))
    assert run_page.context["findings"].paginator.count == 0
    assert run_page.context["muted_count"] == 1
    assert (
        "kept elsewhere"
        in browser_of_alice.get(reverse("finding", args=[finding.pk])).content.decode()
    )
    browser_of_alice.post(reverse("unmute_finding", args=[finding.pk]))
    assert listed(browser_of_alice.get(here)) == ["Bucket keeps no access log"]


def test_a_mute_without_a_reason_is_refused_in_words(browser_of_alice: Client, alice: User) -> None:
    finding = analysed(alice).findings.get()
    answer = browser_of_alice.post(
        reverse("mute_finding", args=[finding.pk]), {"reason": " "}, follow=True
    )
    assert "Not muted. Give a reason" in answer.content.decode()
    assert not FindingMute.objects.exists()


def test_recommendations_stand_under_what_was_decided(
    browser_of_alice: Client, alice: User
) -> None:
    item = recommended(analysed(alice))
    page = reverse("recommendations")
    assert listed(browser_of_alice.get(page)) == ["Keep an access log"]
    for status in ("accepted", "done", "dismissed", "open"):
        answer = browser_of_alice.post(
            reverse("decide_recommendation", args=[item.pk]), {"status": status}
        )
        assert answer["Location"] == page
        shown = browser_of_alice.get(page, {"status": status})
        assert listed(shown) == ["Keep an access log"]
        assert {value: count for value, _, count in shown.context["statuses"] if count} == {
            status: 1
        }
    assert (
        browser_of_alice.post(
            reverse("decide_recommendation", args=[item.pk]), {"status": "x"}
        ).status_code
        == 404
    )


def test_what_was_accepted_or_dismissed_stays_so_in_the_next_run(alice: User) -> None:
    assessment = uploaded(alice, {"main.tf": BUCKET})
    first = assessed(assessment)
    accepted, dismissed, done = first.recommendations.all()[:3]
    for item, status in ((accepted, "accepted"), (dismissed, "dismissed"), (done, "done")):
        Recommendation.objects.filter(pk=item.pk).update(status=status)
    again = (
        assessed(assessment).recommendations.exclude(status="open").values_list("title", "status")
    )
    assert dict(again) == {accepted.title: "accepted", dismissed.title: "dismissed"}


def test_reports_are_listed_with_their_run_and_filtered_by_kind(
    browser_of_alice: Client, alice: User
) -> None:
    run = analysed(alice)
    Report.objects.create(run=run, kind="technical", format="html", content=b"x")
    Report.objects.create(run=run, kind="cost", format="csv", content=b"x")
    page = browser_of_alice.get(reverse("reports"))
    assert len(listed(page)) == 2
    assert "Cost, CSV" in page.content.decode()
    assert listed(browser_of_alice.get(reverse("reports"), {"kind": "cost"})) == [
        "cost report of orders run 1"
    ]
    assert (
        "No reports of this kind"
        in browser_of_alice.get(reverse("reports"), {"kind": "full"}).content.decode()
    )


def test_bob_can_neither_see_mute_nor_decide_what_is_alices(alice: User, bob: User) -> None:
    run = analysed(alice)
    item, client = recommended(run), signed_in(bob)
    for page in ("findings", "recommendations", "reports"):
        assert "orders" not in client.get(reverse(page)).content.decode()
    finding = run.findings.get()
    assert (
        client.post(reverse("mute_finding", args=[finding.pk]), {"reason": "no"}).status_code == 404
    )
    assert client.post(reverse("unmute_finding", args=[finding.pk])).status_code == 404
    assert (
        client.post(
            reverse("decide_recommendation", args=[item.pk]), {"status": "done"}
        ).status_code
        == 404
    )


@pytest.mark.parametrize("page", ["findings", "recommendations", "reports"])
def test_many_assessments_take_as_many_queries_as_few(
    browser_of_alice: Client, alice: User, page: str
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            browser_of_alice.get(reverse(page))
        return len(captured)

    def add(name: str) -> None:
        run = analysed(alice, name=name)
        recommended(run)
        Report.objects.create(run=run, kind="cost", format="csv", content=b"x")

    add("one")
    few = queries()
    for name in "abc":
        add(name)
    assert queries() == few <= 10


def test_the_dashboard_offers_the_newest_report_of_a_run(
    browser_of_alice: Client, alice: User
) -> None:
    run = analysed(alice)
    assert "download" not in browser_of_alice.get(reverse("dashboard")).content.decode()
    Report.objects.create(run=run, kind="technical", format="html", content=b"old")
    report = Report.objects.create(run=run, kind="technical", format="html", content=b"new")
    Report.objects.create(run=run, kind="technical", format="pdf")
    assert (
        reverse("download_report", args=[report.pk])
        in browser_of_alice.get(reverse("dashboard")).content.decode()
    )
