"""The part of a run that a report is about: all of it, or one scope, with that scope's figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assessments.models import AgentReport, FindingQuerySet, MergedScan, Report
from assessments.stages.stage import merged

if TYPE_CHECKING:
    from assessments.diagram.types import Diagram

ANSWER = ("status", "reason", "missing", "score", "score_formula", "summary", "figures", "tables")


def findings_of(report: Report) -> FindingQuerySet:
    """All of them, including those of compliance, which repeat the others'."""
    findings = report.run.findings.all()
    return findings.filter(scope=report.scope) if report.scope else findings


def scopes_of(report: Report) -> list[dict[str, Any]]:
    scopes: list[dict[str, Any]] = report.run.scopes
    return [scope for scope in scopes if report.scope in ("", scope["key"])]


def answer_of(answer: AgentReport, report: Report) -> AgentReport:
    """The agent's answer about the scope; about the run, if that is the only one it gave."""
    for each in answer.scopes if report.scope else ():
        if each["scope"] == report.scope:
            fields = {name: each[name] for name in ANSWER if name in each}
            return AgentReport(
                run=report.run, agent=answer.agent, position=answer.position, **fields
            )
    return answer


def coverage_of(report: Report) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = report.run.coverage
    if not report.scope or not _has_scan(report):
        return rows
    scan = merged(report.run, parts=())
    paths = {path for scope in scan.scopes if scope.key == report.scope for path in scope.paths}
    return [row for row in rows if row["path"] in paths]


def checks_of(report: Report) -> Mapping[str, int]:
    """The number of checks by outcome."""
    if not report.scope or not _has_scan(report):
        found: Mapping[str, int] = report.run.summary.get("checks", {})
        return found
    checks = merged(report.run, parts=("checks",)).checks
    return Counter(check.outcome.value for check in checks if check.scope == report.scope)


def resources_of(report: Report) -> list[dict[str, Any]]:
    resources: list[dict[str, Any]] = report.run.resources
    if not report.scope:
        return resources
    return [each for each in resources if each.get("scope") == report.scope]


def within(drawn: Diagram, scope: str) -> Diagram:
    """The part of the diagram that belongs to the scope; no line crosses scopes."""
    if not scope:
        return drawn
    nodes = [node for node in drawn.nodes if node.scope == scope]
    kept = {node.id for node in nodes}
    parents = {group.id: group for group in drawn.groups}
    groups: set[str] = set()
    for node in nodes:
        group = node.group
        while group in parents and group not in groups:
            groups.add(group)
            group = parents[group].parent
    return drawn.replace(
        nodes=nodes,
        groups=[group for group in drawn.groups if group.id in groups],
        links=[link for link in drawn.links if {link.source, link.target} <= kept],
        entries=[entry for entry in drawn.entries if entry.target in kept],
        paths=[path for path in drawn.paths if all(step.target in kept for step in path.steps)],
    )


def _has_scan(report: Report) -> bool:
    return MergedScan.objects.filter(run=report.run).exists()
