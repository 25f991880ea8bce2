"""The agents stage: seven agents in parallel, each reading the merged scan."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from django.db import connection
from psycopg import sql
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from assessments import kinds
from assessments.agents import AGENTS
from assessments.agents.problems import problem_key
from assessments.agents.types import AgentFinding, AgentInput, AgentResult
from assessments.models import (
    AgentReport,
    AssessmentRun,
    Finding,
)
from assessments.pricing import prices_of
from assessments.requirements import Requirements
from assessments.stages.stage import child, merged
from tasks_ui.models import TaskRun
from tasks_ui.runs.transitions import emit
from tasks_ui.worker.work import Work

SHOWN = frozenset(
    {
        "rule",
        "scope",
        "title",
        "severity",
        "severity_origin",
        "resource",
        "file",
        "line_start",
        "line_end",
    }
)
"""What of a finding has a column of its own."""
KEPT = frozenset({"monthly_saving_usd", "fingerprint_key"})
NOT_STORED = frozenset({"findings", "share"})
"""What of an answer has no column in its report."""


def make_agents(run: AssessmentRun) -> list[TaskRun]:
    kept = copy_answers(run) if run.completes and not run.asks_all else set()
    reports = AgentReport.objects.bulk_create(
        AgentReport(run=run, agent=name, position=position)
        for position, name in enumerate(AGENTS)
        if name not in kept
    )
    return [
        child(kinds.AGENT, AGENTS[r.agent].label, weight=40 / len(reports), subject=r)
        for r in reports
    ]


def copy_answers(run: AssessmentRun) -> set[str]:
    """Copy the answers of the run that this one completes, except those of its failed agents.
    Returns their names."""
    answered = list(
        AgentReport.objects.filter(run=run.completes).exclude(status__in=["", AgentReport.FAILED])
    )
    for report in answered:
        findings = list(report.findings.all())
        report.pk, report.run = uuid7(), run
        for finding in findings:
            finding.pk, finding.run, finding.report = uuid7(), run, report
        report.save(force_insert=True)
        Finding.objects.bulk_create(findings, batch_size=500)
    return {report.agent for report in answered}


def ask_agent(work: Work, report: AgentReport) -> dict[str, Any]:
    """Run one agent on the merged scan. Units of work are the agent's own: checks, resources or
    requirements."""
    agent = AGENTS[report.agent]
    scanned = merged(report.run, parts=agent.reads)
    data = AgentInput(
        scopes=scanned.scopes,
        checks=scanned.checks,
        resources=scanned.resources,
        coverage=scanned.coverage,
        gaps=scanned.gaps,
        requirements=Requirements.model_validate(report.run.requirements),
        own_rules=scanned.own_rules,
        prices=prices_of(report.run.assessment.owner_id) if report.agent == "cost" else [],
    )
    result = agent.run(data, work.report)
    kinds_of = {file.path: file.kind.value for file in scanned.coverage}
    work.save_with_result(lambda: store_answer(report, result, kinds_of=kinds_of))
    return {
        "agent": report.agent,
        "status": result.status,
        "score": result.score,
        "findings": len(result.findings),
    }


def store_answer(report: AgentReport, result: AgentResult, *, kinds_of: Mapping[str, str]) -> None:
    """``kinds_of`` gives the kind of each file of the upload."""
    answer = result.to_builtins(exclude=NOT_STORED)
    AgentReport.objects.filter(pk=report.pk).update(**answer)
    insert_findings(row_of(finding, report, kinds_of) for finding in result.findings)
    counts = Counter(finding.severity.name.lower() for finding in result.findings)
    task = TaskRun.objects.get(assessment_run=report.run_id)
    data = {
        "agent": report.agent,
        "label": AGENTS[report.agent].label,
        "status": result.status,
        "score": result.score,
        "reason": result.reason,
        "severities": dict(counts),
    }
    emit(task, "agent.finished", data, attempt=None)
    if result.findings:
        counted = {"agent": report.agent, "count": len(result.findings)}
        emit(task, "findings.found", counted, attempt=None)


def insert_findings(rows: Iterator[dict[str, Any]]) -> None:
    """COPY rather than ``bulk_create``: an agent may have tens of thousands of findings, and
    building their statements takes longer than finding them. One row at a time is in memory."""
    first = next(rows, None)
    if first is None:
        return
    columns = sql.SQL(", ").join(map(sql.Identifier, first))
    table = sql.Identifier(Finding._meta.db_table)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(table, columns)
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(statement) as copy,
    ):
        for row in chain([first], rows):
            copy.write_row(tuple(row.values()))


def row_of(
    finding: AgentFinding, report: AgentReport, kinds_of: Mapping[str, str]
) -> dict[str, Any]:
    """A finding by the columns of its table."""
    return {
        "id": uuid7(),
        "run_id": report.run_id,
        "report_id": report.pk,
        "agent": report.agent,
        "scope": finding.scope[:600],
        "rule": finding.rule[:80],
        "title": finding.title[:300],
        "severity": int(finding.severity),
        "severity_origin": finding.severity_origin.value,
        "problem": problem_key(finding.rule, title=finding.title)[:200],
        "resource": finding.resource[:300],
        "file": finding.file,
        "file_kind": kinds_of.get(finding.file, ""),
        "line_start": finding.line_start,
        "line_end": finding.line_end,
        "detail": Jsonb(finding.to_builtins(exclude=SHOWN | KEPT)),
        "monthly_saving_usd": finding.monthly_saving_usd,
        "fingerprint": hashlib.sha256(
            f"{report.agent}\0{finding.fingerprint_key}".encode()
        ).hexdigest(),
        "since": "",
        "is_exposed": False,
    }
