"""What each agent found, with its figures and tables."""

from __future__ import annotations

from typing import Any

from assessments.agents import AGENTS
from assessments.models import AgentReport, Report
from assessments.reports.document.scope import answer_of

ONLY_AGENT = {Report.Kind.COMPLIANCE: "compliance", Report.Kind.COST: "cost"}


def agents(report: Report) -> list[dict[str, Any]]:
    return [_agent(answer, tables=_tables(answer, kind=report.kind)) for answer in answers(report)]


def _tables(answer: AgentReport, *, kind: str) -> list[dict[str, Any]]:
    """An executive report has none; a technical one leaves out the individual requirements of
    each framework. The use that prices depend on is in their sources and reasons."""
    if kind == Report.Kind.EXECUTIVE:
        return []
    if kind == Report.Kind.TECHNICAL and answer.agent == "compliance":
        return [table for table in answer.tables if table["key"] == "compliance_overview"]
    return [table for table in answer.tables if table["key"] != "usage"]


def _agent(answer: AgentReport, *, tables: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "agent": answer.agent,
        "label": AGENTS[answer.agent].label,
        "status": answer.status,
        "reason": answer.reason,
        "missing": answer.missing,
        "score": answer.score,
        "source": answer.score_formula,
        "summary": answer.summary,
        "figures": answer.figures,
        "tables": tables,
    }


def answers(report: Report) -> list[AgentReport]:
    only = ONLY_AGENT.get(Report.Kind(report.kind))
    found = report.run.reports.exclude(status="")
    return [answer_of(each, report) for each in (found.filter(agent=only) if only else found)]
