"""All seven agents on real scans: an irrelevant change changes nothing, and a fix fixes only what
it should."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from assessments.agents import AGENTS
from assessments.agents.types import AgentInput, AgentResult
from assessments.requirements import Framework, Requirements
from assessments.scan.types import CoverageStatus
from tests.assessments.rows import sample_files, sample_requirements, scanned
from tests.assessments.scanning import coverage_of

STATED = Requirements(
    regions=["us-east-1"],
    frameworks=[Framework.PCI_DSS, Framework.CIS],
    uptime_target_percent=99.9,
    rps_now=50,
    rps_peak=200,
    service_time_ms=40,
    replicas=2,
    egress_gb_month=500,
)
TERRAFORM = """\
provider "aws" {
  region = "us-east-1"
}

resource "aws_db_instance" "orders" {
  identifier          = "orders"
  engine              = "postgres"
  instance_class      = "db.m5.large"
  allocated_storage   = 100
  storage_type        = "gp2"
  publicly_accessible = true
  multi_az            = false
}

resource "aws_instance" "api" {
  ami           = "ami-0a1b2c3d4e5f60718"
  instance_type = "m5.large"
}
"""
PLAN = {
    "format_version": "1.2",
    "terraform_version": "1.9.0",
    "planned_values": {
        "root_module": {
            "resources": [
                {
                    "address": f"{kind}.{name}",
                    "mode": "managed",
                    "type": kind,
                    "name": name,
                    "provider_name": "registry.terraform.io/hashicorp/aws",
                    "values": values,
                    "sensitive_values": {},
                }
                for kind, name, values in (
                    (
                        "aws_db_instance",
                        "orders",
                        {
                            "identifier": "orders",
                            "engine": "postgres",
                            "instance_class": "db.m5.large",
                            "allocated_storage": 100,
                            "storage_type": "gp2",
                            "publicly_accessible": True,
                            "multi_az": False,
                        },
                    ),
                    (
                        "aws_instance",
                        "api",
                        {"ami": "ami-0a1b2c3d4e5f60718", "instance_type": "m5.large"},
                    ),
                )
            ]
        }
    },
    "configuration": {
        "provider_config": {
            "aws": {"name": "aws", "expressions": {"region": {"constant_value": "us-east-1"}}}
        }
    },
}
CLOUDFORMATION = """\
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Orders:
    Type: AWS::RDS::DBInstance
    Properties:
      DBInstanceIdentifier: orders
      Engine: postgres
      DBInstanceClass: db.m5.large
      AllocatedStorage: "100"
      StorageType: gp2
      PubliclyAccessible: true
      MultiAZ: false
  Api:
    Type: AWS::EC2::Instance
    Properties:
      ImageId: ami-0a1b2c3d4e5f60718
      InstanceType: m5.large
