"""Suppressions in an upload are counted and shown; its settings files for the engines are not
followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from assessments.scan.merge import ScanResult
from assessments.scan.types import CoverageStatus, Outcome
from tasks_ui.models import State, TaskRun
from tests.assessments.rows import assessed, document_of, uploaded
from tests.assessments.scanning import coverage_of, files_of, scan

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

DOCKERFILE = """FROM ubuntu:24.04
# hadolint ignore=DL3004,DL3008
RUN sudo apt-get install curl
RUN cd /srv
"""
GLOBAL = "# hadolint global ignore=DL3004\nFROM ubuntu:24.04\nRUN sudo true\n"
TEMPLATE = """AWSTemplateFormatVersion: "2010-09-09"
{metadata}Parameters:
  Unused:
    Type: String
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      NoSuchProperty: 1
{of_resource}"""
EVERYWHERE = "Metadata: {cfn-lint: {config: {ignore_checks: [W2, E3002]}}}\n"
OF_QUEUE = "    Metadata: {cfn-lint: {config: {ignore_checks: [E3002]}}}\n"
COMPOSE = "services:\n  web:\n    image: nginx:1.27\n    privileged: true\n"
PLAIN = TEMPLATE.format(metadata="", of_resource="")


def outcomes(result: ScanResult, engine: str) -> dict[str, Outcome]:
    return {check.rule: check.outcome for check in result.checks if check.engine == engine}


def cfn_lint_of(template: str) -> dict[str, Outcome]:
    return outcomes(scan(files_of(**{"stack.yaml": template}), engines=["cfn-lint"]), "cfn-lint")


def test_hadolints_comments_suppress_and_are_counted() -> None:
    result = scan(
        files_of(Dockerfile=DOCKERFILE, **{"all/Dockerfile": GLOBAL}), engines=["hadolint"]
    )
    found = {(check.file, check.rule): check.outcome for check in result.checks}
    assert found["Dockerfile", "DL3004"] == Outcome.SUPPRESSED
    assert found["Dockerfile", "DL3003"] == Outcome.FAILED
    assert found["all/Dockerfile", "DL3004"] == Outcome.SUPPRESSED
    (check,) = [
        each for each in result.checks if (each.file, each.rule) == ("Dockerfile", "DL3004")
    ]
    assert check.suppression == "a hadolint comment in the file"


@pytest.mark.parametrize(
    ("metadata", "of_resource", "unused"),
    [(EVERYWHERE, "", Outcome.SUPPRESSED), ("", OF_QUEUE, Outcome.FAILED)],
)
def test_cfn_lints_metadata_suppresses_and_is_counted(
    metadata: str, of_resource: str, unused: Outcome
) -> None:
    plain = cfn_lint_of(PLAIN)
    assert plain == {"W2001": Outcome.FAILED, "E3002": Outcome.FAILED}
    found = cfn_lint_of(TEMPLATE.format(metadata=metadata, of_resource=of_resource))
    assert found == {"W2001": unused, "E3002": Outcome.SUPPRESSED}


@pytest.mark.parametrize(
    "metadata",
    [
        "Metadata: text\n",
        "Metadata: {cfn-lint: [1]}\n",
        "Metadata: {cfn-lint: {config: {ignore_checks: {a: 1}}}}\n",
        "Metadata: {cfn-lint: {config: {ignore_checks: [1, [2], '']}}}\n",
        "Metadata: {cfn-lint: {config: {append_rules: [.], custom_rules: rules.txt}}}\n",
        "Metadata: {cfn-lint: {config: {override_spec: spec.json, regions: [nowhere]}}}\n",
    ],
)
def test_metadata_changes_nothing_else(metadata: str) -> None:
    found = cfn_lint_of(TEMPLATE.format(metadata=metadata, of_resource=""))
    assert found["E3002"] == found["W2001"] == Outcome.FAILED


SETTINGS = {
    ".checkov.yaml": "skip-check:\n  - CKV_DOCKER_2\n  - CKV_AWS_27\n",
    ".checkov.yml": "compact: true\nskip-check: [CKV_DOCKER_2]\n",
    ".hadolint.yaml": "ignored:\n  - DL3004\n",
    ".cfnlintrc": "ignore_checks:\n  - E\n  - W\n",
    ".cfnlintrc.yaml": "ignore_checks: [E, W]\nResources: {A: {Type: 'AWS::SNS::Topic'}}\n",
    ".compose-lint.yml": "services: {a: {image: a}}\nrules:\n  CL-0002: {enabled: false}\n",
    "setup.cfg": "[cfn-lint]\nignore_checks = E\n[checkov]\nskip-check = CKV_DOCKER_2\n",
}


def test_settings_for_engines_in_an_upload_are_not_followed() -> None:
    files = {
        "Dockerfile": "FROM ubuntu:24.04\nRUN sudo true\n",
        "stack.yaml": PLAIN,
        "compose.yaml": COMPOSE,
    }
    without = scan(files_of(**files))
    given = scan(files_of(**files, **SETTINGS))

    def of_code(result: ScanResult) -> set[tuple[str, str, str, Outcome]]:
        return {(c.engine, c.rule, c.file, c.outcome) for c in result.checks if c.file in files}

    assert of_code(given) == of_code(without)
    assert {c.engine for c in without.checks} >= {"hadolint", "cfn-lint", "compose-lint", "checkov"}
    for path in (".cfnlintrc.yaml", ".compose-lint.yml"):
        gap = coverage_of(given, path)
        assert gap.status == CoverageStatus.NOT_ASSESSED
        assert "not followed" in gap.reason


def test_the_run_page_and_reports_count_what_is_suppressed(alice: User, client: Client) -> None:
    run = assessed(uploaded(alice, {"Dockerfile": DOCKERFILE}), scan_again=True)
    count = run.summary["checks"]["suppressed"]
    assert count
    TaskRun.objects.filter(assessment_run=run).update(state=State.SUCCESS)
    client.force_login(alice)
    page = client.get(f"/assessments/{run.assessment_id}/runs/{run.number}/").content.decode()
    assert f"{count} suppressed in the files" in " ".join(page.split())
    figures = {each["key"]: each["value"] for each in document_of(run)["summary"]["figures"]}
    assert figures["checks_suppressed"] == count
