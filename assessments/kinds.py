"""The kinds of task that assessments make, by the names that Celery knows them under."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils import timezone

from tasks_ui.kinds import TaskKind, register
from tasks_ui.models import State

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

    from tasks_ui.models import TaskRun


def run_url(run: Any) -> str:
    return reverse("run", args=[run.assessment_id, run.number])


def listing() -> ModuleType:
    """The module of that name, which reads models: those are not there yet when this one is imported."""
    from assessments import listing

    return listing


def run_again(task: TaskRun, by: AbstractBaseUser, *, only_failed: bool = False) -> TaskRun:
    from assessments import services

    return services.run_again(task, by=by, only_failed=only_failed)


def settle_run(task: TaskRun) -> None:
    """Make the run's status follow its task's final state."""
    from assessments.models import AssessmentRun

    status = {State.SUCCESS: "completed", State.FAILURE: "failed", State.REVOKED: "cancelled"}[State(task.state)]
    AssessmentRun.objects.filter(task=task).update(status=status, finished_at=timezone.now())


PROCESS = register(
    TaskKind(
        name="process_assessment",
        label="Assessment",
        task_name="tasks.assessment_tasks.process_assessment",
        queue="assessments",
        link=run_url,
        on_final=settle_run,
        describe=lambda tasks: listing().describe_analyses(tasks),
        run_again=run_again,
    )
)
INTAKE = register(
    TaskKind(name="intake", label="Intake", task_name="tasks.assessment_tasks.read_files", queue="assessments")
)
SCAN = register(TaskKind(name="scan", label="Scan", task_name="tasks.assessment_tasks.scan_shard", queue="assessments"))
AGENT = register(
    TaskKind(name="agent", label="Agent", task_name="tasks.assessment_tasks.run_agent", queue="assessments")
)
SYNTHESIS = register(
    TaskKind(name="synthesis", label="Synthesis", task_name="tasks.assessment_tasks.synthesise", queue="assessments")
)
RECOMMENDATIONS = register(
    TaskKind(
        name="generate_recommendations",
        label="Recommendations",
        task_name="tasks.recommendation_tasks.generate_recommendations",
        queue="default",
        link=run_url,
        describe=lambda tasks: listing().describe_recommendations(tasks),
        run_again=run_again,
        is_follow_up=True,
    )
)
REPORT = register(
    TaskKind(
        name="generate_report",
        label="Report",
        task_name="tasks.report_tasks.generate_report",
        queue="reports",
        link=lambda report: run_url(report.run),
        describe=lambda tasks: listing().describe_reports(tasks),
        run_again=run_again,
        is_follow_up=True,
    )
)
