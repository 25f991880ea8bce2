"""The crosswalk: it names only what exists, covers what fires on typical input, and has readable
titles."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

from compose_lint.rules import get_registered_rules

from assessments.agents.crosswalk import documents, entries, rules_of_check, severities
from assessments.agents.routing import RELIABILITY_RULES, Owner, Topic, owner, topic
from assessments.agents.severity import TOPIC_SEVERITY
from assessments.rules import known_rules
from tests.assessments.checks import check

ROOT = Path(__file__).resolve().parents[2]
TYPICAL = Path(__file__).parent / "fixtures" / "typical_rules.json"
"""Rules of Checkov 3.3.30 that failed on 136 resources of the most common types for AWS, Azure and
Google in their shortest form, a flawed set of Kubernetes manifests, a Dockerfile and a workflow,
written for this purpose; rule to count."""


def test_the_crosswalk_maps_more_than_150_rules() -> None:
    assert sum(1 for each in entries().values() if each.checks) >= 150


def test_every_entry_says_in_words_what_is_wrong_and_why() -> None:
    for rule, entry in entries().items():
        assert known_rules()[rule].title, rule
        assert entry.why.endswith("."), rule
        assert entry.remediation or rule.startswith("CL-"), rule


def test_every_check_that_the_crosswalk_names_has_a_severity() -> None:
    named = {check for entry in entries().values() for check in entry.checks}
    assert named == severities().keys()


def test_every_rule_that_a_code_example_fixes_is_in_the_crosswalk() -> None:
    examples = [rule for rule, entry in entries().items() if entry.code_example]
    assert len(examples) >= 60
    text = (ROOT / "assessments" / "data" / "code_examples.toml").read_text()
    assert text.count(" = '''") == len(examples)


def test_the_crosswalk_covers_most_of_what_fires_on_typical_input() -> None:
    counts: Counter[str] = Counter(json.loads(TYPICAL.read_text()))
    worded = sum(count for rule, count in counts.items() if rule in entries())
    mapped = sum(
        count for rule, count in counts.items() if rule in entries() and entries()[rule].checks
    )
    total = counts.total()
    print(
        f"typical findings: {total}; in words: {worded / total:.0%}; severity by crosswalk:"
        f" {mapped / total:.0%}"
    )
    assert worded / total >= 0.9
    assert mapped / total >= 0.5


def test_the_crosswalk_speaks_of_every_rule_of_the_installed_compose_linter() -> None:
    assert {rule().metadata.id for rule in get_registered_rules()} <= entries().keys()


def test_each_topic_has_a_default_severity() -> None:
    assert TOPIC_SEVERITY.keys() == set(Topic)


def test_a_backup_check_that_reliability_answers_is_not_routed_elsewhere() -> None:
    assert all(owner(check(rule)) == Owner.RELIABILITY for rule in RELIABILITY_RULES)


def test_topics_follow_the_engines_category_unless_a_rule_is_listed() -> None:
    assert topic(check("CKV_AWS_86")) == Topic.LOGGING  # category LOGGING
    assert (
        topic(check("CKV_AWS_20")) == Topic.NETWORK
    )  # category LOGGING too, but it is about public access
    assert topic(check("CKV_SECRET_2")) == Topic.SECRETS
    assert topic(check("CKV2_GHA_1")) == Topic.CI


def test_each_framework_document_lists_every_requirement_with_a_title() -> None:
    assert {each.framework for each in documents()} == {
        "cis",
        "pci_dss",
        "hipaa",
        "soc2",
        "iso27001",
        "gdpr",
        "nist_800_53",
    }
    for document in documents():
        ids = [each.id for each in document.requirements]
        assert len(ids) == len(set(ids)), document.title
        assert all(each.title and len(each.checks) <= each.mapped for each in document.requirements)
        assert {
            check for each in document.requirements for check in each.checks
        } <= rules_of_check().keys()


def test_the_build_refuses_a_check_that_does_not_exist(tmp_path: Path) -> None:
    empty = tmp_path / "prowler-0.0.0-py3-none-any.whl"
    with zipfile.ZipFile(empty, "w"):
        pass
    answer = subprocess.run(
        [
            sys.executable,
            str(ROOT / "scripts" / "build_frameworks.py"),
            str(empty),
            "--as-of",
            "2026-11-23",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 1
    assert "aws/s3_bucket_public_access" in answer.stderr
