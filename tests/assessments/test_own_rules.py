"""A server's own rules: what is refused, and real rules on real Terraform in the real sandbox."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assessments.agents import AGENTS
from assessments.agents.types import AgentInput, Severity, SeverityOrigin
from assessments.checks import check_own_rules
from assessments.scan.own_rules import OwnRulesError, read_rules
from assessments.scan.types import CheckResult, Outcome
from tests.assessments.scanning import WARM, files_of, scan

if TYPE_CHECKING:
    from pytest_django import Settings

RULE = """
metadata:
  id: ACME_TAGS_1
  name: Ensure every bucket names its owner
  category: {category}
  severity: HIGH
  guideline: https://wiki.acme.example/owners
scope:
  provider: aws
definition:
  cond_type: attribute
  resource_types: [aws_s3_bucket]
  attribute: tags.Owner
  operator: {operator}
"""
BUCKETS = """
resource "aws_s3_bucket" "nobodys" {
  bucket = "a"
}
resource "aws_s3_bucket" "mine" {
  bucket = "b"
  tags   = { Owner = "me" }
}
resource "aws_s3_bucket" "old" {
  #checkov:skip=ACME_TAGS_1:goes away
  bucket = "c"
}
"""


def rule(*, category: str = "GENERAL_SECURITY", operator: str = "exists") -> str:
    return RULE.format(category=category, operator=operator)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tags").mkdir()
    (tmp_path / "tags" / "owner.yaml").write_text(rule())
    (tmp_path / "README.md").write_text("Our rules")
    return tmp_path


def own(checks: list[CheckResult]) -> dict[str, Outcome]:
    return {each.resource: each.outcome for each in checks if each.own_rule}


def test_a_real_rule_runs_on_real_terraform_inside_of_the_sandbox(folder: Path) -> None:
    sandbox = replace(WARM, own_rules=tuple(read_rules(folder)))
    found = scan(files_of(**{"main.tf": BUCKETS}), sandbox=sandbox)
    assert own(found.checks) == {
        "aws_s3_bucket.nobodys": Outcome.FAILED,
        "aws_s3_bucket.mine": Outcome.PASSED,
        "aws_s3_bucket.old": Outcome.SUPPRESSED,
    }
    data = AgentInput(
        scopes=found.scopes,
        checks=found.checks,
        resources=found.resources,
        coverage=found.coverage,
        own_rules=found.own_rules,
    )
    answer = AGENTS["security"].run(data, lambda done, total, message: None)
    [finding] = [each for each in answer.findings if each.rule == "ACME_TAGS_1"]
    assert (finding.severity, finding.severity_origin) == (Severity.HIGH, SeverityOrigin.OWN_RULE)
    assert finding.why == "A custom rule of this server, tags/owner.yaml."
    assert finding.references == ["https://wiki.acme.example/owners"]
    table = next(each for each in answer.tables if each.key == "own_rules")
    assert table.rows == [
        ["ACME_TAGS_1", "Ensure every bucket names its owner", "high", 1, 1, "tags/owner.yaml"]
    ]
    without = scan(files_of(**{"main.tf": BUCKETS}))
    assert own(without.checks) == {} and without.own_rules == []


def test_a_category_decides_which_agent_counts_a_rule(folder: Path) -> None:
    (folder / "tags" / "owner.yaml").write_text(rule(category="CONVENTION"))
    sandbox = replace(WARM, own_rules=tuple(read_rules(folder)))
    found = scan(files_of(**{"main.tf": BUCKETS}), sandbox=sandbox)
    data = AgentInput(scopes=found.scopes, checks=found.checks, coverage=found.coverage)
    counted = {
        name: [each.rule for each in AGENTS[name].run(data, lambda *_: None).findings]
        for name in ("security", "operations")
    }
    assert "ACME_TAGS_1" in counted["operations"] and "ACME_TAGS_1" not in counted["security"]


def test_what_checkov_can_not_read_is_named_at_the_start_and_in_the_answer(
    folder: Path, settings: Settings
) -> None:
    settings.OWN_RULES = str(folder)
    assert check_own_rules(None) == []
    (folder / "odd.yaml").write_text(rule(operator="is_wonderful").replace("TAGS_1", "ODD_1"))
    [problem] = check_own_rules(None)
    assert problem.msg == "odd.yaml: Checkov can't read the definition of ACME_ODD_1."
    sandbox = replace(WARM, own_rules=tuple(read_rules(folder)))
    found = scan(files_of(**{"main.tf": BUCKETS}), sandbox=sandbox)
    assert {each.rule: each.is_loaded for each in found.own_rules} == {
        "ACME_ODD_1": False,
        "ACME_TAGS_1": True,
    }


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("evil.py", "import os", "evil.py: Python rules are not run; a rule is a .yaml file."),
        ("rule.json", "{}", "rule.json: it is not YAML; a rule is a .yaml file."),
        ("a.yaml", "metadata: [", "a.yaml: it is not YAML in line"),
        ("a.yaml", "- 1", "a.yaml: it must be a mapping with metadata and definition."),
        ("a.yaml", "definition: {a: b}", "a.yaml: metadata is missing."),
        ("a.yaml", "metadata: {id: ACME_1, name: x}", "a.yaml: definition is missing."),
        ("a.yaml", rule().replace("HIGH", "awful"), "a.yaml: metadata.severity must be one of"),
        ("a.yaml", rule(category="FUN"), "a.yaml: metadata.category must be one of"),
        ("a.yaml", rule().replace("https:", "javascript:"), "metadata.guideline must be a link"),
        ("a.yaml", rule().replace("ACME_TAGS_1", "../x"), "metadata.id must be capitals"),
        ("a.yaml", rule().replace("ACME_TAGS_1", "CKV_AWS_18"), "looks like an engine's own"),
        ("a.yaml", rule(), "metadata.id ACME_TAGS_1 is also that of"),
        ("a.yaml", "#" * 70_000, "a.yaml: it is larger than 65,536 bytes."),
    ],
)
def test_a_file_that_is_no_rule_is_refused_with_its_name(
    folder: Path, name: str, text: str, expected: str
) -> None:
    (folder / name).write_text(text)
    with pytest.raises(OwnRulesError) as raised:
        read_rules(folder)
    assert expected in " ".join(raised.value.problems)


def test_a_folder_that_is_not_there_is_an_error_at_the_start(settings: Settings) -> None:
    settings.OWN_RULES = "/nowhere/rules"
    assert [each.msg for each in check_own_rules(None)] == ["/nowhere/rules is not a folder."]
