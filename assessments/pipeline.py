"""The stages of a run: intake, scan, agents, synthesis. Each stage's children run in parallel over all workers."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, JSONField, Sum, TextField, Value
from django.db.models.functions import Cast
from uuid_utils.compat import uuid7

from assessments import kinds
from assessments.agents import AGENTS
from assessments.agents.types import AgentFinding, AgentInput, AgentResult
from assessments.models import (
    AgentReport,
    AssessmentRun,
    Finding,
    MergedScan,
    ScanShard,
    SourceFile,
    subject_of,
)
from assessments.muting import severity_counts
from assessments.requirements import Requirements
from assessments.scan.classify import Classified, classify
from assessments.scan.engines import run_shard
from assessments.scan.intake import InputFile
from assessments.scan.merge import ScanResult, merge, shard_failure
from assessments.scan.sandbox import Sandbox
from assessments.scan.shards import Shard, shards_of
from assessments.scan.types import FileCoverage, FileKind, Message, ShardOutput
from assessments.services import queue_recommendations, run_summary
from tasks_ui.models import State, TaskRun
from tasks_ui.tracking import TaskFailed, Work
from tasks_ui.transitions import emit

if TYPE_CHECKING:
    from django.db.models import Model

    from tasks_ui.kinds import TaskKind


def no_facts(run: AssessmentRun) -> dict[str, Any]:
    return {}


def nothing(run: AssessmentRun) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """``weight`` is the stage's percent of the whole, published in the UI.

    ``prepare`` runs before the stage and may be repeated; ``make`` gives the unsaved children; ``facts`` is what the
    event of the stage's end tells.
    """

    name: str
    label: str
    weight: int
    waiting: str
    make: Callable[[AssessmentRun], list[TaskRun]]
    facts: Callable[[AssessmentRun], dict[str, Any]] = field(default=no_facts)
    prepare: Callable[[AssessmentRun], None] = field(default=nothing)
    must_succeed: bool = False


def begin(run: AssessmentRun) -> None:
    AssessmentRun.objects.filter(pk=run.pk, status=AssessmentRun.Status.PENDING).update(
        status=AssessmentRun.Status.RUNNING
    )


def finish(work: Work, run: AssessmentRun) -> dict[str, Any]:
    """The summary; with the run's success its recommendations are queued. Raises TaskFailed when no agent answered."""
    run.refresh_from_db()
    run.status = AssessmentRun.Status.COMPLETED
    summary = run_summary(run)
    if not summary["agents_completed"]:
        raise TaskFailed("No agent could finish; see each agent's error.", code="no_agent")
    work.save_with_result(lambda: queue_recommendations(run))
    return summary


# --- intake --------------------------------------------------------------------------------------------------------


def make_intake(run: AssessmentRun) -> list[TaskRun]:
    if run.completes:
        return []
    return [child(kinds.INTAKE, "Read files", weight=10, subject=run)]


def read_files(work: Work, run: AssessmentRun) -> dict[str, Any]:
    """Classify each file and cut the files into shards. Units of work are files."""
    isolated = sandbox().confinement() == "namespaces"
    files = inputs(run)
    read: list[Classified] = []
    for number, file in enumerate(files, start=1):
        read.append(classify(file, isolated=isolated))
        work.report(number, len(files), file.path)
    shards = shards_of(read)
    work.save_with_result(lambda: store_intake(run, read, shards))
    return {"files": len(read), "shards": len(shards)}


def store_intake(run: AssessmentRun, read: list[Classified], shards: list[Shard]) -> None:
    kind_of = {item.file.path: item.kind for item in read}
    rows = list(run.assessment.files.only("path"))
    for row in rows:
        row.kind = kind_of[row.path]
    SourceFile.objects.bulk_update(rows, ["kind"], batch_size=500)
    ScanShard.objects.bulk_create(
        ScanShard(run=run, engine=s.engine, label=s.label[:200], weight=s.weight, spec=s.model_dump(mode="json"))
        for s in shards
    )


def intake_facts(run: AssessmentRun) -> dict[str, Any]:
    counts = Counter(run.assessment.files.values_list("kind", flat=True))
    return {"files": sum(counts.values()), "not_assessed": counts[FileKind.UNKNOWN.value]}


# --- scan ----------------------------------------------------------------------------------------------------------


def make_scan(run: AssessmentRun) -> list[TaskRun]:
    shards = list(run.shards.defer("output"))
    whole = sum(shard.weight for shard in shards) or 1
    return [child(kinds.SCAN, str(shard), weight=40 * shard.weight / whole, subject=shard) for shard in shards]


def scan(work: Work, row: ScanShard) -> dict[str, Any]:
    """Run one engine on one shard. Units of work are the engine's own. A cancel ends its processes at once."""
    shard = Shard.model_validate(row.spec)
    with ExitStack() as stack:
        output = run_shard(
            shard,
            inputs(row.run, paths=shard.paths),
            sandbox=sandbox(),
            on_progress=work.report,
            should_stop=lambda: work.is_stopped,
            register=lambda kill: stack.enter_context(work.stopping(kill)),
        )
    work.save_with_result(lambda: store_scan(row, output))
    return {"engine": row.engine, "checks": len(output.checks), "resources": len(output.resources)}


