"""The findings as SARIF 2.1.0 (OASIS Standard, 2020-03-27), as code hosts and editors read it."""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from typing import Any
from urllib.parse import quote

from django.conf import settings

from assessments.scan.types import CoverageStatus

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note"}
"""Section 3.27.10: error, warning and note are all that SARIF has; the severity itself is in the
properties."""
SECURITY_SEVERITIES = {
    "critical": "9.5",
    "high": "8.0",
    "medium": "5.5",
    "low": "2.0",
    "info": "0.0",
}
"""Midpoints of the bands that GitHub code scanning translates back into words: above 9.0 critical,
7.0 high, 4.0 medium, 0.1 low (GitHub Docs, "SARIF support for code scanning", reportingDescriptor
object)."""
MAX_RESULTS = 25_000
MAX_TAGS = 20
"""What GitHub accepts for one run, and for one rule; anything more is rejected entirely (GitHub
Docs, "SARIF results exceed one or more limits", 2026-11)."""
RULE_PAGES = (
    (re.compile(r"^(DL\d{4})$"), "https://github.com/hadolint/hadolint/wiki/{}"),
    (re.compile(r"^(SC\d{4})$"), "https://www.shellcheck.net/wiki/{}"),
)
"""Where engines document their rules, for those that provide no URL themselves."""
_PLACEHOLDER = re.compile(r"\{(\d+)\}")
SINCE = {"new": "new", "reopened": "new", "persisting": "unchanged"}
"""``since`` as a baselineState (section 3.27.24)."""


def as_sarif(document: dict[str, Any]) -> bytes:
    """One run with a rule for each rule that fired. Files that were not read in full, and findings
    past the limit, are notifications.

    ``automationDetails.id`` ends with a slash: all of it is the category under which GitHub
    compares one upload with the next.
    """
    findings = document["findings"][:MAX_RESULTS]
    rules = _rules(findings)
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    about = document["about"]
    run = {
        "tool": {"driver": _driver(rules)},
        "automationDetails": {"id": f"infra-mind/{about['report_type']}/{about['assessment_id']}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    *_left_out(len(document["findings"])),
                    *_gaps(document["coverage"]),
                ],
            }
        ],
        "results": [_result(finding, index) for finding in findings],
        "properties": {"scores": _scores(document["agents"]), "run": about["run"]},
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=1, ensure_ascii=False).encode()


def _driver(rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": "Infra Mind",
        "version": _version(),
        "informationUri": f"{settings.PUBLIC_URL}/",
        "rules": rules,
    }


