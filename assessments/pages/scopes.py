"""The scopes of a run on its page: what each is, and every agent's answer about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from assessments.agents import AGENTS
from assessments.listing import DISTINCT
from assessments.models import AgentReport, AssessmentRun, Finding

KIND_LABELS = {
    "terraform": "Terraform",
    "terraform_plan": "Terraform plan",
    "cloudformation": "CloudFormation",
    "kubernetes": "Kubernetes",
    "compose": "Compose",
    "arm": "ARM template",
    "bicep": "Bicep",
    "repository": "Repository",
}


@dataclass(frozen=True, kw_only=True)
class ScopeRow:
    """``answers`` has one entry per agent column: the score, or None with the reason."""

    key: str
    label: str
    kind: str
    files: int
    severities: Mapping[int, int]
    answers: list[tuple[int | None, str]]


def scope_table(run: AssessmentRun, reports: Sequence[AgentReport]) -> dict[str, Any] | None:
    """The agents' labels and a row for each scope; None if there is at most one scope, which the
    page then does not mention."""
    if len(run.scopes) < 2:
        return None
    answered = [report for report in reports if report.scopes]
    counts = _severities_by_scope(run)
    by_agent = {r.agent: {each["scope"]: each for each in r.scopes} for r in answered}
    rows = [
        ScopeRow(
            key=scope["key"],
            label=scope["label"],
            kind=KIND_LABELS.get(scope["kind"], scope["kind"]),
            files=scope["files"],
            severities=counts.get(scope["key"], {}),
            answers=[_answer(by_agent[r.agent].get(scope["key"])) for r in answered],
        )
        for scope in run.scopes
    ]
    agents = [AGENTS[r.agent].label if r.agent in AGENTS else r.agent for r in answered]
    return {"agents": agents, "rows": rows}


def scope_labels(run: AssessmentRun) -> dict[str, str]:
    """Key to label, empty if the page does not show scopes."""
    return {s["key"]: s["label"] for s in run.scopes} if len(run.scopes) > 1 else {}


def label_findings(findings: Iterable[Finding], labels: Mapping[str, str]) -> None:
    """Set the ``scope_label`` that each finding's row shows."""
    for finding in findings:
        finding.scope_label = labels.get(finding.scope, "")  # type: ignore[attr-defined]


def _answer(answer: Mapping[str, Any] | None) -> tuple[int | None, str]:
    if answer is None:
        return None, "No answer"
    return answer["score"], answer["summary"] or answer["reason"]


def _severities_by_scope(run: AssessmentRun) -> dict[str, dict[int, int]]:
    counts: dict[str, dict[int, int]] = defaultdict(dict)
    rows = run.findings.filter(DISTINCT).unmuted().order_by().values_list("scope", "severity")
    for scope, severity, count in rows.annotate(n=Count("pk")):
        counts[scope][severity] = count
    return counts
