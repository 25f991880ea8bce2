"""What people and programs can do with an assessment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from assessments import kinds, quotas, versions
from assessments.models import (
    AgentReport,
    Assessment,
    AssessmentRun,
    Report,
    Version,
    subject_of,
)
from assessments.requirements import Requirements
from assessments.scan.intake import InputFile, UploadError, read_upload
from assessments.versions import Change
from tasks_ui.kinds import CannotRunAgainError
from tasks_ui.models import TaskRun, TaskRunQuerySet
from tasks_ui.runs.erasing import erase
from tasks_ui.runs.services import cancel_all, forget
from tasks_ui.runs.transitions import create_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.contrib.auth.models import AbstractBaseUser
    from django.db.models import QuerySet


SAMPLE_NAME = "Sample web shop"
DELETED = "Deleted assessment"
"""The title of a task that is still ending when its assessment is gone."""
SAMPLE = settings.BASE_DIR / "assessments" / "samples" / "webshop"


class VersionDroppedError(Exception):
    """The version's files are no longer kept, so it can't be read again."""

    def __init__(self, version: Version) -> None:
        super().__init__(
            f"The files of version {version.number} are no longer kept. Upload them as a new"
            " version."
        )


def create_assessment(
    *,
    owner: AbstractBaseUser,
    name: str,
    requirements: Requirements,
    uploads: Iterable[tuple[str, bytes]],
    source: Version.Source = Version.Source.UPLOAD,
    idempotency_key: str | None = None,
) -> Assessment:
    """Store the files of ``uploads`` ((path, content), archives are unpacked) as the first version
    of a new assessment. The same ``idempotency_key`` gives the same assessment.

    Raises, with nothing stored, UploadError if the upload is refused or there is neither a file nor
    a requirement to work from; QuotaError if the owner has no room for it.
    """
    return _create(
        read_upload(uploads, limits=versions.upload_limits()),
        owner=owner,
        name=name,
        requirements=requirements,
        source=source,
        idempotency_key=idempotency_key,
    )


def change_assessment(
    assessment: Assessment,
    change: Change,
    *,
    by: AbstractBaseUser,
    name: str | None = None,
    requirements: Requirements | None = None,
    source: Version.Source = Version.Source.UPLOAD,
    idempotency_key: str | None = None,
) -> Version:
    """Add a version; a name and requirements that are stated replace the assessment's. Raises
    UploadError and QuotaError, with nothing stored."""
    with transaction.atomic():
        version = versions.add_version(
            assessment, change, by=by, source=source, idempotency_key=idempotency_key
        )
        if name and name != assessment.name:
            assessment.name = name
            assessment.save(update_fields=["name"])
        if requirements and requirements.model_dump(exclude_defaults=True):
            state_requirements(assessment, requirements=requirements)
    return version


def analyze_upload(
    *,
    owner: AbstractBaseUser,
    name: str,
    requirements: Requirements,
    change: Change | None,
    assessment: Assessment | None = None,
    reuse: bool = False,
    idempotency_key: str | None = None,
    source: Version.Source = Version.Source.API,
) -> TaskRun:
    """Start a run of an upload: a new version of ``assessment``, or (``reuse``) of the owner's
    newest of this ``name``, or a new assessment. The same ``idempotency_key`` gives the same run.

    Without a ``change`` the run reads the newest version. Requirements that are stated replace
    those of the assessment. Raises UploadError and QuotaError, with nothing stored.
    """
    with transaction.atomic():
        quotas.lock(owner.pk)
        earlier = _earlier(TaskRun.objects.all(), owner=owner, key=idempotency_key)
        if earlier:
            return earlier
        quotas.check_waiting(owner.pk)
        if assessment is None and reuse:
            assessment = Assessment.objects.visible_to(owner).filter(name=name).first()
        if assessment is None:
            assessment = _create(
                change.files if change else [],
                owner=owner,
                name=name,
                requirements=requirements,
                source=source,
            )
        elif change:
            change_assessment(
                assessment,
                change,
                by=owner,
                requirements=requirements,
                source=source,
            )
        elif requirements.model_dump(exclude_defaults=True):
            state_requirements(assessment, requirements=requirements)
        return start_analysis(assessment, by=owner, idempotency_key=idempotency_key)


def create_sample(*, owner: AbstractBaseUser) -> Assessment:
    """The sample that comes with Infra Mind: a small web shop with realistic flaws."""
    stated = SAMPLE / "requirements.json"
    files = sorted(path for path in SAMPLE.rglob("*") if path.is_file() and path != stated)
    return create_assessment(
        owner=owner,
        name=SAMPLE_NAME,
        requirements=Requirements.model_validate(json.loads(stated.read_text())),
        uploads=[(path.relative_to(SAMPLE).as_posix(), path.read_bytes()) for path in files],
        source=Version.Source.SAMPLE,
    )


def delete_assessment(assessment: Assessment, *, by: AbstractBaseUser | None) -> None:
    """Delete an assessment with its versions and results. Its tasks are cancelled and deleted; one
    that is still ending no longer shows the name.

    Tasks are cancelled before the deletion, so that workers stop writing, and again after it, as
    one may have queued the next in the meantime. The locks keep out new runs and reports in
    between.
    """
    cancel_all(tasks_about(assessment), by=by)
    name = assessment.name
    with transaction.atomic():
        quotas.lock(assessment.owner_id)
        Assessment.objects.select_for_update().filter(pk=assessment.pk).first()
        list(assessment.runs.select_for_update().values_list("pk"))
        left, blobs = tasks_about(assessment), versions.blobs_of(assessment)
        assessment.delete()
        versions.free(assessment.owner_id, blobs)
    cancel_all(left, by=by)
    erase(left, name=name, title=DELETED)


def delete_report(report: Report, *, by: AbstractBaseUser | None) -> None:
    """Delete a report. Its task is cancelled, or deleted if it has finished."""
    tasks = TaskRun.objects.filter(pk__in=[report.task_id] if report.task_id else [])
    cancel_all(tasks, by=by)
    report.delete()
    for task in tasks.all():
        forget(task)


def describe(assessment: Assessment, *, name: str, tags: list[str]) -> None:
    """Rename and tag an assessment. Its runs and reports carry the new name from now on."""
    assessment.name, assessment.tags = name, tags
    assessment.save(update_fields=["name", "tags"])


def state_requirements(assessment: Assessment, *, requirements: Requirements) -> None:
    """Replace the workload's requirements. Existing runs keep those that they were started with."""
    assessment.requirements = requirements.model_dump(mode="json", exclude_defaults=True)
    assessment.save(update_fields=["requirements"])


