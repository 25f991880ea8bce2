"""Evidence is one line of the file: its number, its text, and a few lines around it, everywhere."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from assessments.models import AssessmentRun, Finding, Report
from assessments.scan.types import Outcome
from tests.assessments.rows import assessed, uploaded, written
from tests.assessments.scanning import files_of, scan

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PADDING = "".join(f"  # line {n}\n" for n in range(60))
DATABASE = f"""\
resource "aws_db_instance" "orders" {{
  engine              = "mysql"
  instance_class      = "db.t3.micro"
{PADDING}  password            = "correct-horse-7-battery"
  publicly_accessible = true
  backup_retention_period = 0
}}
resource "aws_instance" "web" {{
  ami           = "ami-1"
  instance_type = "m4.large"
}}
"""
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cart
  namespace: shop
spec:
  replicas: 1
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec:
      containers:
      - name: cart
        image: cart:1.0
        securityContext:
          privileged: true
"""
FILES = {"main.tf": DATABASE, "k8s/cart.yaml": MANIFEST}
PUBLIC = {"file": "main.tf", "line": 65, "text": "publicly_accessible = true"}


@pytest.fixture
def run(db: None, alice: User) -> AssessmentRun:
    return assessed(uploaded(alice, FILES))


def one(run: AssessmentRun, rule: str) -> Finding:
    return run.findings.filter(rule=rule).order_by("line_start")[0]


def test_the_line_is_found_however_long_the_block_is(run: AssessmentRun) -> None:
    finding = one(run, "CKV_AWS_17")
    assert finding.evidence == PUBLIC
    assert (finding.line_start, finding.line_end) == (65, 65)
    numbers = [line["number"] for line in finding.detail["evidence"]]
    assert 65 in numbers and 3 <= len(numbers) <= 7


def test_what_is_missing_is_named_at_its_block(run: AssessmentRun) -> None:
    assert one(run, "CKV_AWS_16").evidence == {
        "file": "main.tf",
        "line": 1,
        "text": "storage_encrypted is not set",
    }
    tokens = one(run, "CKV_AWS_79").evidence
    assert tokens and tokens["text"] == "metadata_options.http_tokens is not set"
    assert tokens["line"] == 68


@pytest.mark.parametrize(
    ("rule", "file", "line", "text"),
    [
        ("im-rel-database-backups", "main.tf", 66, "backup_retention_period = 0"),
        ("im-rel-database-zones", "main.tf", 1, "multi_az is not set"),
        ("im-cost-generation", "main.tf", 70, 'instance_type = "m4.large"'),
        ("im-ops-tags", "main.tf", 1, "tags is not set"),
        ("im-rel-replicas", "k8s/cart.yaml", 7, "replicas: 1"),
        ("CKV_K8S_16", "k8s/cart.yaml", 16, "privileged: true"),
        ("im-rel-liveness-probe", "k8s/cart.yaml", 1, "livenessProbe is not set"),
    ],
)
def test_every_agent_shows_its_line(
    run: AssessmentRun, rule: str, file: str, line: int, text: str
) -> None:
    assert one(run, rule).evidence == {"file": file, "line": line, "text": text}


def test_no_evidence_holds_a_secret(run: AssessmentRun) -> None:
    stored = json.dumps([f.detail for f in run.findings.all()])
    assert "backup_retention_period = 0" in stored
    assert "correct-horse" not in stored


def test_the_page_marks_the_line_and_no_other(
    run: AssessmentRun, alice: User, client: Client
) -> None:
    client.force_login(alice)
    page = client.get(reverse("finding", args=[one(run, "CKV_AWS_17").pk])).content.decode()
    assert page.count('class="hit"') == 1
    marked = page.split('class="hit"')[1].split("</li>")[0]
    assert re.sub(r"<[^>]+>", "", marked).endswith("publicly_accessible = true")
    assert "main.tf:65" in page


def test_the_api_has_file_line_and_text(run: AssessmentRun, alice: User, client: Client) -> None:
    client.force_login(alice)
    answer = client.get(f"/api/v1/assessments/{run.assessment_id}/findings?agent=security").json()
    shown = {row["rule"]: row["evidence"] for row in answer["findings"]}
    assert shown["CKV_AWS_17"] == PUBLIC


@pytest.mark.parametrize("format", [Report.Format.MARKDOWN, Report.Format.HTML])
def test_a_report_to_read_has_the_line_and_its_text(run: AssessmentRun, format: str) -> None:
    text = written(run, format).decode()
    assert "main.tf:65" in text
    marked = [line for line in text.splitlines() if "publicly_accessible = true" in line]
    assert any(re.match(r"\s*(>|&gt;) +65 ", line) for line in marked), marked


def test_sarif_points_at_the_line_with_its_text(run: AssessmentRun) -> None:
    results = json.loads(written(run, Report.Format.SARIF))["runs"][0]["results"]
    (found,) = [each for each in results if each["ruleId"] == "security/CKV_AWS_17"]
    assert found["locations"][0]["physicalLocation"]["region"] == {
        "startLine": 65,
        "endLine": 65,
        "snippet": {"text": "  publicly_accessible = true"},
    }


def test_a_passed_check_keeps_no_lines() -> None:
    result = scan(files_of(**FILES))
    assert not any(check.evidence for check in result.checks if check.outcome == Outcome.PASSED)


def test_what_a_dockerfile_lacks_is_shown_at_its_last_stage() -> None:
    text = "# a license\nFROM golang:1.25 AS build\nRUN make\n\nFROM scratch\nCOPY a b\n"
    result = scan(files_of(Dockerfile=text), engines=["checkov"])
    shown = {each.rule: (each.focus, each.missing) for each in result.checks if each.focus}
    assert shown["CKV_DOCKER_2"] == (5, "HEALTHCHECK")
    assert shown["CKV_DOCKER_3"] == (5, "USER")


BICEP = """\
resource site 'Microsoft.Web/sites@2022-03-01' = {
  name: 'shop'
  properties: {
    publicNetworkAccess: 'Enabled'
  }
  resource logs 'config' = {
    name: 'logs'
    properties: { detailedErrorMessages: { enabled: true } }
  }
}
"""


def test_azures_own_name_of_an_attribute_is_shown() -> None:
    result = scan(files_of(**{"main.bicep": BICEP}), engines=["checkov"])
    failed = [check for check in result.checks if check.outcome is Outcome.FAILED]
    (public,) = [check for check in failed if check.rule == "CKV_AZURE_222"]
    assert (public.focus, public.missing) == (4, "")
    assert not [check for check in failed if "_" in check.missing]


def test_a_web_apps_log_settings_are_not_its_site_settings() -> None:
    result = scan(files_of(**{"main.bicep": BICEP}), engines=["checkov"])
    assert not [check for check in result.checks if "config" in check.resource]


ROLE = """\
Resources:
  Deploy:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: ec2.amazonaws.com}
            Action: sts:AssumeRole
      Policies:
        - PolicyName: all
          PolicyDocument:
            Statement:
              # everything, for now
              - Effect: Allow
                Action: "*"
                Resource: "*"
"""


def test_a_policys_action_is_not_shown_in_the_roles_trust() -> None:
    result = scan(files_of(**{"role.yaml": ROLE}), engines=["checkov"])
    (every,) = [check for check in result.checks if check.rule == "CKV_AWS_63"]
    assert every.focus == 16
