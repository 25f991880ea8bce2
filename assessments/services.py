"""What a person or a program may ask of an assessment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from assessments import kinds, quotas
from assessments.models import (
    AgentReport,
    Assessment,
    AssessmentRun,
    Report,
    SourceFile,
    subject_of,
)
from assessments.requirements import Requirements
from assessments.scan.intake import Limits, UploadError, read_upload
from tasks_ui.kinds import CannotRunAgainError
from tasks_ui.models import TaskRun, TaskRunQuerySet
from tasks_ui.runs.erasing import erase
from tasks_ui.runs.services import cancel_all
from tasks_ui.runs.transitions import create_run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.contrib.auth.models import AbstractBaseUser
    from django.db.models import QuerySet


SAMPLE_NAME = "Sample web shop"
DELETED = "Deleted assessment"
"""The title of a task that is still ending when its assessment is gone."""
SAMPLE = settings.BASE_DIR / "assessments" / "samples" / "webshop"


def upload_limits() -> Limits:
    return Limits(
        total_bytes=settings.UPLOAD_MAX_BYTES,
        files=settings.UPLOAD_MAX_FILES,
        file_bytes=settings.UPLOAD_MAX_FILE_BYTES,
    )


def create_assessment(
    *,
    owner: AbstractBaseUser,
    name: str,
    requirements: Requirements,
    uploads: Iterable[tuple[str, bytes]],
    idempotency_key: str | None = None,
) -> Assessment:
    """Store the files of ``uploads`` ((path, content), archives are unpacked) under a new
    assessment. The same ``idempotency_key`` gives the same assessment.

    Raises, with nothing stored, UploadError for what can't be taken, and when there is neither a
    file nor a requirement to work from; QuotaError where the owner has no room for it.
    """
    files = read_upload(uploads, limits=upload_limits())
    stated = requirements.model_dump(mode="json", exclude_defaults=True)
    if not files and not stated:
        raise UploadError(
            "There is nothing to assess. Add a file, or answer at least one question on the"
            " workload."
        )
    size = sum(file.size for file in files)
    with transaction.atomic():
        quotas.lock(owner.pk)
        earlier = _earlier(Assessment.objects.all(), owner=owner, key=idempotency_key)
        if earlier:
            return earlier
        quotas.check_upload(owner.pk, size=size)
        assessment = Assessment.objects.create(
            owner_id=owner.pk,
            name=name,
            requirements=stated,
            idempotency_key=idempotency_key,
            stored_bytes=size,
        )
        SourceFile.objects.bulk_create(
            SourceFile(
                assessment=assessment,
                path=file.path,
                size=file.size,
                sha256=file.sha256,
                content=file.content,
            )
            for file in files
        )
    return assessment


def create_sample(*, owner: AbstractBaseUser) -> Assessment:
    """The sample that comes with Infra Mind: a small web shop with honest flaws."""
    stated = SAMPLE / "requirements.json"
    files = sorted(path for path in SAMPLE.rglob("*") if path.is_file() and path != stated)
    return create_assessment(
        owner=owner,
        name=SAMPLE_NAME,
        requirements=Requirements.model_validate(json.loads(stated.read_text())),
        uploads=[(path.relative_to(SAMPLE).as_posix(), path.read_bytes()) for path in files],
    )


def delete_assessment(assessment: Assessment, *, by: AbstractBaseUser | None) -> None:
    """Delete an assessment with its files and all that was found. Every task about it is cancelled,
    and forgotten, or, while it is still ending, no longer shows the name.

    Tasks are cancelled before the deletion, so that workers stop writing, and again after it, as
    one may have queued the next meanwhile. The locks keep new runs and reports out in between.
    """
    cancel_all(tasks_about(assessment), by=by)
    name = assessment.name
    with transaction.atomic():
        Assessment.objects.select_for_update().filter(pk=assessment.pk).first()
        list(assessment.runs.select_for_update().values_list("pk"))
        left = tasks_about(assessment)
        assessment.delete()
    cancel_all(left, by=by)
    erase(left, name=name, title=DELETED)


def state_requirements(assessment: Assessment, *, requirements: Requirements) -> None:
    """Replace what is known of the workload. Runs that exist keep what they were started with."""
    assessment.requirements = requirements.model_dump(mode="json", exclude_defaults=True)
    assessment.save(update_fields=["requirements"])


def start_analysis(
    assessment: Assessment,
    *,
    by: AbstractBaseUser,
    idempotency_key: str | None = None,
    again_of: TaskRun | None = None,
    completes: AssessmentRun | None = None,
) -> TaskRun:
    """Queue a run of the assessment and return at once. The same ``idempotency_key`` gives the same
    run.

    ``completes`` is an earlier run whose scan and answers are taken over: only its failed agents
    are asked again. Raises QuotaError, with nothing stored.
    """
    with transaction.atomic():
        quotas.lock(by.pk)
        earlier = _earlier(TaskRun.objects.all(), owner=by, key=idempotency_key)
        if earlier:
            return earlier
        quotas.check_waiting(by.pk)
        return _start(
            assessment,
            by=by,
            idempotency_key=idempotency_key,
            again_of=again_of,
            completes=completes,
        )


def run_again(task: TaskRun, *, by: AbstractBaseUser, only_failed: bool = False) -> TaskRun:
    """Queue the work of a finished run once more, as a new run linked to the old, which stays as it
    is.

    ``only_failed`` asks only the agents that failed. Raises CannotRunAgainError, QuotaError.
    """
    if not task.is_final:
        raise CannotRunAgainError("It has not finished. Cancel it first, or wait for its end.")
    if task.kind == kinds.REPORT.name:
        report = Report.objects.filter(pk=str(task.subject_id)).first()
        if report is None:
            raise CannotRunAgainError("Its assessment was deleted.")
        document = request_report(
            report.run, by=by, kind=report.kind, format=report.format, again_of=task
        )
        return TaskRun.objects.get(document=document)
    run = AssessmentRun.objects.select_related("assessment").filter(pk=str(task.subject_id)).first()
    if run is None or task.kind not in {kinds.PROCESS.name, kinds.RECOMMENDATIONS.name}:
        raise CannotRunAgainError(
            "This kind of task is not run again by itself; run its assessment again."
        )
    if task.kind == kinds.RECOMMENDATIONS.name:
        with transaction.atomic():
            quotas.lock(run.assessment.owner_id)
            quotas.check_waiting(run.assessment.owner_id)
            return queue_recommendations(run, again_of=task)
    if only_failed and not (
        run.reports.filter(status=AgentReport.FAILED).exists() and hasattr(run, "scan")
    ):
        raise CannotRunAgainError("No agent of this run failed. Run the whole assessment again.")
    return start_analysis(
        run.assessment, by=by, again_of=task, completes=run if only_failed else None
    )


def queue_recommendations(run: AssessmentRun, *, again_of: TaskRun | None = None) -> TaskRun:
    return create_run(
        owner_id=run.assessment.owner_id,
        kind=kinds.RECOMMENDATIONS.name,
        queue=kinds.RECOMMENDATIONS.queue,
        title=f"{run}, recommendations"[:200],
        max_attempts=settings.TASKS_MAX_ATTEMPTS,
        again_of=again_of,
        **subject_of(run),
    )


def request_report(
    run: AssessmentRun,
    *,
    by: AbstractBaseUser,
    kind: str,
    format: str,
    again_of: TaskRun | None = None,
) -> Report:
    """Queue a report of a run. Its task is ``report.task``. Raises QuotaError, with nothing
    stored."""
    owner_id = run.assessment.owner_id
    with transaction.atomic():
        quotas.lock(owner_id, by.pk)
        quotas.check_waiting(by.pk)
        quotas.check_reports(owner_id)
        return _queue_report(run, owner_id=by.pk, kind=kind, format=format, again_of=again_of)


def follow_with_report(run: AssessmentRun) -> str:
    """Queue the report that comes with a run by itself. Returns why not, where there is no room
    for it: a run does not fail for that."""
    owner_id = run.assessment.owner_id
    with transaction.atomic():
        quotas.lock(owner_id)
        try:
            quotas.check_reports(owner_id)
        except quotas.QuotaError as error:
            return error.message
        _queue_report(run, owner_id=owner_id, kind="technical", format="html", again_of=None)
    return ""


def tasks_about(assessment: Assessment) -> TaskRunQuerySet:
    """The tasks whose subject is a run or a report of the assessment as it is now; their children
    are cancelled with them."""
    runs = list(assessment.runs.values_list("pk", flat=True))
    reports = list(Report.objects.filter(run__in=runs).values_list("pk", flat=True))
    types = ContentType.objects.get_for_models(AssessmentRun, Report)
    return TaskRun.objects.roots().filter(
        Q(subject_type=types[AssessmentRun], subject_id__in=runs)
        | Q(subject_type=types[Report], subject_id__in=reports)
    )


def run_summary(run: AssessmentRun) -> dict[str, Any]:
    """The result of ``process_assessment``: the ids, the status, seconds, and how many agents
    answered.

    ``success_rate`` is percent: 100 x completed / (completed + failed) agents.
    """
    failed = run.reports.filter(status="failed").count()
    completed = run.reports.exclude(status__in=["", "failed"]).count()
    started = run.task.started_at if run.task and run.task.started_at else run.created_at
    return {
        "assessment_id": str(run.assessment_id),
        "run": run.number,
        "status": run.status,
        "execution_time": round(((run.finished_at or timezone.now()) - started).total_seconds(), 3),
        "agents_completed": completed,
        "agents_failed": failed,
        "success_rate": (
            round(100 * completed / (completed + failed), 1) if completed + failed else 0.0
        ),
        "partial": bool(run.attention),
        "needs_attention": [reason["message"] for reason in run.attention],
    }


def _earlier[M: (Assessment, TaskRun)](
    rows: QuerySet[M], *, owner: AbstractBaseUser, key: str | None
) -> M | None:
    """What an earlier request with this Idempotency-Key created. The owner is locked."""
    return rows.filter(owner_id=owner.pk, idempotency_key=key).first() if key is not None else None


def _queue_report(
    run: AssessmentRun, *, owner_id: int, kind: str, format: str, again_of: TaskRun | None
) -> Report:
    report = Report.objects.create(run=run, kind=kind, format=format)
    report.task = create_run(
        owner_id=owner_id,
        kind=kinds.REPORT.name,
        queue=kinds.REPORT.queue,
        title=f"{run}, {kind} report, {format.upper()}"[:200],
        max_attempts=settings.TASKS_MAX_ATTEMPTS,
        again_of=again_of,
        **subject_of(report),
    )
    report.save(update_fields=["task"])
    return report


def _start(
    assessment: Assessment,
    *,
    by: AbstractBaseUser,
    idempotency_key: str | None,
    again_of: TaskRun | None,
    completes: AssessmentRun | None,
) -> TaskRun:
    Assessment.objects.select_for_update(no_key=True).get(
        pk=assessment.pk
    )  # numbers are counted one after another
    last = assessment.runs.aggregate(last=Max("number"))["last"] or 0
    run = AssessmentRun.objects.create(
        assessment=assessment,
        number=last + 1,
        requirements=assessment.requirements,
        completes=completes,
    )
    run.task = create_run(
        owner_id=by.pk,
        kind=kinds.PROCESS.name,
        queue=kinds.PROCESS.queue,
        title=f"{assessment.name} run {run.number}"[:200],
        message="Waiting for a worker",
        max_attempts=settings.TASKS_MAX_ATTEMPTS,
        idempotency_key=idempotency_key,
        again_of=again_of,
        **subject_of(run),
    )
    run.save(update_fields=["task"])
    return run.task