def store_scan(row: ScanShard, output: ShardOutput) -> None:
    ScanShard.objects.filter(pk=row.pk).update(
        output=as_json(output), checks=len(output.checks), resources=len(output.resources)
    )


def scan_facts(run: AssessmentRun) -> dict[str, Any]:
    shards = run.shards.aggregate(shards=Count("pk"), checks=Sum("checks"), resources=Sum("resources"))
    return {key: count or 0 for key, count in shards.items()}


def merge_scan(run: AssessmentRun) -> None:
    """Join the shards' outputs into what the agents read. Done once; the outputs are dropped with it."""
    if MergedScan.objects.filter(run=run).exists():
        return
    if run.completes:
        MergedScan.objects.create(run=run, data=run.completes.scan.data)
        return
    answered = run.shards.filter(output__isnull=False).annotate(text=Cast("output", TextField()))
    outputs = [ShardOutput.model_validate_json(text) for text in answered.values_list("text", flat=True)]
    merged = merge(
        outputs,
        files=inputs(run),
        failed_shards=lost_shards(run),
        isolated=sandbox().confinement() == "namespaces",
    )
    with transaction.atomic():
        MergedScan.objects.get_or_create(run=run, defaults={"data": as_json(merged)})
        run.shards.update(output=None)


def as_json(message: Message) -> Cast:
    """A message as a JSON column takes it, by way of text: scans of thousands of files are too large to be dictionaries
    in between. What is at its default is left out."""
    return Cast(Value(message.model_dump_json(exclude_defaults=True)), JSONField())


def lost_shards(run: AssessmentRun) -> list[FileCoverage]:
    """The files of shards whose task failed or was cancelled, with the reason."""
    errors = dict(TaskRun.objects.filter(parent=run.task_id, stage="scan").values_list("subject_id", "error"))
    return [
        gap
        for row in run.shards.filter(output__isnull=True)
        for gap in shard_failure(row.spec["paths"], engine=row.engine, reason=errors.get(row.pk) or "it was cancelled.")
    ]


def merged(run: AssessmentRun) -> ScanResult:
    text = MergedScan.objects.annotate(text=Cast("data", TextField())).values_list("text", flat=True).get(run=run)
    return ScanResult.model_validate_json(text)


def sandbox() -> Sandbox:
    """Where engines run. The warm scanner ends with the worker that started it."""
    return Sandbox(scanner_python=Path(settings.SCANNER_PYTHON), lifeline_pid=os.getppid())


def inputs(run: AssessmentRun, *, paths: list[str] | None = None) -> list[InputFile]:
    """The run's files as they were uploaded, all or those of ``paths``."""
    rows = run.assessment.files.all() if paths is None else run.assessment.files.filter(path__in=paths)
    return [InputFile(path=row.path, content=bytes(row.content), sha256=row.sha256, size=row.size) for row in rows]


# --- agents --------------------------------------------------------------------------------------------------------


def make_agents(run: AssessmentRun) -> list[TaskRun]:
    kept = copy_answers(run) if run.completes else set()
    reports = AgentReport.objects.bulk_create(
        AgentReport(run=run, agent=name, position=position) for position, name in enumerate(AGENTS) if name not in kept
    )
    return [child(kinds.AGENT, AGENTS[r.agent].label, weight=40 / len(reports), subject=r) for r in reports]


def copy_answers(run: AssessmentRun) -> set[str]:
    """Take over the answers of the run that this one completes, but for its failed agents. Returns their names."""
    answered = list(AgentReport.objects.filter(run=run.completes).exclude(status__in=["", AgentReport.FAILED]))
    for report in answered:
        findings = list(report.findings.all())
        report.pk, report.run = uuid7(), run
        for finding in findings:
            finding.pk, finding.run, finding.report = uuid7(), run, report
        report.save(force_insert=True)
        Finding.objects.bulk_create(findings, batch_size=500)
    return {report.agent for report in answered}


def ask_agent(work: Work, report: AgentReport) -> dict[str, Any]:
    """Run one agent on the merged scan. Units of work are the agent's own: checks, resources or requirements."""
    scanned = merged(report.run)
    data = AgentInput(
        checks=scanned.checks,
        resources=scanned.resources,
        coverage=scanned.coverage,
        requirements=Requirements.model_validate(report.run.requirements),
    )
    result = AGENTS[report.agent].run(data, work.report)
    work.save_with_result(lambda: store_answer(report, result))
    return {"agent": report.agent, "status": result.status, "score": result.score, "findings": len(result.findings)}