@cache
def _version() -> str:
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def _rules(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry per rule, in the order of their ids. Its worst finding represents it, as findings
    come worst first."""
    worst: dict[str, dict[str, Any]] = {}
    for finding in findings:
        worst.setdefault(_rule_id(finding), finding)
    return [_rule(name, worst[name]) for name in sorted(worst)]


def _rule_id(finding: dict[str, Any]) -> str:
    return f"{finding['agent']}/{finding['rule']}"


def _rule(name: str, finding: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": name,
        "shortDescription": {"text": finding["title"]},
        "fullDescription": {"text": finding.get("why") or finding["title"]},
        "helpUri": _help_uri(finding),
        "help": {"text": finding.get("remediation") or finding.get("expected") or finding["title"]},
        "defaultConfiguration": {"level": LEVELS[finding["severity"]]},
        "properties": {
            "security-severity": SECURITY_SEVERITIES[finding["severity"]],
            "tags": [finding["agent"], *finding.get("frameworks", [])][:MAX_TAGS],
        },
    }


def _help_uri(finding: dict[str, Any]) -> str:
    """The rule's page if its engine has one, otherwise our own list of what it found."""
    for each in finding.get("references") or ():
        if re.fullmatch(r"https?://[!-~]+", each):
            return str(each)
    for pattern, page in RULE_PAGES:
        if match := pattern.match(finding["rule"]):
            return page.format(match[1])
    return f"{settings.PUBLIC_URL}/findings/?q={quote(finding['rule'])}"


def _result(finding: dict[str, Any], index: dict[str, int]) -> dict[str, Any]:
    name = _rule_id(finding)
    result: dict[str, Any] = {
        "ruleId": name,
        "ruleIndex": index[name],
        "level": LEVELS[finding["severity"]],
        "message": {"text": _message(finding)},
        "locations": _locations(finding),
        "partialFingerprints": _fingerprints(finding["fingerprint"]),
        "suppressions": _suppressions(finding),
        "properties": {
            key: finding[key]
            for key in ("agent", "severity", "severity_origin", "saving", "is_exposed")
        },
    }
    if finding["since"]:
        result["baselineState"] = SINCE[finding["since"]]
    return result


def _fingerprints(fingerprint: str) -> dict[str, str]:
    """If ``primaryLocationLineHash`` is missing, GitHub computes it from the line's text, and
    merges two findings on one line into one. Ours is the finding's own, wherever its lines are."""
    return {"primaryLocationLineHash": f"{fingerprint[:16]}:1", "infraMind/v1": fingerprint}


def _message(finding: dict[str, Any]) -> str:
    """Plain text: anything that would read as a placeholder (section 3.11.5) or a link (section
    3.11.6) is escaped."""
    said = ". ".join(
        filter(None, (finding["title"], finding.get("actual"), finding.get("expected")))
    )
    return _PLACEHOLDER.sub(r"{{\1}}", said).replace("](", "\\](")


def _locations(finding: dict[str, Any]) -> list[dict[str, Any]]:
    location: dict[str, Any] = {}
    if finding["file"]:
        place: dict[str, Any] = {"artifactLocation": {"uri": quote(finding["file"])}}
        if finding["line_start"]:
            place["region"] = _region(finding)
        location["physicalLocation"] = place
    if finding["resource"]:
        location["logicalLocations"] = [
            {"fullyQualifiedName": finding["resource"], "kind": "resource"}
        ]
    return [location] if location else []


def _region(finding: dict[str, Any]) -> dict[str, Any]:
    """The line that shows the problem (section 3.30), with its text if the file has it; the snippet
    is only what the file contains: something missing is not a snippet."""
    line = finding.get("line")
    if not line:
        end = max(finding["line_end"], finding["line_start"])
        return {"startLine": finding["line_start"], "endLine": end}
    texts = (row["text"] for row in finding.get("evidence", []) if row["number"] == line)
    snippet = next(texts, "")
    region: dict[str, Any] = {"startLine": line, "endLine": line}
    return {**region, "snippet": {"text": snippet}} if snippet else region


def _suppressions(finding: dict[str, Any]) -> list[dict[str, Any]]:
    """A mute is kept outside the files. An empty list means that the finding is not suppressed
    (section 3.27.23)."""
    mute = finding["muted"]
    return (
        [{"kind": "external", "status": "accepted", "justification": mute["reason"]}]
        if mute
        else []
    )


def _left_out(total: int) -> list[dict[str, Any]]:
    if total <= MAX_RESULTS:
        return []
    words = f"{total:,} findings, of which the first {MAX_RESULTS:,}, the worst first, are here."
    return [{"level": "warning", "message": {"text": words}}]


def _gaps(coverage: list[dict[str, Any]]) -> list[dict[str, Any]]:
    levels = {CoverageStatus.FAILED: "error", CoverageStatus.PARTLY_READ: "warning"}
    return [
        {
            "level": levels.get(CoverageStatus(row["status"]), "note"),
            "message": {"text": row["reason"] or row["status"]},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": quote(row["file"])}}}],
        }
        for row in coverage
        if row["status"] != CoverageStatus.READ
    ]


def _scores(agents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {key: answer[key] for key in ("agent", "status", "score", "source")} for answer in agents
    ]
