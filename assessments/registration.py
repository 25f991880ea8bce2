"""Each kind's behavior for the dashboard: its link, its findings, how to repeat it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils import timezone

from assessments import kinds, listing, services
from assessments.attention import Reason
from assessments.models import AssessmentRun, Finding
from assessments.quotas import QuotaError
from tasks_ui.kinds import CannotCompareError, CannotRunAgainError, register
from tasks_ui.models import State

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser
    from django.urls import ResolverMatch

    from tasks_ui.models import TaskRun

Status = AssessmentRun.Status
ENDED = {
    State.SUCCESS: Status.RECOMMENDING,  # completed with its recommendations
    State.FAILURE: Status.FAILED,
    State.REVOKED: Status.CANCELLED,
}


def register_kinds() -> None:
    """Called once, when the application is ready."""
    for kind in (kinds.INTAKE, kinds.SCAN, kinds.AGENT, kinds.SYNTHESIS):
        register(kind)
    register(
        replace(
            kinds.PROCESS,
            link=run_url,
            shows=is_page_of,
            on_final=settle_run,
            describe=listing.describe_analyses,
            run_again=run_again,
            compare=comparison_url,
        )
    )
    register(
        replace(
            kinds.RECOMMENDATIONS,
            link=run_url,
            on_final=complete_run,
            describe=listing.describe_recommendations,
            run_again=run_again,
            is_follow_up=True,
        )
    )
    register(
        replace(
            kinds.REPORT,
            link=lambda report: run_url(report.run),
            describe=listing.describe_reports,
            run_again=run_again,
            is_follow_up=True,
        )
    )


def run_url(run: Any) -> str:
    return reverse("run", args=[run.assessment_id, run.number])


PAGES = {
    "run",
    "answer",
    "run_map",
    "run_findings",
    "run_inventory",
    "run_code",
    "run_compliance",
    "run_costs",
    "run_parts",
}
"""Addresses that show a run and, asked by GET, change nothing."""


def is_page_of(task: TaskRun, match: ResolverMatch) -> bool:
    run = AssessmentRun.objects.filter(task=task).only("assessment_id", "number").first()
    if run is None:
        return False
    if match.url_name == "finding":
        return Finding.objects.filter(run=run, pk=match.kwargs["finding_id"]).exists()
    place = match.kwargs.get("assessment_id"), match.kwargs.get("number")
    return match.url_name in PAGES and place == (run.assessment_id, run.number)


def run_again(task: TaskRun, by: AbstractBaseUser, *, only_failed: bool = False) -> TaskRun:
    try:
        return services.run_again(task, by=by, only_failed=only_failed)
    except QuotaError as error:
        raise CannotRunAgainError(error.message, status=error.status) from None


def comparison_url(one: TaskRun, other: TaskRun) -> str:
    """Of the later run against the earlier one. Raises CannotCompareError."""
    rows = AssessmentRun.objects.filter(task__in=[one, other]).select_related("assessment")
    runs = list(rows.order_by("number", "pk"))
    if len(runs) != 2:
        raise CannotCompareError("What one of them worked on has been deleted.")
    earlier, later = runs
    if earlier.assessment_id != later.assessment_id:
        names = f"“{earlier.assessment}” and “{later.assessment}”"
        raise CannotCompareError(f"They are runs of different assessments, {names}.")
    for run in runs:
        if run.status not in {Status.RECOMMENDING, Status.COMPLETED}:
            raise CannotCompareError(f"Run {run.number} has no findings to compare.")
    return f"{reverse('compare_runs', args=[later.pk])}?with={earlier.pk}"


def settle_run(task: TaskRun) -> None:
    """Make the run's status follow its task's final state."""
    AssessmentRun.objects.filter(task=task).update(
        status=ENDED[State(task.state)], finished_at=timezone.now()
    )


def complete_run(task: TaskRun) -> None:
    """A run's recommendations have ended, one way or another: the run is complete."""
    run = AssessmentRun.objects.filter(pk=str(task.subject_id), status=Status.RECOMMENDING).first()
    if run is None:
        return
    if task.state != State.SUCCESS:
        words = task.error or "they were cancelled."
        run.attention.append(
            Reason(
                code="recommendations_failed",
                message=f"The recommendations are missing: {words}",
                count=1,
                files=[],
            )
        )
    run.status = Status.COMPLETED
    run.save(update_fields=["status", "attention"])