def store_answer(report: AgentReport, result: AgentResult) -> None:
    answer = result.model_dump(mode="json", exclude={"findings"})
    AgentReport.objects.filter(pk=report.pk).update(**answer)
    Finding.objects.bulk_create((row_of(finding, report) for finding in result.findings), batch_size=500)
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
    emit(task, "agent.finished", data)
    if result.findings:
        emit(task, "findings.found", {"agent": report.agent, "count": len(result.findings)})


def row_of(finding: AgentFinding, report: AgentReport) -> Finding:
    shown = {"rule", "title", "severity", "severity_origin", "resource", "file", "line_start", "line_end"}
    kept = {"monthly_saving_usd", "fingerprint_key"}
    return Finding(
        run_id=report.run_id,
        report=report,
        agent=report.agent,
        rule=finding.rule[:80],
        title=finding.title[:300],
        severity=finding.severity,
        severity_origin=finding.severity_origin,
        resource=finding.resource[:300],
        file=finding.file,
        line_start=finding.line_start,
        line_end=finding.line_end,
        detail=finding.model_dump(mode="json", exclude=shown | kept),
        monthly_saving_usd=finding.monthly_saving_usd,
        fingerprint=hashlib.sha256(f"{report.agent}\0{finding.fingerprint_key}".encode()).hexdigest(),
    )


# --- synthesis -----------------------------------------------------------------------------------------------------


def make_synthesis(run: AssessmentRun) -> list[TaskRun]:
    return [child(kinds.SYNTHESIS, "Settle scores", weight=10, subject=run)]


def synthesise(work: Work, run: AssessmentRun) -> dict[str, Any]:
    """One resource list, one coverage list, one comparison. Units of work are these steps."""
    steps = 4
    data = merged(run)
    work.report(1, steps, "Comparing with the run before")
    before = run.assessment.runs.filter(number__lt=run.number, status=AssessmentRun.Status.COMPLETED).first()
    known = set(before.findings.counted().values_list("fingerprint", flat=True)) if before else set()
    found = set(run.findings.counted().values_list("fingerprint", flat=True))
    work.report(2, steps, "Counting findings")
    summary = summary_of(run, data)
    if before:
        summary["comparison"] = {
            "run": before.number,
            "new": len(found - known),
            "persisting": len(found & known),
            "fixed": len(known - found),
        }
    work.report(3, steps, "Settling scores")
    work.save_with_result(lambda: store_synthesis(run, data, summary, known if before else None))
    work.report(4, steps, "Scores are settled")
    return {"findings": len(found)}


def summary_of(run: AssessmentRun, data: ScanResult) -> dict[str, Any]:
    """Counts by severity, score by agent, checks by outcome, files by coverage."""
    return {
        "severities": severity_counts(run),
        "scores": {r.agent: r.score for r in run.reports.all()},
        "checks": dict(Counter(check.outcome.value for check in data.checks)),
        "resources": len(data.resources),
        "coverage": dict(Counter(file.status.value for file in data.coverage)),
        "engines": data.engines,
    }


def store_synthesis(run: AssessmentRun, data: ScanResult, summary: dict[str, Any], known: set[str] | None) -> None:
    failed = TaskRun.objects.filter(parent=run.task_id, stage="agents").exclude(state=State.SUCCESS)
    for task in failed:
        AgentReport.objects.filter(run=run, pk=str(task.subject_id)).update(
            status=AgentReport.FAILED, reason=task.error or "The agent was cancelled."
        )
    if known is not None:
        run.findings.counted().filter(fingerprint__in=known).update(since=Finding.Since.PERSISTING)
        run.findings.counted().exclude(fingerprint__in=known).update(since=Finding.Since.NEW)
    AssessmentRun.objects.filter(pk=run.pk).update(
        summary=summary,
        coverage=[file.model_dump(mode="json") for file in data.coverage],
        resources=[resource.model_dump(mode="json", exclude={"attributes"}) for resource in data.resources],
    )


def child(kind: TaskKind, title: str, *, weight: float, subject: Model) -> TaskRun:
    """An unsaved child run. ``weight`` is its percent of the whole assessment."""
    return TaskRun(
        kind=kind.name,
        queue=kind.queue,
        title=title[:200],
        weight=weight,
        max_attempts=settings.TASKS_MAX_ATTEMPTS,
        **subject_of(subject),
    )


STAGES = (
    Stage(
        name="intake",
        label="Intake",
        weight=10,
        waiting="Reading files",
        make=make_intake,
        facts=intake_facts,
        must_succeed=True,
    ),
    Stage(name="scan", label="Scan", weight=40, waiting="Scanning", make=make_scan, facts=scan_facts),
    Stage(
        name="agents",
        label="Agents",
        weight=40,
        waiting="Agents at work",
        prepare=merge_scan,
        make=make_agents,
    ),
    Stage(
        name="synthesis",
        label="Synthesis",
        weight=10,
        waiting="Settling scores",
        make=make_synthesis,
        must_succeed=True,
    ),
)
"""In order. The weights add up to 100 percent."""
