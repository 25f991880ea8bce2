"""If an upload has several scopes, pages, API and reports show which one they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

from assessments.models import AssessmentRun, Finding
from assessments.reports.layout import blocks_of
from assessments.reports.layout.blocks import shown
from tasks_ui.models import TaskRun
from tests.assessments.rows import assessed, document_of, uploaded, written
from tests.client.test_analyze import OPEN_SSH

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db

SCOPES = [
    {"key": "envs/prod", "kind": "terraform", "label": "envs/prod", "files": 3},
    {"key": "envs/staging", "kind": "terraform", "label": "envs/staging", "files": 2},
]


@pytest.fixture
def run(alice: User) -> AssessmentRun:
    """A run of one file, set up as if it had found half of its findings in each of two scopes."""
    run = assessed(uploaded(alice, {"main.tf": OPEN_SSH}))
    run.findings.update(scope="envs/prod")
    ids = list(run.findings.values_list("pk", flat=True))
    run.findings.filter(pk__in=ids[: len(ids) // 2]).update(scope="envs/staging")
    AssessmentRun.objects.filter(pk=run.pk).update(scopes=SCOPES)
    TaskRun.objects.filter(assessment_run=run).update(state="SUCCESS")
    run.refresh_from_db()
    return run


def test_the_page_lists_the_scopes_and_filters_findings_by_one(
    run: AssessmentRun, alice: User, client: Client
) -> None:
    client.force_login(alice)
    url = f"/assessments/{run.assessment_id}/runs/1/"
    page = client.get(url)
    assert [row.label for row in page.context["scopes"]["rows"]] == ["envs/prod", "envs/staging"]
    assert 'id="scopes"' in page.content.decode()
    chosen = client.get(url, {"scope": "envs/staging"}).context["findings"]
    assert {finding.scope for finding in chosen} == {"envs/staging"}
    assert {finding.scope_label for finding in chosen} == {"envs/staging"}


def test_with_one_scope_the_page_does_not_mention_it(
    run: AssessmentRun, alice: User, client: Client
) -> None:
    AssessmentRun.objects.filter(pk=run.pk).update(scopes=SCOPES[:1])
    client.force_login(alice)
    page = client.get(f"/assessments/{run.assessment_id}/runs/1/")
    assert page.context["scopes"] is None
    assert 'id="scopes"' not in page.content.decode()


def test_the_api_names_the_scopes_and_filters_by_key(
    run: AssessmentRun, alice: User, client: Client
) -> None:
    client.force_login(alice)
    url = f"/api/v1/assessments/{run.assessment_id}"
    assert client.get(f"{url}/runs/1").json()["scopes"] == SCOPES
    found = client.get(f"{url}/findings", {"scope": "envs/prod"}).json()
    assert found["total"] == Finding.objects.counted().filter(run=run, scope="envs/prod").count()
    assert {finding["scope"] for finding in found["findings"]} == {"envs/prod"}


def test_reports_name_the_scope_of_a_finding_and_begin_with_what_was_not_read(
    run: AssessmentRun,
) -> None:
    reason = {"code": "files_unread", "message": "1 file x.tf", "count": 1, "files": ["x.tf:3"]}
    AssessmentRun.objects.filter(pk=run.pk).update(attention=[reason])
    run.refresh_from_db()
    document = document_of(run)
    assert {finding["scope"] for finding in document["findings"]} >= {"envs/prod", "envs/staging"}
    texts = [shown(getattr(block, "text", "")) for block in list(blocks_of(document))[:2]]
    assert any("Needs attention: 1 file x.tf" in text for text in texts)
    assert "envs/staging" in written(run, "csv").decode()
