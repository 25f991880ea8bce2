"""GitLab's Code Quality report: GitLab Docs, "Code Quality", section "Code Quality report format".

A merge request shows what the report of its branch has and that of the target branch has not, by
fingerprint. So it lists all findings, not the new ones alone.
"""

from __future__ import annotations

import json
from typing import Any

from infra_mind_client.review import Finding, Review

SEVERITIES = {
    "critical": "blocker",
    "high": "critical",
    "medium": "major",
    "low": "minor",
    "info": "info",
}


def as_codequality(review: Review) -> str:
    rows = [_issue(each) for each in review.findings if each.file]
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def _issue(finding: Finding) -> dict[str, Any]:
    about = f" ({finding.resource})" if finding.resource else ""
    return {
        "description": f"{finding.title}{about}",
        "check_name": finding.rule,
        "fingerprint": finding.fingerprint,
        "severity": SEVERITIES[finding.severity],
        "location": {"path": finding.file, "lines": {"begin": finding.line or 1}},
        "categories": ["Security" if finding.agent == "security" else "Bug Risk"],
    }
