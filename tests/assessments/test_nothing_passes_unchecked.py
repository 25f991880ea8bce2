"""Nothing passes unless it was checked: real scans of small uploads, and any mix of checks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as each_of
from hypothesis import settings
from hypothesis import strategies as st

from assessments.agents import AGENTS
from assessments.agents.applicability import Applicability
from assessments.agents.compliance import Verdict
from assessments.agents.types import AgentInput, AgentResult, AgentStatus
from assessments.requirements import Framework, Requirements
from assessments.scan.types import CheckResult, FileKind, Outcome, Resource
from tests.assessments.checks import check, resource
from tests.assessments.rows import scanned

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: nginx:1.27.1
"""
API_SERVER = """\
apiVersion: v1
kind: Pod
metadata: {name: kube-apiserver, namespace: kube-system}
spec:
  containers:
    - name: kube-apiserver
      image: registry.k8s.io/kube-apiserver:v1.31.0
      command: [kube-apiserver, --anonymous-auth=false, --profiling=true]
"""
DEFENDER = """\
resource "azurerm_security_center_subscription_pricing" "servers" {
  resource_type = "VirtualMachines"
  tier          = "%s"
}
"""
POLICY_AND_BUCKET = """\
resource "aws_iam_policy" "all" {
  name   = "all"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }]
  })
}

resource "aws_s3_bucket" "logs" {
  bucket = "logs"
}

resource "aws_s3_bucket_public_access_block" "logs" {
  bucket                  = aws_s3_bucket.logs.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
"""


def answer(agent: str, files: dict[str, str], *frameworks: Framework) -> AgentResult:
    scan = scanned(tuple(files.items()))
    data = AgentInput(
        checks=scan.checks,
        resources=scan.resources,
        coverage=scan.coverage,
        requirements=Requirements(frameworks=list(frameworks)),
    )
    return AGENTS[agent].run(data, lambda done, total, message: None)


def requirements(result: AgentResult, key: str) -> dict[str, list[Any]]:
    return {str(row[0]): row for each in result.tables if each.key == key for row in each.rows}


def passed(rows: dict[str, list[Any]]) -> list[str]:
    return [number for number, row in rows.items() if row[2] == Verdict.PASS]


def of_control_plane(rows: dict[str, list[Any]]) -> list[str]:
    words = ("--", "kubelet", "etcd", "apiserver", "api server", "scheduler", "controller manager")
    return [n for n in passed(rows) if any(word in str(rows[n][1]).lower() for word in words)]


# A requirement passes only if something looked


def test_an_application_passes_no_requirement_of_the_control_plane() -> None:
    rows = requirements(
        answer("compliance", {"web.yaml": DEPLOYMENT}, Framework.CIS), "compliance_cis_kubernetes"
    )
    assert rows and of_control_plane(rows) == []


def test_an_api_server_in_a_manifest_is_checked_for_its_own_flags() -> None:
    rows = requirements(
        answer("compliance", {"api.yaml": API_SERVER}, Framework.CIS), "compliance_cis_kubernetes"
    )
    assert of_control_plane(rows)
    assert any(row[2] == Verdict.FAIL and "profiling" in str(row[1]) for row in rows.values())


@pytest.mark.parametrize(("tier", "expected"), [("Free", Verdict.FAIL), ("Standard", Verdict.PASS)])
def test_defender_for_servers_answers_for_servers_alone(tier: str, expected: Verdict) -> None:
    rows = requirements(
        answer("compliance", {"main.tf": DEFENDER % tier}, Framework.CIS), "compliance_cis_azure"
    )
    told = {n: row for n, row in rows.items() if "defender for" in str(row[1]).lower()}
    assert {row[2] for row in told.values() if "servers" in str(row[1]).lower()} >= {expected}
    others = [n for n, row in told.items() if "servers" not in str(row[1]).lower()]
    assert others and not set(passed(rows)).intersection(others)


def test_a_bucket_does_not_pass_access_control_for_a_policy_that_allows_everything() -> None:
    result = answer("compliance", {"main.tf": POLICY_AND_BUCKET}, Framework.SOC2)
    row = requirements(result, "compliance_soc2_aws")["CC6.1"]
    assert row[2] == "partly covered, 1 of 2"
    assert row[7:9] == [1, 2]


# Scores


def test_rules_of_the_control_plane_do_not_lift_the_score_of_an_application() -> None:
    result = answer("security", {"web.yaml": DEPLOYMENT})
    counts = {each.key: each.value for each in result.figures}
    assert isinstance(counts["checks_passed"], int) and counts["checks_passed"] < 30
    assert result.score is not None and result.score < 70


