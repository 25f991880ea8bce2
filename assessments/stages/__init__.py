"""The stages of a run: intake, scan, agents, synthesis. Each stage's children run in parallel over
all workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assessments.agents.types import AgentStatus
from assessments.attention import nothing_was_read, what_was_not_read
from assessments.models import AssessmentRun
from assessments.services import queue_recommendations, run_summary
from tasks_ui.worker.work import TaskFailed

if TYPE_CHECKING:
    from tasks_ui.worker.work import Work

from assessments.stages.ask import make_agents
from assessments.stages.intake import intake_facts, make_intake
from assessments.stages.scan import make_scan, merge_scan, scan_facts
from assessments.stages.stage import Stage
from assessments.stages.synthesis import make_synthesis


def begin(run: AssessmentRun) -> None:
    AssessmentRun.objects.filter(pk=run.pk, status=AssessmentRun.Status.PENDING).update(
        status=AssessmentRun.Status.RUNNING
    )


def finish(work: Work, run: AssessmentRun) -> dict[str, Any]:
    """The summary; with the run's success its recommendations are queued. Raises TaskFailed when no
    agent answered."""
    run.refresh_from_db()
    run.status = AssessmentRun.Status.COMPLETED
    summary = run_summary(run)
    if not summary["agents_completed"]:
        raise TaskFailed("No agent could finish; see each agent's error.", code="no_agent")
    answered = run.reports.filter(status=AgentStatus.ASSESSED).exists()
    if nothing_was_read(run) and not answered:
        raise TaskFailed(what_was_not_read(run), code="nothing_read")
    work.save_with_result(lambda: queue_recommendations(run))
    return summary


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
    Stage(
        name="scan", label="Scan", weight=40, waiting="Scanning", make=make_scan, facts=scan_facts
    ),
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
        waiting="Calculating scores",
        make=make_synthesis,
        must_succeed=True,
    ),
)