"""


def plan() -> str:
    resources = PLAN["planned_values"]["root_module"]["resources"]  # type: ignore[index]
    changes = [
        {
            **{key: r[key] for key in ("address", "mode", "type", "name", "provider_name")},
            "change": {"actions": ["create"], "before": None, "after": r["values"]},
        }
        for r in resources
    ]
    return json.dumps({**PLAN, "resource_changes": changes})


def answers(files: dict[str, str], *, stated: Requirements = STATED) -> dict[str, AgentResult]:
    return dict(_answers(tuple(files.items()), stated.model_dump_json()))


@cache
def _answers(
    files: tuple[tuple[str, str], ...], stated: str
) -> tuple[tuple[str, AgentResult], ...]:
    result = scanned(files)
    data = AgentInput(
        checks=result.checks,
        resources=result.resources,
        coverage=result.coverage,
        requirements=Requirements.model_validate_json(stated),
    )
    return tuple(
        (name, agent.run(data, lambda done, total, message: None)) for name, agent in AGENTS.items()
    )


def figures(result: AgentResult) -> dict[str, Any]:
    return {figure.key: figure.value for figure in result.figures}


def told(result: AgentResult) -> dict[str, Any]:
    """Everything in an answer except the lines of code that it quotes."""
    shown = [finding.replace(evidence=[]) for finding in result.findings]
    return result.replace(findings=shown).to_builtins()


def keys(result: AgentResult) -> set[str]:
    return {finding.fingerprint_key for finding in result.findings}


# Each kind of input


@pytest.mark.parametrize(
    ("path", "text"),
    [("main.tf", TERRAFORM), ("plan.json", plan()), ("stack.yaml", CLOUDFORMATION)],
    ids=["Terraform", "plan", "CloudFormation"],
)
def test_one_infrastructure_is_read_alike_from_each_kind_of_file(path: str, text: str) -> None:
    result = answers({path: text})
    assert {name for name, answer in result.items() if answer.status == "assessed"} == set(AGENTS)
    assert any(f.title == "Database is publicly accessible" for f in result["security"].findings)
    assert (
        figures(result["cost"])["monthly_cost"]
        == figures(answers({"main.tf": TERRAFORM})["cost"])["monthly_cost"]
    )
    assert all(
        finding.file in {path, ""} for answer in result.values() for finding in answer.findings
    )
    assert coverage_of(scanned(((path, text),)), path).status is CoverageStatus.READ


def test_coverage_names_each_file_as_read_partly_read_failed_or_not_assessed() -> None:
    files = {
        "good.tf": TERRAFORM,
        "network/main.tf": (
            'module "vpc" {\n  source  = "terraform-aws-modules/vpc/aws"\n  version = "5.0.0"\n}\n'
        ),
        "broken/main.tf": 'resource "aws_s3_bucket" "a" {\n  bucket = "a"\n  tags = {\n',
        "notes.txt": "nothing to assess\n",
    }
    covered = {row.path: row for row in scanned(tuple(files.items())).coverage}
    assert {path: row.status for path, row in covered.items()} == {
        "good.tf": CoverageStatus.READ,
        "network/main.tf": CoverageStatus.PARTLY_READ,
        "broken/main.tf": CoverageStatus.FAILED,
        "notes.txt": CoverageStatus.NOT_ASSESSED,
    }
    assert covered["broken/main.tf"].line
    assert (
        "terraform-aws-modules/vpc/aws" in covered["network/main.tf"].reason
        and covered["network/main.tf"].line == 2
    )
    assert all(row.reason for row in covered.values() if row.status is not CoverageStatus.READ)


# Irrelevant changes


def test_the_order_of_the_files_changes_nothing() -> None:
    files = sample_files()
    turned = dict(reversed(files.items()))
    assert answers(turned, stated=sample_requirements()) == answers(
        files, stated=sample_requirements()
    )


def test_another_name_of_the_folder_changes_nothing_but_the_paths() -> None:
    files = sample_files()
    moved = {f"elsewhere/{path}": text for path, text in files.items()}
    before, after = (answers(each, stated=sample_requirements()) for each in (files, moved))
    for name in AGENTS:
        assert after[name].score == before[name].score
        assert figures(after[name]) == figures(before[name])
        assert keys(after[name]) == keys(before[name])
        assert sorted(
            (f.title, f.severity, f"elsewhere/{f.file}" if f.file else "")
            for f in before[name].findings
        ) == (sorted((f.title, f.severity, f.file) for f in after[name].findings))


def test_a_comment_moves_lines_and_nothing_else() -> None:
    files = sample_files()
    mark = ("# " + "a comment\n# ").rstrip("# ")
    noted = {
        p: f"{mark}{text}" if p.endswith((".tf", ".yaml", "Dockerfile")) else text
        for p, text in files.items()
    }
    before, after = (answers(each, stated=sample_requirements()) for each in (files, noted))
    for name in AGENTS:
        assert after[name].score == before[name].score
        assert figures(after[name]) == figures(before[name])
        assert keys(after[name]) == keys(before[name])
    moved = {
        f.fingerprint_key: f.line_start
        for f in before["security"].findings
        if f.file.endswith("web.tf")
    }
    assert moved
    for finding in after["security"].findings:
        if finding.fingerprint_key in moved:
            assert finding.line_start == moved[finding.fingerprint_key] + 1


# Fixes


def test_mending_one_finding_moves_only_its_own_numbers() -> None:
    fixed = TERRAFORM.replace("publicly_accessible = true", "publicly_accessible = false")
    before, after = answers({"main.tf": TERRAFORM}), answers({"main.tf": fixed})
    gone = keys(before["security"]) - keys(after["security"])
    assert [key.split("|")[0] for key in gone] == ["CKV_AWS_17"]
    assert keys(after["security"]) < keys(before["security"])
    assert (
        figures(after["security"])["checks_failed"]
        == figures(before["security"])["checks_failed"] - 1
    )
    assert (
        figures(after["security"])["checks_passed"]
        == figures(before["security"])["checks_passed"] + 1
    )
    assert (after["security"].score or 0) > (before["security"].score or 0)
    for name in ("cost", "reliability", "capacity", "operations", "sustainability"):
        assert told(after[name]) == told(before[name]), name
    changed = {
        f.fingerprint_key: f.actual
        for f in before["compliance"].findings
        if "CKV_AWS_17" in f.actual
    }
    assert keys(before["compliance"]) - keys(after["compliance"]) <= changed.keys()


def test_a_cheaper_class_lowers_the_cost_and_nothing_of_security() -> None:
    smaller = TERRAFORM.replace("db.m5.large", "db.t3.medium")
    before, after = answers({"main.tf": TERRAFORM}), answers({"main.tf": smaller})
    assert figures(after["cost"])["monthly_cost"] < figures(before["cost"])["monthly_cost"]
    assert after["security"].score == before["security"].score
    assert keys(after["security"]) == keys(before["security"])


def test_doubling_the_replicas_lowers_the_p95_wait_and_nothing_else() -> None:
    manifest = (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: api\n  labels: {app:"
        " api}\nspec:\n  replicas: 9\n  selector:\n    matchLabels: {app: api}\n  template:\n   "
        " metadata:\n      labels: {app: api}\n    spec:\n      containers:\n        - name: api\n "
        "         image: registry.example.com/api:1.4.2\n"
    )
    before, after = (
        answers({"api.yaml": manifest}),
        answers({"api.yaml": manifest.replace("replicas: 9", "replicas: 18")}),
    )
    waits = [figures(each["capacity"])["wait_p95_peak"] for each in (before, after)]
    assert waits[1] < waits[0]
    for name in ("security", "compliance", "operations"):
        assert told(after[name]) == told(before[name]), name
