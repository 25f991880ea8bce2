"""The Celery tasks: each loads its row and calls plain Python.

``process_assessment`` only orchestrates. It starts the children of one stage and releases its
worker; the child that finishes last wakes it again, until no stage is left.
"""

from __future__ import annotations

from typing import Any

from celery import shared_task

from assessments import kinds, recommending, reports, retention, stages
from assessments.models import AgentReport, AssessmentRun, Report, ScanShard
from assessments.stages import ask, intake, scan, synthesis
from assessments.stages.stage import Stage
from tasks_ui.models import ACTIVE, State, TaskRun
from tasks_ui.worker.execute import tracked
from tasks_ui.worker.work import TaskFailed, WaitForChildren, Work


@tracked(kinds.PROCESS)
def process_assessment(work: Work) -> dict[str, Any]:
    """Take a run through its stages. Its result is the summary of ``services.run_summary``."""
    run = AssessmentRun.objects.get(task=work.run)
    stages.begin(run)
    percent = 0
    for stage in stages.STAGES:
        percent += stage.weight
        stage.prepare(run)
        children = work.create_children(stage=stage.name, make=lambda stage=stage: stage.make(run))  # type: ignore[misc]
        _stop_where_a_stage_failed(stage, children)
        if any(child.state in ACTIVE for child in children):
            raise WaitForChildren(stage.waiting)
        work.finish_stage(stage.name, percent=percent, **stage.facts(run))
    return stages.finish(work, run)


@tracked(kinds.INTAKE)
def read_files(work: Work) -> dict[str, Any]:
    """Classify a run's files and share them out into shards."""
    return intake.read_files(
        work, AssessmentRun.objects.select_related("assessment").get(pk=work.subject_id)
    )


@tracked(kinds.SCAN)
def scan_shard(work: Work) -> dict[str, Any]:
    """Run one engine on one shard."""
    return scan.scan(work, ScanShard.objects.select_related("run").get(pk=work.subject_id))


@tracked(kinds.AGENT)
def run_agent(work: Work) -> dict[str, Any]:
    """Let one agent read the scan's output."""
    return ask.ask_agent(work, AgentReport.objects.select_related("run").get(pk=work.subject_id))


@tracked(kinds.SYNTHESIS)
def synthesise(work: Work) -> dict[str, Any]:
    """Calculate scores, coverage and what changed since the previous run."""
    return synthesis.synthesise(work, AssessmentRun.objects.get(pk=work.subject_id))


@tracked(kinds.RECOMMENDATIONS)
def generate_recommendations(work: Work) -> dict[str, Any]:
    """Turn a run's findings into recommendations, in order, and queue the report."""
    return recommending.generate(work, AssessmentRun.objects.get(pk=work.subject_id))


@tracked(kinds.REPORT)
def generate_report(work: Work) -> dict[str, Any]:
    """Write one report of a run."""
    return reports.generate(work, Report.objects.select_related("run").get(pk=work.subject_id))


@shared_task(name="assessments.delete_old_assessments")
def delete_old_assessments() -> int:
    """Delete assessments that are past their retention; scheduled by beat."""
    return retention.delete_old_assessments()


def _stop_where_a_stage_failed(stage: Stage, children: list[TaskRun]) -> None:
    failed = [child for child in children if child.state == State.FAILURE]
    must_stop = stage.must_succeed or (stage.name == "scan" and len(failed) == len(children))
    if failed and must_stop:
        raise TaskFailed(failed[0].error, code=failed[0].error_code)
