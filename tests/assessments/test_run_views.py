"""The pages of a run besides its overview: inventory, compliance, cost, and an agent's answer."""

from __future__ import annotations

import csv
import io
from copy import copy
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from uuid_utils.compat import uuid7

from assessments.agents import AGENTS
from assessments.models import AssessmentRun, Finding, MergedScan, ScanShard
from assessments.pages.compliance import section_of
from assessments.pages.costs import cost_rows
from assessments.pages.inventory import items_of
from assessments.scan.types import Outcome
from assessments.services import start_analysis
from assessments.stages import ask
from assessments.stages.intake import make_intake
from assessments.stages.scan import copy_scan, make_scan, store_scan
from tasks_ui.models import State, TaskRun
from tests.assessments.rows import assessed, sample_files, sample_requirements, uploaded
from tests.assessments.scanning import files_of, scan_outputs
from tests.assessments.test_pages import signed_in

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client


@pytest.fixture
def run(alice: User) -> AssessmentRun:
    """For the sample: Terraform, Kubernetes and Compose, so several scopes."""
    run = assessed(uploaded(alice, sample_files(), requirements=sample_requirements()))
    TaskRun.objects.filter(assessment_run=run).update(state="SUCCESS")
    return run


@pytest.fixture
def client(alice: User) -> Client:
    return signed_in(alice)


def page(client: Client, name: str, run: AssessmentRun, **query: Any) -> Any:
    answer = client.get(reverse(name, args=[run.assessment_id, run.number]), query)
    assert answer.status_code == 200
    return answer


def test_the_inventory_has_every_resource_with_what_the_agents_say_of_it(
    client: Client, run: AssessmentRun
) -> None:
    sorted_searched_and_filtered(client, run)
    answer = page(client, "run_inventory", run)
    assert answer.context["page"].paginator.count == run.summary["resources"]
    items = {(item.scope, item.address): item for item in items_of(run)}
    assert len(items) == run.summary["resources"] == answer.context["total"]
    table = next(t for r in run.reports.all() for t in r.tables if t["key"] == "cost")
    columns = [name.lower() for name in table["columns"]]
    total = sum(row[columns.index("cost")] for row in table["rows"])
    assert sum(item.cost or 0 for item in items.values()) == pytest.approx(total, abs=0.05)
    named = run.findings.counted().exclude(resource="")
    known = [(f.scope, f.resource) in items for f in named]
    assert sum(known) >= 0.8 * len(known)  # the others are about companions that nobody declared
    for item in items.values():
        assert item.findings == named.filter(scope=item.scope, resource=item.address).count()
    assert any(item.availability for item in items.values())
    assert any(item.carbon for item in items.values())


def sorted_searched_and_filtered(client: Client, run: AssessmentRun) -> None:
    def addresses(**query: Any) -> list[str]:
        return [
            item.address for item in page(client, "run_inventory", run, **query).context["page"]
        ]

    by_cost = page(client, "run_inventory", run, order="cost").context["page"]
    costs = [item.cost for item in by_cost if item.cost is not None]
    assert costs == sorted(costs, reverse=True) and by_cost[0].cost == costs[0]
    assert addresses(q="CART") and all("cart" in a.lower() for a in addresses(q="CART"))
    one = run.resources[0]["type"]
    assert {item.type for item in page(client, "run_inventory", run, type=one).context["page"]} == {
        one
    }
    assert addresses(order="x", page="x", scope="") == addresses()
    assert "No resource matches" in page(client, "run_inventory", run, q="\0").content.decode()
    item = by_cost[0]
    found = page(client, "run_findings", run, resource=item.address, scope=item.scope)
    assert found.context["count"].total == item.findings


