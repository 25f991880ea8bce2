"""Charts of a finished run: drawn from the agents' own figures, and absent if there are none."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import reverse

from assessments.models import AgentReport, AssessmentRun
from assessments.pages.charts import against_targets, cost_chart
from assessments.pages.trends import trends
from tasks_ui.models import State, TaskRun
from tests.assessments.rows import assessed, sample_files, sample_requirements, uploaded
from tests.assessments.test_pages import analysed, signed_in

if TYPE_CHECKING:
    from django.contrib.auth.models import User


COLUMNS = ["resource", "component", "quantity", "unit", "price", "cost", "source"]


def cost_report(rows: list[tuple[str, str, float]], *, left: float | None = None) -> AgentReport:
    total = sum(usd for *_, usd in rows)
    figures: list[dict[str, Any]] = [
        {"key": "monthly_cost", "value": total},
        {"key": "region", "value": "eu-central-1"},
    ]
    figures += [{"key": "budget_left", "value": left}] if left is not None else []
    lines = [[resource, component, 1.0, "h", 1.0, usd, "list"] for resource, component, usd in rows]
    tables = [
        {"key": "cost", "columns": COLUMNS, "rows": lines, "source": "list prices"},
        {
            "key": "unpriced",
            "columns": ["resource", "component", "reason"],
            "rows": [["aws_msk_cluster.bus", "broker", "no price"]],
        },
    ]
    return AgentReport(agent="cost", figures=figures, tables=tables)


def test_a_bar_is_as_long_as_its_part_of_the_dearest_resource() -> None:
    chart = cost_chart(
        [cost_report([("web", "compute", 60), ("web", "storage", 20), ("db", "compute", 40)])]
    )
    assert chart is not None
    assert [(name, usd) for name, usd, *_ in chart.rows] == [
        ("web", Decimal(80)),
        ("db", Decimal(40)),
    ]
    assert [(s.hue, s.start, s.width) for s in chart.rows[0][2]] == [("c1", 0, 75), ("c2", 75, 25)]
    assert [(s.hue, s.width) for s in chart.rows[1][2]] == [("c1", 50)]
    assert chart.parts == [("c1", "compute", Decimal(100)), ("c2", "storage", Decimal(20))]
    assert chart.unpriced == ["aws_msk_cluster.bus"]


def test_resources_of_two_scopes_stay_apart_and_a_sum_without_all_prices_is_a_least() -> None:
    report = cost_report([("db", "compute", 60), ("db", "compute", 40)])
    table = report.tables[0]
    table["columns"] = ["scope", *COLUMNS]
    table["rows"] = [
        [scope, *row] for scope, row in zip(("prod", "staging"), table["rows"], strict=True)
    ]
    report.figures = [
        {"key": "monthly_cost", "value": 100},
        {"key": "unpriced", "value": 1},
    ]
    regions = ("eu-central-1", "us-east-1")
    report.scopes = [{"figures": [{"key": "region", "value": each}]} for each in regions]
    chart = cost_chart([report])
    assert chart is not None
    assert [(name, usd, note) for name, usd, _, note in chart.rows] == [
        ("db", Decimal(60), "prod: compute"),
        ("db", Decimal(40), "staging: compute"),
    ]
    assert chart.is_partial
    assert chart.region == "eu-central-1, us-east-1"


def test_the_whole_is_the_larger_of_cost_and_budget() -> None:
    under = cost_chart([cost_report([("web", "compute", 50)], left=50)])
    over = cost_chart([cost_report([("web", "compute", 200)], left=-100)])
    assert under is not None and over is not None
    assert (under.budget, under.budget_at, under.segments[0].width, under.over) == (
        Decimal(100),
        100.0,
        50.0,
        None,
    )
    assert (over.budget, over.budget_at, over.segments[0].width, over.over) == (
        Decimal(100),
        50.0,
        100.0,
        Decimal(100),
    )


def test_components_beyond_three_share_the_last_hue() -> None:
    chart = cost_chart([cost_report([("r", part, 10 - n) for n, part in enumerate("abcde")])])
    assert chart is not None
    third, last = chart.parts[2:]
    assert (tuple(third), tuple(last)) == (("c3", "c", Decimal(8)), ("c4", "others", Decimal(13)))


def test_downtime_and_utilisation_stand_against_their_limits() -> None:
    reliability = AgentReport(
        agent="reliability",
        figures=[
            {"key": "composite_downtime", "value": 88.0},
            {"key": "allowed_downtime", "value": 44.0},
        ],
    )
    capacity = AgentReport(
        agent="capacity",
        figures=[{"key": "utilisation_now", "label": "Utilization: now", "value": 55.0}],
    )
    downtime, load = against_targets([reliability, capacity])
    assert downtime.is_over and downtime.mark == pytest.approx(downtime.width / 2, abs=0.01)
    assert not load.is_over and load.width == pytest.approx(load.mark * 0.55, abs=0.01)


@pytest.mark.django_db
def test_the_samples_chart_adds_up_to_its_total_and_is_drawn(alice: User) -> None:
    run = assessed(uploaded(alice, sample_files(), requirements=sample_requirements()))
    chart = cost_chart(list(run.reports.all()))
    assert chart is not None
    assert abs(sum((usd for *_, usd in chart.parts), Decimal(0)) - chart.total) < Decimal("0.05")
    TaskRun.objects.filter(assessment_run=run).update(state=State.SUCCESS)
    page = signed_in(alice).get(reverse("run", args=[run.assessment_id, 1])).content.decode()
    assert 'id="cost"' in page and 'id="against"' in page


@pytest.mark.django_db
def test_without_a_cost_answer_there_is_no_chart(alice: User) -> None:
    run = analysed(alice)
    page = signed_in(alice).get(reverse("run", args=[run.assessment_id, 1])).content.decode()
    assert 'id="cost"' not in page and 'id="against"' not in page


@pytest.mark.django_db
def test_a_run_is_compared_with_any_earlier_one(alice: User) -> None:
    first = analysed(alice)
    completed = AssessmentRun.Status.COMPLETED
    for number in (2, 3):
        AssessmentRun.objects.create(
            assessment=first.assessment, version=first.version, number=number, status=completed
        )
    client: Client = signed_in(alice)
    address = reverse("run", args=[first.assessment_id, 3])
    for asked, number in (("", 2), ("1", 1), ("3", 2), ("x", 2), ("²", 2)):
        assert client.get(address, {"with": asked}).context["since"].run.number == number, asked


def test_from_the_third_run_on_a_page_shows_how_scores_findings_and_cost_developed(
    alice: User,
) -> None:
    run = analysed(alice)
    client = signed_in(alice)
    for number, score, highs, cost in ((1, 40, 9, 120.5), (2, None, 3, None), (3, 61, 0, 99)):
        summary = {"scores": {"security": score}, "severities": {"high": highs, "low": 1}}
        run, _ = AssessmentRun.objects.update_or_create(
            assessment=run.assessment,
            number=number,
            defaults={
                "status": AssessmentRun.Status.COMPLETED,
                "summary": summary,
                "version": run.version,
            },
        )
        if cost:
            figures = [{"key": "monthly_cost", "value": cost, "unit": "USD a month"}]
            AgentReport.objects.create(
                run=run, agent="cost", position=2, figures=figures, status="assessed"
            )
        page = client.get(reverse("run", args=[run.assessment_id, number])).content.decode()
        assert ("As a table" in page) == (number == 3)
    found = trends(run)
    assert found is not None and found.runs == [1, 2, 3]
    by_label = {series.label: series for _, group in found.groups for series in group}
    assert list(by_label) == ["Security", "High", "Low", "Monthly cost"]
    security, high = by_label["Security"], by_label["High"]
    assert (security.values, security.change, security.lines) == ([40, None, 61], 21, [])
    assert high.lines == [(0.0, 5.0, 50.0, 65.0), (50.0, 65.0, 100.0, 95.0)]
    assert (by_label["Monthly cost"].unit, by_label["Monthly cost"].change) == ("USD", -21.5)
    first = run.assessment.runs.get(number=1)
    assert trends(first) is None
