"""A report about one scope matches the scope's pages, and contains nothing about the others."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from assessments.models import AssessmentRun, Report
from assessments.pages.scopes import scope_table
from assessments.reports import WRITERS
from assessments.reports.document import build
from tasks_ui.models import State, TaskRun
from tests.assessments.rows import assessed, sample_files, sample_requirements, uploaded

if TYPE_CHECKING:
    from django.contrib.auth.models import User

TERRAFORM = "terraform"


@pytest.fixture
def run(alice: User) -> AssessmentRun:
    assessment = uploaded(alice, sample_files(), requirements=sample_requirements())
    assessed(assessment)
    run = assessed(assessment)
    AssessmentRun.objects.filter(pk=run.pk).update(finished_at=timezone.now())
    run.refresh_from_db()
    return run


def document_of(run: AssessmentRun, scope: str, *, kind: str = "technical") -> dict[str, Any]:
    report = Report.objects.create(run=run, kind=kind, format="html", scope=scope)
    return build(report, on_progress=lambda done, total, message: None)


def figures(document: dict[str, Any]) -> dict[str, Any]:
    return {figure["key"]: figure["value"] for figure in document["summary"]["figures"]}


def test_its_figures_are_those_of_the_scopes_pages(
    run: AssessmentRun, alice: User, client: Client
) -> None:
    client.force_login(alice)
    table = scope_table(run, list(run.reports.all()))
    assert table is not None and len(table["rows"]) > 2
    whole = document_of(run, "")
    for row in table["rows"]:
        document = document_of(run, row.key)
        levels = ("info", "low", "medium", "high", "critical")
        found = {n: figures(document)[f"findings_{level}"] for n, level in enumerate(levels)}
        assert {n: count for n, count in found.items() if count} == dict(row.severities)
        answers = {answer["label"]: answer for answer in document["agents"]}
        for label, (score, words) in zip(table["agents"], row.answers, strict=True):
            told = answers[label]
            assert (told["score"], told["summary"] or told["reason"]) == (score, words)
        page = client.get(
            f"/api/v1/assessments/{run.assessment_id}/findings", {"scope": row.key, "limit": 1000}
        ).json()
        assert {finding["fingerprint"] for finding in document["findings"]} == {
            finding["fingerprint"] for finding in page["findings"]
        }
        assert len(document["coverage"]) == row.files
        assert figures(document)["files_read"] <= row.files
    parts = [figures(document_of(run, scope["key"])) for scope in run.scopes]
    for key in ("findings_high", "checks_passed", "checks_failed", "resources"):
        assert sum(part[key] for part in parts) == figures(whole)[key]


def test_its_recommendations_name_places_of_the_scope_alone(run: AssessmentRun) -> None:
    document = document_of(run, TERRAFORM)
    mine = {finding["fingerprint"] for finding in document["findings"]}
    assert document["recommendations"]
    for number, row in enumerate(document["recommendations"], start=1):
        assert row["priority"] == number
        assert set(row["findings"]) <= mine
        assert row["where"].startswith("terraform/") or not row["where"]
        assert row["impact"]["places"] <= len(row["findings"])
    resolved = Counter(f for row in document["recommendations"] for f in row["findings"])
    assert set(resolved) == mine and set(resolved.values()) == {1}


def test_its_cost_its_comparison_and_its_map_are_the_scopes(run: AssessmentRun) -> None:
    document = document_of(run, TERRAFORM, kind="executive")
    assert document["summary"]["comparison"]["persisting"] == len(
        document_of(run, TERRAFORM)["findings"]
    )
    (cost,) = (answer for answer in document["agents"] if answer["agent"] == "cost")
    (stored,) = (
        each for each in run.reports.get(agent="cost").scopes if each["scope"] == TERRAFORM
    )
    assert cost["figures"] == stored["figures"]
    svg = document["map"]["svg"]
    assert "aws_lb.shop" in svg and "compose" not in svg
    for format in ("html", "markdown", "pdf"):
        content = WRITERS[format](document)
        assert len(content) > 1000
        if format == "html":
            assert "Terraform terraform: executive report" in content.decode()


def test_the_page_and_the_api_choose_a_scope(
    run: AssessmentRun, alice: User, client: Client
) -> None:
    client.force_login(alice)
    url = f"/api/v1/assessments/{run.assessment_id}"
    wanted = {"kind": "executive", "format": "json", "scope": TERRAFORM}
    made = client.post(f"{url}/reports", json.dumps(wanted), content_type="application/json")
    assert (made.status_code, made.json()["scope"]) == (202, TERRAFORM)
    unknown = {**wanted, "scope": "no/such"}
    refused = client.post(f"{url}/reports", json.dumps(unknown), content_type="application/json")
    assert refused.status_code == 422 and "no/such" in refused.json()["detail"]
    assert run.task_id is not None
    TaskRun.objects.filter(pk=run.task_id).update(state=State.SUCCESS)
    page = f"/assessments/{run.assessment_id}/runs/{run.number}/"
    assert 'id="report-scope"' in client.get(page).content.decode()
    form = {"kind": "technical", "format": "pdf", "scope": TERRAFORM}
    assert client.post(f"{page}reports/", form).status_code == 302
    assert client.post(f"{page}reports/", {**form, "scope": "no/such"}).status_code == 404
    assert list(run.documents.values_list("scope", flat=True)[:2]) == [TERRAFORM] * 2
    newest = run.documents.select_related("run__assessment")[0]
    assert newest.file_name == "shop-run-2-technical-terraform.pdf"
