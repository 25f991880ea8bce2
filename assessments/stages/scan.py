"""The scan stage: one engine on one shard per task, and the merge of what they found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import transaction
from django.db.models import Count, Sum

from assessments import kinds
from assessments.agents.check_findings import worst_findings
from assessments.agents.types import AgentFinding
from assessments.models import (
    AssessmentRun,
    MergedScan,
    ScanShard,
)
from assessments.scan.engines import run_shard
from assessments.scan.merge import merge, shard_failure
from assessments.scan.sandbox import LEVELS, Level, ScanError, ScanTimeout
from assessments.scan.shards import Shard
from assessments.scan.types import FileCoverage, Outcome, ShardOutput
from assessments.stages.stage import (
    child,
    confinement,
    inputs,
    packed,
    packed_parts,
    sandbox,
    unpacked,
)
from tasks_ui.models import TaskRun
from tasks_ui.worker.work import TaskFailed, Work


def make_scan(run: AssessmentRun) -> list[TaskRun]:
    shards = list(run.shards.defer("output"))
    whole = sum(shard.weight for shard in shards) or 1
    return [
        child(kinds.SCAN, str(shard), weight=40 * shard.weight / whole, subject=shard)
        for shard in shards
    ]


def scan(work: Work, row: ScanShard) -> dict[str, Any]:
    """Run one engine on one shard. Units of work are the engine's own. A cancel ends its processes
    at once.

    An engine that failed is not tried again, as the same files would make it fail again. One that
    the system killed was tried twice already (``again_if_killed``).
    """
    shard, level = Shard.from_builtins(row.spec), confinement()
    with ExitStack() as stack, _final_unless_stopped(work):
        output = run_shard(
            shard,
            inputs(row.run, paths=shard.paths),
            sandbox=sandbox(),
            on_progress=work.report,
            should_stop=lambda: work.is_stopped,
            register=lambda kill: stack.enter_context(work.stopping(kill)),
        )
    work.save_with_result(lambda: store_scan(row, output, level))
    return {"engine": row.engine, "checks": len(output.checks), "resources": len(output.resources)}


@contextmanager
def _final_unless_stopped(work: Work) -> Iterator[None]:
    try:
        yield
    except ScanError as error:
        if work.is_stopped:
            raise
        code = "engine_time_limit" if isinstance(error, ScanTimeout) else "engine_failed"
        raise TaskFailed(str(error), code=code) from error


def store_scan(row: ScanShard, output: ShardOutput, level: Level) -> None:
    failed = [check for check in output.checks if check.outcome is Outcome.FAILED]
    ScanShard.objects.filter(pk=row.pk).update(
        output=packed(output),
        checks=len(output.checks),
        failed=len(failed),
        worst=[shown_check(finding) for finding in worst_findings(failed, of=output.checks)],
        resources=len(output.resources),
        sandbox=level,
    )


def shown_check(finding: AgentFinding) -> dict[str, Any]:
    """How the page of an active run shows a failed check, before agents have read the scan."""
    return {
        "rule": finding.rule[:80],
        "title": finding.title[:300],
        "severity": int(finding.severity),
        "place": f"{finding.file}:{finding.line_start}"[-300:],
    }


def weakest_level(run: AssessmentRun) -> str:
    """The sandbox level of the run's scan; of several workers' levels the weakest. Empty where no
    engine ran."""
    if run.completes:
        return str(run.completes.summary.get("sandbox", ""))
    levels = run.shards.order_by().values_list("sandbox", flat=True).distinct()
    return max((level for level in LEVELS if level in set(levels)), key=LEVELS.index, default="")


def scan_facts(run: AssessmentRun) -> dict[str, Any]:
    shards = run.shards.aggregate(
        shards=Count("pk"), checks=Sum("checks"), resources=Sum("resources")
    )
    return {key: count or 0 for key, count in shards.items()}


def merge_scan(run: AssessmentRun) -> None:
    """Merge the shards' outputs into what the agents read. Done once; it then drops the outputs."""
    if MergedScan.objects.filter(run=run).exists():
        return
    if run.completes:
        copy_scan(run.completes, to=run)
        return
    answered = run.shards.filter(output__isnull=False).values_list("output", flat=True)
    outputs = [unpacked(ShardOutput, bytes(data)) for data in answered if data]
    merged = merge(
        outputs,
        files=inputs(run),
        failed_shards=lost_shards(run),
    )
    with transaction.atomic():
        MergedScan.objects.get_or_create(run=run, defaults=packed_parts(merged))
        run.shards.update(output=None)


def copy_scan(run: AssessmentRun, *, to: AssessmentRun) -> None:
    scan = run.scan
    scan.pk, scan.run = to.pk, to
    scan.save(force_insert=True)


def lost_shards(run: AssessmentRun) -> list[FileCoverage]:
    """The files of shards whose task failed or was cancelled, with the reason."""
    errors = dict(
        TaskRun.objects.filter(parent=run.task_id, stage="scan").values_list("subject_id", "error")
    )
    return [
        gap
        for row in run.shards.filter(output__isnull=True)
        for gap in shard_failure(
            row.spec["paths"], engine=row.engine, reason=errors.get(row.pk) or "it was cancelled."
        )
    ]
