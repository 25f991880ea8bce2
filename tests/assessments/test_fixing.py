"""Fixes on a run's recommendations: what is stored, shown and reported, and what never is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from assessments import recommending
from assessments.fixing import OUT_OF_TIME
from assessments.models import AssessmentRun, Recommendation
from tasks_ui.worker.work import Work
from tests.assessments.rows import assessed, document_of, uploaded, written
from tests.assessments.scanning import files_of, scan

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db

PASSWORD = "Kx7-w4Rt9mQz2"
DATABASE = f"""\
resource "aws_db_instance" "orders" {{
  engine              = "postgres"
  username            = "shop"
  password            = "{PASSWORD}"
  publicly_accessible = true
  skip_final_snapshot = true
}}
"""
BUCKET = 'resource "aws_s3_bucket" "receipts" {\n  bucket = "shop-receipts"\n}\n'
FILES = {"db/main.tf": DATABASE, "files/main.tf": BUCKET}


@pytest.fixture
def run(alice: User) -> AssessmentRun:
    return assessed(uploaded(alice, FILES), with_fixes=True)


def with_rule(run: AssessmentRun, rule: str) -> Recommendation:
    return next(row for row in run.recommendations.all() if rule in row.impact["rules"])


def test_stored_patches_remove_their_findings_add_none_and_hide_the_password(
    run: AssessmentRun, tmp_path: Path
) -> None:
    fixed = [row for row in run.recommendations.all() if row.fix.get("files")]
    assert len(fixed) >= 5
    before = failures(FILES)
    for row in fixed:
        after = failures(patched(FILES, row.fix, tmp_path / str(row.pk)))
        gone = {(f.rule, f.resource) for f in row.findings.all() if row.fixes(f)}
        assert gone and gone <= before and not gone & after
        assert after <= before
        assert row.fix["removes"] == len(row.fix["findings"]) and row.fix["adds"] == 0
        assert PASSWORD not in json.dumps(row.fix) and "redacted" not in json.dumps(row.fix)
    assert "-  publicly_accessible = true" in with_rule(run, "CKV_AWS_17").fix["files"][0]["diff"]
    assert with_rule(run, "CKV_AWS_16").fix["recreates"] is True
    assert with_rule(run, "CKV_AWS_17").fix["recreates"] is False


def failures(files: dict[str, str]) -> set[tuple[str, str]]:
    found = scan(files_of(**files)).checks
    return {(check.rule, check.resource) for check in found if check.outcome == "failed"}


def patched(files: dict[str, str], fix: dict[str, Any], folder: Path) -> dict[str, str]:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    patch = "".join(file["diff"] for file in fix["files"])
    subprocess.run(["git", "apply", "-"], input=patch, text=True, cwd=folder, check=True)
    return {path: (folder / path).read_text() for path in files}


def test_pages_reports_and_the_api_show_the_patch(run: AssessmentRun, client: Client) -> None:
    row = with_rule(run, "CKV_AWS_17")
    assert run.assessment.owner is not None
    client.force_login(run.assessment.owner)
    finding = next(f for f in row.findings.all() if row.fixes(f))
    board = client.get(
        reverse("recommendations", query={"status": "open", "q": row.title})
    ).content.decode()
    alone = reverse("recommendation", args=[row.pk])
    assert f'hx-get="{alone}"' in board
    for address in (alone, reverse("finding", args=[finding.pk])):
        page = client.get(address).content.decode().replace("\xa0", " ")
        assert f"Proven fix: removes {row.fix['removes']} finding" in page, address
        assert "+  publicly_accessible = false" in page, address

    assert "+  publicly_accessible = false" in written(run, "markdown").decode()
    assert "publicly_accessible = false" in written(run, "html").decode()
    assert written(run, "pdf").startswith(b"%PDF")
    fixes = [item["fix"] for item in document_of(run)["recommendations"]]
    assert any(fix and fix["files"] for fix in fixes) and None in fixes

    answer = client.get(f"/api/v1/assessments/{run.assessment_id}/recommendations").json()
    by_rule = {rule: r for r in answer["recommendations"] for rule in r["impact"]["rules"]}
    assert by_rule["CKV_AWS_17"]["fix"] == {**row.fix, "untried": ""}
    assert by_rule["CKV_AWS_18"]["fix"] is None


def test_without_time_the_steps_stand_alone_and_say_why(alice: User) -> None:
    run = assessed(uploaded(alice, {"main.tf": BUCKET}))
    assert run.task is not None
    with override_settings(FIXES_MAX_S=0.001):
        work = Work(run.task)
        facts = recommending.generate(work, run)
        assert work.effects is not None
        work.effects()
    row = with_rule(run, "CKV2_AWS_6")
    assert row.fix == {"untried": OUT_OF_TIME} and row.steps
    assert facts["fixes_proven"] == 0 and facts["fixes_untried"] > 0


def test_progress_counts_each_problem_twice_and_never_goes_back(alice: User) -> None:
    run = assessed(uploaded(alice, {"main.tf": BUCKET}))
    assert run.task is not None
    work = Watched(run.task)
    recommending.generate(work, run)
    units = 2 * run.recommendations.count() + 1  # and masking the source
    assert [total for _, total in work.seen] == [units] * len(work.seen)
    done = [current for current, _ in work.seen]
    assert done == sorted(done) and done[-1] == units


class Watched(Work):
    """An attempt that remembers what it reported."""

    def __init__(self, run: Any) -> None:
        super().__init__(run)
        self.seen: list[tuple[int, int]] = []

    def report(self, current: int, total: int, message: str = "") -> None:
        self.seen.append((current, total))
        super().report(current, total, message)


def test_no_example_speaks_of_things_that_the_reader_does_not_have(alice: User) -> None:
    run = assessed(uploaded(alice, FILES))
    shown = [f.detail["code_example"] for f in run.findings.all() if f.detail.get("code_example")]
    assert shown
    for example in shown:
        assert "example" not in example and "aws_kms_key" not in example