def test_a_file_without_a_secret_is_no_pass() -> None:
    quiet = {f"envs/{n}/terraform.tfvars": 'region = "eu-west-1"\n' for n in range(9)}
    one = answer("security", {"web.yaml": DEPLOYMENT})
    many = answer("security", {"web.yaml": DEPLOYMENT, **quiet})
    assert many.score == one.score
    assert many.score_formula == one.score_formula


_RULES = (
    "CKV_AWS_17 CKV_AWS_16 CKV_AWS_24 CKV_AWS_118 CKV_AWS_23 CKV_K8S_68 CKV_K8S_16 CKV_K8S_34"
    " CKV_AZURE_55 CKV_AZURE_61 CKV_SECRET_6 CL-0001 DL3006"
)
RULES = _RULES.split()
ADDRESSES = ("aws_db_instance.a", "Pod/default/a", "azurerm_security_center_subscription_pricing.a")
RESOURCES: list[Resource] = [
    resource("aws_db_instance.a"),
    resource("Pod.a", provider="kubernetes", spec={"containers": [{"command": ["nginx"]}]}).replace(
        address="Pod/default/a"
    ),
    resource(
        "azurerm_security_center_subscription_pricing.a",
        provider="azure",
        resource_type="VirtualMachines",
    ),
]


def engine(rule: str) -> str:
    return {"CL": "compose-lint", "DL": "hadolint"}.get(rule[:2], "checkov")


CHECKS = st.lists(
    st.builds(
        lambda rule, address, outcome, file: check(
            rule, outcome, resource=address, engine=engine(rule), file=file
        ),
        st.sampled_from(RULES),
        st.sampled_from(ADDRESSES),
        st.sampled_from(Outcome),
        st.sampled_from(["a.tf", "b.tf"]),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda each: (each.rule, each.resource, each.file),
)


def assessed(agent: str, checks: list[CheckResult], resources: list[Resource]) -> AgentResult:
    wanted = Requirements(frameworks=[Framework.CIS, Framework.SOC2, Framework.PCI_DSS])
    data = AgentInput(checks=checks, resources=resources, requirements=wanted)
    return AGENTS[agent].run(data, lambda done, total, message: None)


@settings(max_examples=60, deadline=None)
@each_of(CHECKS, st.integers(0, 11), st.booleans())
def test_fixing_one_finding_never_lowers_a_score(
    checks: list[CheckResult], place: int, told: bool
) -> None:
    """Fixed: the engine reports a pass, or, as linters do, nothing anymore."""
    failed = [each for each in checks if each.outcome is Outcome.FAILED]
    if not failed:
        return
    one = failed[place % len(failed)]
    rest = [each for each in checks if each is not one]
    fixed = [*rest, one.replace(outcome=Outcome.PASSED, evidence=[])] if told else rest
    for agent in ("security", "operations", "compliance"):
        before, after = (assessed(agent, each, RESOURCES).score for each in (checks, fixed))
        assert before is None or after is None or after >= before, agent


@settings(max_examples=40, deadline=None)
@each_of(CHECKS)
def test_removing_a_file_never_turns_not_assessable_into_a_pass(checks: list[CheckResult]) -> None:
    fewer = [each for each in checks if each.file != "b.tf"]
    before, after = (assessed("compliance", each, RESOURCES) for each in (checks, fewer))
    for table in before.tables[1:]:
        left = requirements(after, table.key)
        for row in table.rows:
            if row[2] == Verdict.NOT_ASSESSABLE and row[0] in left:
                assert left[str(row[0])][2] == Verdict.NOT_ASSESSABLE


@pytest.mark.parametrize(
    ("kind", "asked", "not_asked"),
    [
        ("AWS::S3::Bucket", "CKV_AWS_144", "CKV_AWS_16"),
        ("AWS::EC2::VPC", "CKV2_AWS_11", "CKV_AWS_130"),
        ("Microsoft.Storage/storageAccounts", "CKV_AZURE_206", "CKV_AZURE_170"),
        ("Deployment", "CKV_K8S_16", "CKV_AWS_144"),
    ],
)
def test_a_rule_for_terraform_asks_the_same_of_other_languages(
    kind: str, asked: str, not_asked: str
) -> None:
    declared = Applicability([resource("x").replace(type=kind)], [])
    assert declared.applies(asked)
    assert not declared.applies(not_asked)


@pytest.mark.parametrize("agent", ["cost", "reliability"])
def test_what_azure_templates_declare_is_not_called_absent(agent: str) -> None:
    cluster = resource("x").replace(
        type="Microsoft.ContainerService/managedClusters", origin=FileKind.BICEP
    )
    told = assessed(agent, [], [cluster])
    assert told.status is AgentStatus.NOT_ASSESSED
    assert "ARM templates and Bicep files" in told.reason
    assert "No billable resource" not in told.reason
