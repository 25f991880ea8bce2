"""A check whose deciding value is not in the upload is neither passed nor failed."""

from __future__ import annotations

from typing import Any

import pytest

from assessments.agents import compliance, security
from assessments.agents.check_findings import finding_of
from assessments.agents.compliance import Verdict
from assessments.agents.problems import UNKNOWN_VALUES, problem_key, problems_of
from assessments.agents.severity import SeverityTable
from assessments.agents.types import Severity
from assessments.fixes.rescan import Scanned
from assessments.scan.scanner.open_values import open_value
from assessments.scan.types import CheckResult, CodeLine, Outcome
from tests.assessments.checks import check, given, passed, silent
from tests.assessments.scanning import files_of, scan

PUBLIC = "CKV_AWS_17"


def undecided(rule: str = PUBLIC, *, resource: str = "aws_db_instance.orders") -> CheckResult:
    return check(rule, Outcome.UNDECIDED, resource=resource).replace(
        open="each.value.public",
        evidence=[CodeLine(number=10, text="publicly_accessible = each.value.public")],
    )


@pytest.mark.parametrize(
    ("value", "expression"),
    [
        ("var.public", "var.public"),
        ("${each.value.net.public}", "each.value.net.public"),
        ("module.my-net.public", "module.my-net.public"),
        ('lookup(each.value, "public", null)', "each.value"),
        ("try(local.nets[each.key].public, true)", "local.nets[each.key].public"),
        ('var.stage == "prod" ? false : true', "var.stage"),
        ("!var.private", "var.private"),
        (["var.ranges"], "var.ranges"),
        ("azurerm_subnet.a.id", "azurerm_subnet.a.id"),
        (True, ""),
        ("Enabled", ""),
        (None, ""),
        # What is known of a text or a list may be what failed.
        (["0.0.0.0/0", "var.range"], ""),
        ("${var.repository}:latest", ""),
        ("var.repository:latest", ""),
        ("arn:aws:s3:::${var.bucket}/*", ""),
        ('jsonencode({ Principal = "*", Resource = var.bucket })', ""),
        ("my_file.tar.gz", ""),
        ("#!/bin/sh echo var.x > file", ""),
    ],
)
def test_a_value_of_terraform_is_open_if_it_is_all_expression(value: Any, expression: str) -> None:
    found = open_value({"public": [value]}, ["public"], framework="terraform")
    assert found == expression


def test_an_absent_attribute_and_a_known_one_beside_an_open_one_are_failures() -> None:
    def decided(configuration: dict[str, Any], *keys: str) -> str:
        return open_value(configuration, keys, framework="terraform")

    assert decided({"other": ["var.x"]}, "public") == ""
    assert decided({"public": ["var.x"], "cidr": [True]}, "public", "cidr") == ""
    assert decided({"public": ["var.x"]}, "public", "cidr") == "var.x"
    # What only selects the kind of thing is no cause.
    assert decided({"engine": ["var.engine"]}, "engine", "encrypted") == ""
    assert decided({"name": ["each.value.name"]}, "name") == "each.value.name"
    assert decided({"engine": ["mysql"], "public": ["var.x"]}, "engine", "public") == "var.x"
    inner = {"net": [{"public": ["var.x"]}]}
    assert decided(inner, "net", "net/[0]/public") == "var.x"
    # A block that is an expression leaves open what is in it.
    assert decided({"net": ["var.net"]}, "net/[0]/public") == "var.net"
    assert decided({"net": [{"public": ["var.x"]}]}, "net/[0]/public") == "var.x"
    assert decided({"net": [{"public": [True]}, {"public": ["var.x"]}]}, "net/[0]/public") == ""


@pytest.mark.parametrize(
    ("value", "expression"),
    [
        ({"Ref": "Public", "__startline__": 3}, "Ref Public"),
        ({"Ref": "AWS::NoValue"}, ""),
        ({"Fn::If": ["IsProduction", True, {"Ref": "X"}]}, ""),
        ({"Fn::GetAtt": ["Key", "Arn"]}, "Fn::GetAtt Key.Arn"),
        ({"Fn::Sub": "${Stage}-latest"}, ""),
        ({"Fn::Join": ["", ["*", {"Ref": "X"}]]}, ""),
        ({"Key": "Value"}, ""),
        (True, ""),
    ],
)
def test_a_value_of_cloudformation_is_open_if_a_function_stays(value: Any, expression: str) -> None:
    configuration = {"Type": "AWS::RDS::DBInstance", "Properties": {"PubliclyAccessible": value}}
    keys = ["Properties/PubliclyAccessible"]
    assert open_value(configuration, keys, framework="cloudformation") == expression


@pytest.mark.parametrize(
    ("value", "expression"),
    [
        ("[parameters('public')]", "parameters('public')"),
        ("[if(parameters('open'), 'Enabled', 'Disabled')]", "if()"),
        ("[concat('Enabled', parameters('x'))]", ""),
        ("[[parameters('text')]", ""),
        ("Enabled", ""),
    ],
)
def test_a_value_of_an_arm_template_is_open_if_an_expression_stays(
    value: str, expression: str
) -> None:
    found = open_value({"properties": {"public": value}}, ["properties/public"], framework="arm")
    assert found == expression