def start_analysis(
    assessment: Assessment,
    *,
    by: AbstractBaseUser,
    idempotency_key: str | None = None,
    again_of: TaskRun | None = None,
    completes: AssessmentRun | None = None,
    version: Version | None = None,
    asks_all: bool = False,
) -> TaskRun:
    """Queue a run of a version of the assessment, the newest where none is named, and return at
    once. The same ``idempotency_key`` gives the same run.

    ``completes`` is an earlier run whose version, scan and answers are taken over: only its failed
    agents are asked again, or, with ``asks_all``, every agent on its scan. Raises, with nothing
    stored, QuotaError, and VersionDroppedError where the version's files are no longer kept.
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
            version=completes.version if completes else version,
            asks_all=asks_all,
        )


def recalculate(run: AssessmentRun, *, by: AbstractBaseUser, requirements: Requirements) -> TaskRun:
    """Replace what is known of the workload, and queue a run that asks all agents on the scan of
    ``run``: the same files would give the same scan. Raises QuotaError and VersionDroppedError,
    with nothing stored."""
    with transaction.atomic():
        state_requirements(run.assessment, requirements=requirements)
        return start_analysis(
            run.assessment, by=by, again_of=run.task, completes=run, asks_all=True
        )


def run_again(task: TaskRun, *, by: AbstractBaseUser, only_failed: bool = False) -> TaskRun:
    """Repeat the work of a finished run, on the same version, as a new run linked to the old one,
    which stays as it is.

    ``only_failed`` asks only the agents that failed. Raises CannotRunAgainError, QuotaError.
    """
    if not task.is_final:
        raise CannotRunAgainError("It has not finished. Cancel it first, or wait until it ends.")
    if task.kind == kinds.REPORT.name:
        report = Report.objects.filter(pk=str(task.subject_id)).first()
        if report is None:
            raise CannotRunAgainError("What it worked on has been deleted.")
        document = request_report(
            report.run,
            by=by,
            kind=report.kind,
            format=report.format,
            scope=report.scope,
            again_of=task,
        )
        return TaskRun.objects.get(document=document)
    runs = AssessmentRun.objects.select_related("assessment", "version")
    run = runs.filter(pk=str(task.subject_id)).first()
    if run is None or task.kind not in {kinds.PROCESS.name, kinds.RECOMMENDATIONS.name}:
        raise CannotRunAgainError(
            "This kind of task can't be run again on its own; run its assessment again."
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
    try:
        return start_analysis(
            run.assessment,
            by=by,
            again_of=task,
            completes=run if only_failed else None,
            version=run.version,
        )
    except VersionDroppedError as error:
        raise CannotRunAgainError(str(error)) from None


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


class UnknownScopeError(Exception):
    """The run has no scope with that key."""


def request_report(
    run: AssessmentRun,
    *,
    by: AbstractBaseUser,
    kind: str,
    format: str,
    scope: str = "",
    again_of: TaskRun | None = None,
) -> Report:
    """Queue a report of a run, or of one of its scopes by its key. Its task is ``report.task``.
    Raises UnknownScopeError and QuotaError, with nothing stored."""
    if scope and scope not in {each["key"] for each in run.scopes}:
        raise UnknownScopeError(f"Run {run.number} has no scope {scope}.")
    owner_id = run.assessment.owner_id
    with transaction.atomic():
        quotas.lock(owner_id, by.pk)
        quotas.check_waiting(by.pk)
        quotas.check_reports(owner_id)
        return _queue_report(
            run, owner_id=by.pk, kind=kind, format=format, scope=scope, again_of=again_of
        )


def follow_with_report(run: AssessmentRun) -> str:
    """Queue the report that every run creates. If there is no room for it, returns the reason: a
    run does not fail because of that."""
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


def _create(
    files: Sequence[InputFile],
    *,
    owner: AbstractBaseUser,
    name: str,
    requirements: Requirements,
    source: Version.Source,
    idempotency_key: str | None = None,
) -> Assessment:
    stated = requirements.model_dump(mode="json", exclude_defaults=True)
    if not files and not stated:
        raise UploadError(
            "There is nothing to assess. Add a file, or answer at least one question about the"
            " workload."
        )
    with transaction.atomic():
        quotas.lock(owner.pk)
        earlier = _earlier(Assessment.objects.all(), owner=owner, key=idempotency_key)
        if earlier:
            return earlier
        quotas.check_assessments(owner.pk)
        assessment = Assessment.objects.create(
            owner_id=owner.pk, name=name, requirements=stated, idempotency_key=idempotency_key
        )
        first = Version(assessment=assessment, number=1, source=source, created_by_id=owner.pk)
        versions.store(first, files)
    return assessment


def _earlier[M: (Assessment, TaskRun)](
    rows: QuerySet[M], *, owner: AbstractBaseUser, key: str | None
) -> M | None:
    """What an earlier request with this Idempotency-Key created. The owner is locked."""
    return rows.filter(owner_id=owner.pk, idempotency_key=key).first() if key is not None else None


def _queue_report(
    run: AssessmentRun,
    *,
    owner_id: int,
    kind: str,
    format: str,
    scope: str = "",
    again_of: TaskRun | None,
) -> Report:
    report = Report.objects.create(run=run, kind=kind, format=format, scope=scope)
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
    version: Version | None,
    asks_all: bool = False,
) -> TaskRun:
    Assessment.objects.select_for_update(no_key=True).get(
        pk=assessment.pk
    )  # numbers are counted one after another, and no version is dropped meanwhile
    found = assessment.versions.get(pk=version.pk) if version else assessment.newest_version
    if found.files_dropped_at and completes is None:
        raise VersionDroppedError(found)
    last = assessment.runs.aggregate(last=Max("number"))["last"] or 0
    run = AssessmentRun.objects.create(
        assessment=assessment,
        number=last + 1,
        version=found,
        requirements=assessment.requirements,
        completes=completes,
        asks_all=asks_all,
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
