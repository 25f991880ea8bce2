"""The table of rules: real ids, plain titles, actions in the imperative."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from compose_lint.rules import get_registered_rules

from assessments.agents.check_findings import finding_of
from assessments.agents.problems import problem_key
from assessments.agents.reliability.controls import CONTROLS
from assessments.agents.types import Severity, SeverityOrigin
from assessments.rules import Effort, known_rules
from assessments.scan.secrets.rules import RULES as SECRET_RULES
from tests.assessments.checks import check
from tests.assessments.scanning import SCANNER_PYTHON

FIRING = Path(__file__).parent / "fixtures" / "firing_rules.json"
"""How often each rule of Checkov 3.3.30 failed on public repositories, written by others, for AWS,
Azure, Google Cloud, Kubernetes, Docker, Compose and GitHub Actions; ``repositories`` names them."""
VERBS = frozenset((Path(__file__).parent / "fixtures" / "verbs.txt").read_text().split())


def test_titles_and_actions_are_short_plain_sentences() -> None:
    for rule, known in known_rules().items():
        for text in (known.title, known.action):
            assert len(text) <= 70, rule
            assert not text.endswith("."), rule
            assert not re.search(r"\b(CMK|CSEK|NACL|ADS|VA|ensure|mend)\b", text, re.I), rule
        assert known.title or rule.startswith("im-"), rule


def test_every_action_begins_with_a_verb() -> None:
    first = {known.action.split()[0].lower() for known in known_rules().values()}
    assert first <= VERBS, first - VERBS


def test_one_title_and_one_action_stand_for_one_problem() -> None:
    problems: dict[tuple[str, str], set[str]] = defaultdict(set)
    for rule, known in known_rules().items():
        provider = rule.split("_")[1] if "_" in rule else rule[:2]
        key = problem_key(rule, title="")
        problems[provider, known.action].add(key)
        if known.title:
            problems[provider, known.title].add(key)
    assert {words: keys for words, keys in problems.items() if len(keys) > 1} == {}


def test_the_400_rules_that_fire_most_have_a_title() -> None:
    counts: Counter[str] = Counter(json.loads(FIRING.read_text())["counts"])
    assert len(counts) >= 400
    assert [rule for rule, _ in counts.most_common(400) if rule not in known_rules()] == []


@pytest.mark.timeout(120)
def test_every_rule_of_the_table_exists_in_its_engine() -> None:
    answer = subprocess.run(
        [str(SCANNER_PYTHON.parent / "checkov"), "--list"],
        capture_output=True,
        text=True,
        check=True,
        timeout=110,
    )
    engine = set(re.findall(r"\bCKV2?_[A-Z0-9]+_\d+\b", answer.stdout))
    assert len(engine) > 1_000
    ours = {rule for rule in known_rules() if rule.startswith("CKV")}
    assert ours - engine == set()
    compose = {rule for rule in known_rules() if rule.startswith("CL-")}
    assert compose == {rule().metadata.id for rule in get_registered_rules()}
    rest = {rule for rule in known_rules() if not rule.startswith(("CKV", "CL-", "im-"))}
    rest -= set(SECRET_RULES)
    linted = {rule for rule in rest if re.fullmatch(r"[EWI]\d{4}", rule)}
    listed = subprocess.run(
        [str(SCANNER_PYTHON.parent / "cfn-lint"), "--list-rules"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert linted <= set(re.findall(r"\b[EWI]\d{4}\b", listed.stdout))
    assert all(re.fullmatch(r"DL[34]\d{3}", rule) for rule in rest - linted)


def test_every_rule_for_secrets_has_a_title_and_an_action() -> None:
    assert SECRET_RULES.keys() <= known_rules().keys()


def test_every_control_of_reliability_has_an_action() -> None:
    assert {control.rule for control in CONTROLS} <= known_rules().keys()


@pytest.mark.parametrize(
    ("rule", "effort"),
    [
        ("CKV_AWS_79", Effort.SMALL),
        ("CKV_AWS_17", Effort.SMALL),
        ("CKV_AWS_145", Effort.MEDIUM),
        ("CKV_K8S_23", Effort.MEDIUM),
        ("CKV_AWS_16", Effort.LARGE),
        ("CKV_AWS_3", Effort.LARGE),
        ("CKV_AWS_130", Effort.LARGE),
        ("CKV_GCP_25", Effort.LARGE),
        ("CKV_AZURE_115", Effort.LARGE),
    ],
)
def test_effort_is_that_of_the_change(rule: str, effort: Effort) -> None:
    assert known_rules()[rule].effort is effort


def test_a_finding_has_the_plain_title() -> None:
    found = finding_of(check("CKV_AWS_17"), Severity.HIGH, SeverityOrigin.CROSSWALK)
    assert found.title == "Database is publicly accessible"
    other = finding_of(
        check("CKV_X_1", title="Ensure X is on"), Severity.LOW, SeverityOrigin.ENGINE
    )
    assert other.title == "Not met: X is on"