def test_a_deeply_nested_value_is_read_within_bounds() -> None:
    deep: Any = "var.x"
    for _ in range(5000):
        deep = [deep]
    assert open_value({"a": deep}, ["a"], framework="terraform") == ""


def test_a_finding_that_cannot_be_determined_claims_nothing() -> None:
    each = undecided()
    finding = finding_of(each, *SeverityTable([each]).of(each))
    assert finding.title == "Can't be determined: Database is publicly accessible"
    assert finding.severity == Severity.INFO
    assert "each.value.public" in finding.actual and "can't be worked out" in finding.actual
    assert finding.remediation.startswith("Add the value")
    failed = check(PUBLIC)
    assert (
        finding.fingerprint_key
        == finding_of(failed, *SeverityTable([failed]).of(failed)).fingerprint_key
    )


def test_undecided_checks_are_counted_and_leave_the_score_as_it_is() -> None:
    known = [passed("CKV_AWS_16"), check("CKV_AWS_24", resource="aws_security_group.web", line=30)]
    before = security.run(given(*known), silent)
    after = security.run(given(*known, undecided()), silent)
    assert after.score == before.score is not None
    figures = {each.key: each.value for each in after.figures}
    assert (figures["checks_failed"], figures["checks_undecided"]) == (1, 1)
    assert after.summary == "1 of 2 security checks failed; 1 can't be determined."
    alone = security.run(given(undecided()), silent)
    assert (alone.score, alone.summary) == (None, "1 security check can't be determined.")


def test_a_requirement_neither_fails_nor_passes_by_an_undecided_check() -> None:
    def verdict(*checks: CheckResult) -> str:
        result = compliance.run(given(*checks), silent)
        (table,) = (each for each in result.tables if each.key == "compliance_cis_aws")
        return next(str(row[2]) for row in table.rows if row[0] == "3.2.3")

    other = "aws_db_instance.b"
    assert verdict(undecided()) == Verdict.NOT_ASSESSABLE
    assert verdict(undecided(), passed(PUBLIC, resource=other)) == Verdict.NOT_ASSESSABLE
    assert verdict(undecided(), check(PUBLIC, resource=other)) == Verdict.FAIL


def test_an_undecided_check_is_nothing_that_a_fix_has_to_remove() -> None:
    assert not Scanned.of([undecided()], []).failed


def test_missing_values_are_one_problem_and_leave_the_rules_problem_unsolved() -> None:
    title = "Can't be determined: Database is publicly accessible"
    assert problem_key(PUBLIC, title=title) == UNKNOWN_VALUES
    assert problem_key(PUBLIC, title="") in problems_of(PUBLIC, title=title)
    assert problem_key("X", title="Not met: it is on") in problems_of(
        "X", title="Can't be determined: it is on"
    )


TERRAFORM = """\
variable "known" { default = true }
variable "asked" {}
variable "all" { type = map(object({ public = bool })) }
resource "azurerm_storage_account" "known" {
  public_network_access_enabled = var.known
}
resource "azurerm_storage_account" "asked" {
  public_network_access_enabled = var.asked
}
resource "azurerm_storage_account" "each" {
  for_each                      = var.all
  public_network_access_enabled = each.value.public
}
resource "azurerm_storage_account" "listed" {
  for_each                      = { a = { public = true } }
  public_network_access_enabled = each.value.public
}
resource "azurerm_storage_account" "absent" {
  name = "absent"
}
"""
TEMPLATE = """\
Parameters:
  Known: {Type: String, Default: "true"}
  Asked: {Type: String}
Resources:
  Known:
    Type: AWS::RDS::DBInstance
    Properties: {Engine: mysql, PubliclyAccessible: !Ref Known}
  Asked:
    Type: AWS::RDS::DBInstance
    Properties: {Engine: mysql, StorageEncrypted: !Ref Asked}
  Absent:
    Type: AWS::RDS::DBInstance
    Properties: {Engine: mysql}
"""


def test_the_engine_fails_what_is_known_and_leaves_open_what_is_not() -> None:
    result = scan(files_of(**{"main.tf": TERRAFORM, "stack.yaml": TEMPLATE}), engines=["checkov"])
    found = {
        (each.rule, each.resource.rpartition(".")[2]): (each.outcome, each.open)
        for each in result.checks
    }
    assert found["CKV_AZURE_59", "known"] == (Outcome.FAILED, "")
    assert found["CKV_AZURE_59", "absent"] == (Outcome.FAILED, "")
    assert found["CKV_AZURE_59", "each"] == (Outcome.UNDECIDED, "each.value.public")
    assert found["CKV_AZURE_59", "listed"] == (Outcome.FAILED, "")  # It is in the upload.
    assert ("CKV_AZURE_59", "asked") not in found  # Checkov itself calls it unknown.
    assert found["CKV_AWS_17", "Known"] == (Outcome.FAILED, "")
    assert found["CKV_AWS_16", "Absent"] == (Outcome.FAILED, "")
    assert found["CKV_AWS_16", "Asked"] == (Outcome.UNDECIDED, "Ref Asked")