def test_compliance_shows_controls_with_their_evidence(client: Client, run: AssessmentRun) -> None:
    answer = page(client, "run_compliance", run)
    controls = [each for _, section in answer.context["sections"] for each in section]
    failed = [each for each in controls if each.verdict == "fail"]
    assert failed and all(each.failing for each in failed)
    for each in controls:
        assert each.checked + each.inapplicable + each.untested <= each.mapped or each.failed
    assert answer.context["checked"] == sum(each.checked for each in controls)
    text = answer.content.decode().replace("\xa0", " ")
    assert f"of {answer.context['mapped']:,} controls checked" in text
    rule, count = failed[0].failing[0]
    scope = answer.context["scope_key"]
    found = page(client, "run_findings", run, rule=rule, **({"scope": scope} if scope else {}))
    assert found.context["count"].total == count
    only = page(client, "run_compliance", run, result="fail").context["sections"]
    assert [each.id for _, section in only for each in section] == [each.id for each in failed]
    answer = page(client, "run_compliance_csv", run, result="fail")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert rows and {row["result"] for row in rows} == {"Failed"}
    assert all(row["failing rules"] for row in rows)


@pytest.mark.parametrize(
    ("number", "section"),
    [
        ("2.1.3", "2.1"),
        ("164.308(a)(1)(ii)(A)", "164.308"),
        ("AC-2(1)", "AC"),
        ("A.5.1", "A.5"),
        ("CC6.1", "CC6"),
        ("Article 25", "Article 25"),
    ],
)
def test_a_requirements_number_says_its_section(number: str, section: str) -> None:
    assert section_of(number) == section


def test_costs_add_up_however_they_are_put_together(client: Client, run: AssessmentRun) -> None:
    totals = {
        by: page(client, "run_costs", run, by=by).context["total"]
        for by in ("resource", "component", "scope")
    }
    report = run.reports.get(agent="cost")
    figures = {figure["key"]: figure["value"] for figure in report.figures}
    assert set(totals.values()) == {Decimal(str(figures["monthly_cost"]))}
    answer = page(client, "run_costs", run)
    assert answer.context["unpriced"].paginator.count == figures["unpriced"]
    assert cost_rows([], by="resource") == []
    lists = answer.context["lists"]
    egress = Decimal(str(figures.get("egress", 0)))
    assert sum(each["usd"] for each in lists) + egress == answer.context["total"]
    assert [each["as_of"] for each in lists] == sorted(each["as_of"] for each in lists)
    assert any(each["is_old"] for each in lists)
    assert "months old: prices may have changed" in answer.content.decode()
    carbon = {
        each["key"]: each["value"] for each in run.reports.get(agent="sustainability").figures
    }
    left = answer.context["carbon"]["left"]["value"]
    assert left == round(5 - carbon["carbon"], 2) and "carbon budget" in answer.content.decode()
    other_assumptions_ask_all_agents_on_the_same_scan(client, run)


def other_assumptions_ask_all_agents_on_the_same_scan(client: Client, run: AssessmentRun) -> None:
    path = reverse("run_costs", args=[run.assessment_id, run.number])
    refused = client.post(path, {"egress_gb_month": "-1"})
    assert refused.status_code == 422 and "Enter 0 GB or more." in refused.content.decode()
    groups = client.get(path).context["usage"].resources
    asked = [row for group in groups for row, _ in group["fields"]]
    used = {key: asked[0][name] for key, name in (("resource", "resource"), ("measure", "measure"))}
    negative = client.post(path, {"usage-0": "-1"})
    assert negative.status_code == 422 and "greater than or equal to 0" in negative.content.decode()
    client.post(path, {"regions": "eu-west-1", "egress_gb_month": "123456", "usage-0": "1000"})
    again = AssessmentRun.objects.get(assessment=run.assessment, number=2)
    assert (again.completes, again.asks_all, again.task is not None) == (run, True, True)
    usage = [{"scope": asked[0]["key"], **used, "amount": 1000.0}]
    kept = {
        **run.requirements,
        "regions": ["eu-west-1"],
        "egress_gb_month": 123456.0,
        "usage": [{name: value for name, value in usage[0].items() if value}],
    }
    removed = {
        "monthly_budget_usd",
        "monthly_carbon_budget_kg",
        "average_utilisation_percent",
        "scope",
    }
    assert again.requirements == {k: v for k, v in kept.items() if k not in removed}
    assert make_intake(again) == []  # nothing is read or scanned again
    copy_scan(run, to=again)
    assert bytes(again.scan.checks) == bytes(MergedScan.objects.get(run=run).checks)
    assert len(ask.make_agents(again)) == 7
    assert not again.findings.exists()
    client.post(path, {"egress_gb_month": "5"})  # for a run that is not the newest
    assert run.assessment.runs.count() == 2


