"""All assessments on one page: what it shows for each, what needs attention, names and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from assessments.models import AgentReport, Assessment, AssessmentRun, Finding, FindingMute
from assessments.pages.overview import Row
from tests.assessments.test_pages import analysed, signed_in

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client


@pytest.fixture
def client(alice: User) -> Client:
    return signed_in(alice)


def rows(client: Client, **query: Any) -> dict[str, Row]:
    answer = client.get(reverse("assessments"), query)
    assert answer.status_code == 200
    return {row.assessment.name: row for row in answer.context["rows"]}


def costing(run: AssessmentRun, usd: float, *, unpriced: int = 0) -> None:
    figures = [
        {"key": "monthly_cost", "label": "Cost", "value": usd, "unit": "USD", "source": "prices"},
        {"key": "unpriced", "label": "Unpriced", "value": unpriced, "source": "prices"},
    ]
    AgentReport.objects.create(
        run=run, agent="cost", position=5, status="assessed", figures=figures
    )


def test_an_assessment_shows_scores_findings_cost_and_trend(client: Client, alice: User) -> None:
    run = analysed(alice)
    costing(run, 1234.5, unpriced=2)
    for number, count in ((1, 9), (2, 4), (3, 4)):
        summary = {"severities": {"high": count}, "scores": {"security": 50 + number, "cost": None}}
        status = AssessmentRun.Status.COMPLETED
        AssessmentRun.objects.update_or_create(
            assessment=run.assessment,
            number=number,
            defaults={"status": status, "summary": summary, "version": run.version},
        )
    Finding.objects.update(run=run.assessment.runs.get(number=3))
    AgentReport.objects.filter(agent="cost").update(run=run.assessment.runs.get(number=3))
    row = rows(client)["orders"]
    assert row.scores == [("Security", 53), ("Cost", None)]
    assert (row.severities, row.cost, row.trend) == ({3: 1}, "at least 1,234", [9, 4, 4])
    assert row.points == [(0.0, 5.0, 50.0, 55.0), (50.0, 55.0, 100.0, 55.0)]
    assert row.attention == []


def test_failed_partial_and_critical_need_attention(client: Client, alice: User) -> None:
    _, failed, partial, critical = (analysed(alice, name=name) for name in "abcd")
    AssessmentRun.objects.create(
        assessment=failed.assessment,
        number=2,
        version=failed.version,
        status=AssessmentRun.Status.FAILED,
    )
    reason = {"code": "files_unread", "message": "x.tf was not read.", "count": 1, "files": []}
    AssessmentRun.objects.filter(pk=partial.pk).update(attention=[reason])
    critical.findings.update(severity=4)
    found = rows(client, attention="1")
    assert set(found) == {"b", "c", "d"}
    assert found["b"].attention == ["Run 2 failed."]
    assert found["c"].attention == ["x.tf was not read."]
    FindingMute.objects.create(
        assessment=critical.assessment, fingerprint="f" * 64, reason="a test system"
    )
    assert set(rows(client, attention="1")) == {"b", "c"}
    assert set(rows(client)) == {"a", "b", "c", "d"}


def test_an_assessment_is_renamed_tagged_and_found_by_its_tag(client: Client, alice: User) -> None:
    run = analysed(alice)
    analysed(alice, name="billing")
    edit = reverse("edit_assessment", args=[run.assessment_id])
    client.post(edit, {"name": "Orders, production", "tags": "prod,  team  a , prod"})
    found = Assessment.objects.get(pk=run.assessment_id)
    assert (found.name, found.tags) == ("Orders, production", ["prod", "team a"])
    assert set(rows(client, tag="team a")) == {"Orders, production"}
    assert rows(client, tag="nothing") == {}
    assert set(rows(client, q="\0")) == {"Orders, production", "billing"}
    assert 'value="prod, team a"' in client.get(edit).content.decode()
    for refused in ({"name": ""}, {"name": "x", "tags": "y" * 41}, {"name": "x", "tags": "a\0b"}):
        assert client.post(edit, refused).status_code == 422
    found.refresh_from_db()
    assert found.name == "Orders, production"


def test_bob_renames_nothing_of_alices(alice: User, bob: User) -> None:
    run = analysed(alice)
    edit = reverse("edit_assessment", args=[run.assessment_id])
    assert signed_in(bob).post(edit, {"name": "mine"}).status_code == 404
    assert rows(signed_in(bob)) == {}


def test_many_assessments_take_as_many_queries_as_few(client: Client, alice: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            rows(client)
        return len(captured)

    costing(analysed(alice, name="one"), 1)
    few = queries()
    for name in "abcd":
        costing(analysed(alice, name=name), 1)
    assert queries() == few <= 20
