"""Findings, most severe first."""

from __future__ import annotations

from typing import Any

from assessments.agents.types import Severity
from assessments.models import Finding, FindingMute, Report
from assessments.muting import mutes_of
from assessments.reports.document.agents import ONLY_AGENT
from assessments.reports.document.scope import findings_of


def findings(report: Report) -> list[dict[str, Any]]:
    """Worst first, muted last."""
    only = ONLY_AGENT.get(Report.Kind(report.kind))
    every = findings_of(report)
    findings = every.filter(agent=only) if only else every.counted()
    mutes = mutes_of(report.run)
    rows = [_finding(finding, mutes.get(finding.fingerprint)) for finding in findings]
    return sorted(rows, key=lambda row: row["muted"] is not None)


def _finding(finding: Finding, mute: FindingMute | None) -> dict[str, Any]:
    saving = finding.monthly_saving_usd
    detail, evidence = finding.detail, finding.evidence
    return {
        **detail,
        "fingerprint": finding.fingerprint,
        "agent": finding.agent,
        "rule": finding.rule,
        "title": finding.title,
        "severity": Severity(finding.severity).name.lower(),
        "severity_origin": finding.severity_origin,
        "scope": finding.scope,
        "resource": finding.resource,
        "is_exposed": finding.is_exposed,
        "file": finding.file,
        "line_start": finding.line_start or None,
        "line_end": finding.line_end or None,
        "line": evidence["line"] if evidence else None,
        "shown": evidence["text"] if evidence else "",
        "since": finding.since,
        "saving": (
            None
            if saving is None
            else {
                "monthly_usd": str(saving),
                "source": (
                    f"{detail.get('actual', '')}, against {detail.get('expected', '')}."
                    f" {detail.get('why', '')}"
                ),
            }
        ),
        "muted": (
            mute
            and {
                "reason": mute.reason,
                "expires_at": mute.expires_at and mute.expires_at.isoformat(),
            }
        ),
    }