def test_an_answers_tables_are_a_page_and_a_part(client: Client, run: AssessmentRun) -> None:
    path = reverse("answer", args=[run.assessment_id, run.number, "cost"])
    assert path in page(client, "run", run).content.decode()
    whole = client.get(path).content.decode()
    part = client.get(path, headers={"HX-Request": "true"}).content.decode()
    assert "Cost by resource and component" in whole and "Cost by resource and component" in part
    assert "<html" in whole and "<html" not in part
    assert client.get(path.replace("cost", "nobody")).status_code == 404
    the_overview_stays_light_with_500_findings(client, run)
    for name in ("run_inventory", "run_compliance", "run_costs"):
        with CaptureQueriesContext(connection) as captured:
            page(client, name, run)
        assert len(captured) <= 10, name


def the_overview_stays_light_with_500_findings(client: Client, run: AssessmentRun) -> None:
    found = run.findings.filter(agent="security").first()
    assert found is not None
    rows = []
    for number in range(500 - run.findings.count()):
        row = copy(found)
        row.pk, row.fingerprint, row._state = uuid7(), f"{number:064}", copy(found._state)
        rows.append(row)
    Finding.objects.bulk_create(rows)
    with CaptureQueriesContext(connection) as captured:
        overview = page(client, "run", run)
    assert run.findings.count() >= 500
    assert len(overview.content) < 150_000
    assert len(captured) <= 40


DATABASE = """\
resource "aws_db_instance" "orders" {
  engine              = "postgres"
  publicly_accessible = true
}
"""


def test_a_part_of_the_scan_shows_its_worst_failed_checks_before_an_agent_has_read_them(
    client: Client, alice: User
) -> None:
    run = AssessmentRun.objects.get(
        task=start_analysis(uploaded(alice, {"main.tf": DATABASE}), by=alice)
    )
    output = scan_outputs(files_of(**{"main.tf": DATABASE}), engines=["checkov"])[0]
    shard = ScanShard.objects.create(
        run=run, engine="checkov", label="<b>main.tf</b>", weight=1, spec={}
    )
    (child,) = make_scan(run)
    child.parent, child.owner, child.stage = run.task, alice, "scan"
    child.state, child.finished_at = State.SUCCESS, timezone.now()
    child.save()
    store_scan(shard, output, "isolated")
    shard.refresh_from_db()
    failed = [check for check in output.checks if check.outcome is Outcome.FAILED]
    assert shard.failed == len(failed) > len(shard.worst) == 5
    assert [row["severity"] for row in shard.worst] == sorted(
        (row["severity"] for row in shard.worst), reverse=True
    )
    shown = page(client, "run", run).content.decode()
    assert "&lt;b&gt;main.tf&lt;/b&gt;" in shown and shown.count("find flat") == 5
    assert f"<b>{len(failed)}</b> of" in shown
    assert shown.count('id="waiting-') == len(AGENTS)


def test_a_running_run_shows_the_worst_findings_of_each_agent_that_has_finished(
    client: Client, alice: User
) -> None:
    run = assessed(uploaded(alice, {"main.tf": DATABASE}))
    TaskRun.objects.filter(assessment_run=run).update(state=State.PROGRESS)
    found = page(client, "run", run).context["found"]
    assert {each.agent for each in found} >= {"security", "operations"}
    for each in found:
        mine = run.findings.filter(agent=each.agent)
        assert each.count == mine.count() and list(each.findings) == list(mine[:5])
