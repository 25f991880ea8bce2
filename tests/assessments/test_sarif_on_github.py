"""SARIF as GitHub's code scanning accepts it: its limits, and alerts that keep their identity."""

from __future__ import annotations

import gzip
import json
from typing import Any

from django.conf import settings
from jsonschema import Draft202012Validator

from assessments.reports.sarif import MAX_RESULTS, as_sarif
from tests.assessments.test_report_formats import sarif

__all__ = ["sarif"]

MAX_BYTES_PACKED = 10 * 1024 * 1024
FRAMEWORKS = [f"Framework {n} 1.0" for n in range(40)]


def finding(number: int, **changes: Any) -> dict[str, Any]:
    own = {
        "fingerprint": f"{number * 7919:016x}{number:048x}",
        "agent": "security",
        "rule": f"CKV_AWS_{number % 900}",
        "title": "The bucket has no key of its own",
        "severity": ("critical", "high", "medium", "low", "info")[number % 5],
        "severity_origin": "table",
        "resource": f"aws_s3_bucket.number_{number}",
        "is_exposed": False,
        "file": f"modules/{number % 2000}/main.tf",
        "line_start": number % 300 + 1,
        "line_end": number % 300 + 9,
        "line": number % 300 + 3,
        "evidence": [{"number": number % 300 + 3, "text": f'bucket = "number-{number}"'}],
        "expected": "A customer managed key",
        "actual": "None is set",
        "why": "Whoever reads the storage reads the data.",
        "remediation": "Set kms_master_key_id.",
        "references": ["not an address", "https://docs.example/rules/1"],
        "frameworks": FRAMEWORKS,
        "since": "",
        "saving": None,
        "muted": None,
    }
    return {**own, **changes}


def written(findings: list[dict[str, Any]], *, run: int = 1) -> dict[str, Any]:
    about = {"assessment_id": "0199e2f0", "report_type": "technical", "run": run}
    document = {"about": about, "findings": findings, "coverage": [], "agents": []}
    (found,) = json.loads(as_sarif(document))["runs"]
    return dict(found)


def test_a_large_repository_stays_within_the_limits(sarif: Draft202012Validator) -> None:
    about = {"assessment_id": "0199e2f0", "report_type": "technical", "run": 1}
    findings = [finding(n) for n in range(MAX_RESULTS + 500)]
    content = as_sarif({"about": about, "findings": findings, "coverage": [], "agents": []})
    assert len(gzip.compress(content, 6)) < MAX_BYTES_PACKED
    log = json.loads(content)
    (run,) = log["runs"]
    assert len(run["results"]) == MAX_RESULTS
    assert all(len(rule["properties"]["tags"]) <= 20 for rule in run["tool"]["driver"]["rules"])
    (said,) = run["invocations"][0]["toolExecutionNotifications"]
    assert said["message"]["text"].startswith("25,500 findings, of which the first 25,000")
    run["results"] = run["results"][:500]  # the others are similar; the validator takes minutes
    assert [error.message for error in sarif.iter_errors(log)] == []


def test_alerts_stay_the_same_when_lines_move_and_runs_pass() -> None:
    before = written([finding(1), finding(2)])
    after = written([finding(2, line=90, line_start=80, line_end=99), finding(1)], run=2)

    def prints(run: dict[str, Any]) -> dict[str, str]:
        return {
            result["ruleId"]: result["partialFingerprints"]["primaryLocationLineHash"]
            for result in run["results"]
        }

    assert prints(before) == prints(after) and len(set(prints(before).values())) == 2
    assert before["automationDetails"] == after["automationDetails"]
    assert before["automationDetails"]["id"] == "infra-mind/technical/0199e2f0/"


def test_the_tool_and_each_rule_say_where_to_read_on() -> None:
    found = [finding(1), finding(2, references=[]), finding(3, rule="DL3008", references=[])]
    driver = written(found)["tool"]["driver"]
    assert driver["version"].count(".") == 2
    assert driver["informationUri"] == f"{settings.PUBLIC_URL}/"
    assert {rule["id"]: rule["helpUri"] for rule in driver["rules"]} == {
        "security/CKV_AWS_1": "https://docs.example/rules/1",
        "security/CKV_AWS_2": f"{settings.PUBLIC_URL}/findings/?q=CKV_AWS_2",
        "security/DL3008": "https://github.com/hadolint/hadolint/wiki/DL3008",
    }
