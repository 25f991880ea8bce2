"""The REST API v1: assessments, their runs, and what the runs found."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from channels.db import database_sync_to_async
from django.conf import settings
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Header, Query, Router, Status
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assessments import services
from assessments.agents.types import Severity
from assessments.models import Assessment, AssessmentRun, Finding, Recommendation, Report
from assessments.muting import muted_count, mutes_of, severity_counts
from assessments.reports import CONTENT_TYPES
from assessments.requirements import Requirements
from assessments.rest import examples  # noqa: F401  (adds to the API's examples)
from assessments.rest.mutes import router as mutes
from assessments.scan.intake import UploadError
from assessments.scan.types import ScopeKind
from assessments.services import create_assessment, request_report, start_analysis
from tasks_ui.access.auth import caller
from tasks_ui.models import State, TaskRun
from tasks_ui.protocol import FieldError, Words
from tasks_ui.rest.api import Limit, api, status_of
from tasks_ui.rest.problems import field_errors, problem

WAIT_STEP_S = 0.25
RUNS_SHOWN = 50

router = Router(tags=["assessments"])
api.description = f"Assess infrastructure as code. {api.description}"

Key = Annotated[
    str | None,
    Header(
        None,
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="The same key gives the same result, however often it is sent",
    ),
]
RunNumber = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="The newest run, where none is named")
]


class FileIn(BaseModel):
    """A text file; ``path`` is relative, with forward slashes."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(min_length=1, max_length=1000)
    content: str


class AssessmentIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Words = Field(min_length=1, max_length=120)
    requirements: Requirements = Requirements.model_validate({})
    files: Annotated[list[FileIn], Field(max_length=settings.UPLOAD_MAX_FILES)] = []


class ReasonOut(BaseModel):
    """Why a run's answer is not whole. ``files`` names the first twenty of ``count``."""

    code: Literal["files_unread", "files_partly_read", "agent_failed", "recommendations_failed"]
    message: str
    count: int
    files: list[str]


class RunOut(BaseModel):
    """``recommending``: all findings are there, the recommendations are being written.
    ``needs_attention`` is empty where every file of an assessed kind was read and every agent
    answered."""

    number: int
    status: AssessmentRun.Status
    task_id: UUID | None
    created_at: datetime
    finished_at: datetime | None
    needs_attention: list[ReasonOut]

    @classmethod
    def of(cls, run: AssessmentRun) -> RunOut:
        names = ("number", "status", "task_id", "created_at", "finished_at")
        own = {name: getattr(run, name) for name in names}
        return cls(needs_attention=run.attention, **own)


class AssessmentOut(BaseModel):
    id: UUID
    name: str
    created_at: datetime
    files: int


class AssessmentDetail(AssessmentOut):
    """``runs`` holds the newest 50, newest first."""

    requirements: dict[str, Any]
    runs: list[RunOut]


class AssessmentPage(BaseModel):
    total: int
    assessments: list[AssessmentOut]
    next_cursor: UUID | None


class AgentOut(BaseModel):
    """What one agent answered. ``score`` is 0 to 100, by ``score_formula``; null where it could not
    assess, and why."""

    agent: str
    status: str
    reason: str
    missing: list[Any]
    score: int | None
    score_formula: str
    summary: str
    figures: list[Any]
    tables: list[Any]
    scopes: list[Any]
    gaps: list[str]


class ScopeOut(BaseModel):
    """A deployable unit of the upload; findings and answers name it by ``key``."""

    key: str
    kind: ScopeKind
    label: str
    files: int


class RunDetail(RunOut):
    """``coverage`` says of each file how far it was read; ``summary`` holds scores and counts."""

    scopes: list[ScopeOut]
    requirements: dict[str, Any]
    summary: dict[str, Any]
    coverage: list[Any]
    agents: list[AgentOut]


class FindingOut(BaseModel):
    """``line_start`` and ``line_end`` are of the uploaded file, 1-based and inclusive; 0 where
    there is no line."""

    id: UUID
    agent: str
    scope: str
    rule: str
    title: str
    severity: str
    severity_origin: str
    resource: str
    file: str
    line_start: int
    line_end: int
    detail: dict[str, Any]
    monthly_saving_usd: float | None
    fingerprint: str
    since: str
    is_exposed: bool
    is_muted: bool

    @classmethod
    def of(cls, finding: Finding, *, is_muted: bool) -> FindingOut:
        own = {
            name: getattr(finding, name)
            for name in cls.model_fields
            if name not in {"severity", "is_muted"}
        }
        return cls(severity=Severity(finding.severity).name.lower(), is_muted=is_muted, **own)


class FindingPage(BaseModel):
    run: int
    total: int
    findings: list[FindingOut]


class RecommendationOut(BaseModel):
    """``priority`` 1 comes first; ``findings`` are the ids of those that it resolves.

    ``problem`` is the same in every run; ``reach`` counts places; ``is_exposed``: the internet can
    reach one of them."""

    id: UUID
    priority: int
    problem: str
    severity: str
    is_exposed: bool
    reach: int
    agent: str
    title: str
    why: str
    steps: list[Any]
    effort: str
    impact: dict[str, Any]
    monthly_saving_usd: float | None
    status: str
    findings: list[UUID]

    @classmethod
    def of(cls, row: Recommendation) -> RecommendationOut:
        own = {
            name: getattr(row, name)
            for name in cls.model_fields
            if name not in {"findings", "severity"}
        }
        severity = Severity(row.severity).name.lower()
        return cls(severity=severity, findings=[f.pk for f in row.findings.all()], **own)


class RecommendationPage(BaseModel):
    """``is_ready`` is false while they are being written; an empty list then means nothing."""

    run: int
    is_ready: bool
    recommendations: list[RecommendationOut]


class ReportIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Report.Kind = Report.Kind.TECHNICAL
    format: Report.Format = Report.Format.HTML


class ReportOut(BaseModel):
    """``is_ready`` once it can be downloaded from ``url``."""

    id: UUID
    run: int
    kind: Report.Kind
    format: Report.Format
    task_id: UUID | None
    created_at: datetime
    is_ready: bool
    url: str

    @classmethod
    def of(cls, report: Report, *, is_ready: bool) -> ReportOut:
        names = ("id", "kind", "format", "task_id", "created_at")
        url = f"/api/v1/assessments/{report.run.assessment_id}/reports/{report.pk}/download"
        own = {name: getattr(report, name) for name in names}
        return cls(run=report.run.number, is_ready=is_ready, url=url, **own)


class ReportPage(BaseModel):
    run: int
    reports: list[ReportOut]


class AnalyzeOut(BaseModel):
    """The answer at once. The task goes on; ask ``check_status_url``, or follow it over the
    WebSocket."""

    assessment_id: UUID
    task_id: UUID
    status: str
    message: str
    check_status_url: str


class AnalyzeDone(AnalyzeOut):
    """``result`` is the summary of the run; ``error`` says why it failed."""

    result: Any
    error: str | None = None


api.extra_schemas = [AssessmentIn]
CREATE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/AssessmentIn"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "maxLength": 120},
                        "requirements": {
                            "type": "string",
                            "description": "The requirements as JSON",
                        },
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": (
                                "Files, or archives (.zip, .tar.gz, .tgz), which are unpacked"
                            ),
                        },
                        "paths": {
                            "type": "array",
                            "items": {"type": "string"},
                            "description": (
                                "The path of each file, in their order, where it is not its name"
                            ),
                        },
                    },
                }
            },
        },
    }
}


@api.exception_handler(UploadError)
def refused_upload(request: HttpRequest, error: UploadError) -> HttpResponse:
    """422 with the file and, where it is known, the line."""
    where = (
        [FieldError(path=error.path, line=error.line, message=error.message)] if error.path else []
    )
    return problem(422, error.message, errors=where)


@router.post("", response={201: AssessmentDetail}, include_in_schema=False)
@router.post(
    "/",
    response={201: AssessmentDetail},
    openapi_extra=CREATE_BODY,
    operation_id="create_assessment",
    url_name="create",
)
def create(request: HttpRequest, idempotency_key: Key = None) -> Any:
    """Upload files and requirements. Nothing is analyzed yet. A request that is repeated with its
    Idempotency-Key gives the assessment that the first one created."""
    try:
        name, requirements, uploads = _read_body(request)
    except ValidationError as error:
        return problem(
            422,
            "The assessment has fields that are not valid.",
            errors=field_errors(error.errors()),
        )
    assessment = create_assessment(
        owner=caller(request),
        name=name,
        requirements=requirements,
        uploads=uploads,
        idempotency_key=idempotency_key,
    )
    answer = HttpResponse(
        _detail(assessment).model_dump_json(), status=201, content_type="application/json"
    )
    answer["Location"] = f"/api/v1/assessments/{assessment.pk}"
    return answer


@router.get("", response=AssessmentPage, include_in_schema=False)
@router.get("/", response=AssessmentPage, operation_id="list_assessments")
def list_assessments(
    request: HttpRequest, limit: Limit = 50, cursor: UUID | None = None
) -> AssessmentPage:
    """Your assessments, newest first."""
    rows = Assessment.objects.visible_to(request.user).order_by("-id")
    total = rows.count()
    rows = rows.filter(pk__lt=cursor) if cursor else rows
    found = list(
        rows.annotate(n=Count("files")).values_list("id", "name", "created_at", "n")[: limit + 1]
    )
    shown = [
        AssessmentOut(id=pk, name=name, created_at=at, files=n) for pk, name, at, n in found[:limit]
    ]
    return AssessmentPage(
        total=total,
        assessments=shown,
        next_cursor=shown[-1].id if len(found) > limit and shown else None,
    )


@router.get("/{uuid:assessment_id}", response=AssessmentDetail, operation_id="get_assessment")
def get_assessment(request: HttpRequest, assessment_id: UUID) -> AssessmentDetail:
    return _detail(_visible(request, assessment_id))


@router.delete("/{uuid:assessment_id}", response={204: None}, operation_id="delete_assessment")
def delete_assessment(request: HttpRequest, assessment_id: UUID) -> Any:
    """Delete an assessment with its files and all that was found. What still runs for it is
    cancelled."""
    services.delete_assessment(_visible(request, assessment_id), by=caller(request))
    return Status(204, None)


@router.post(
    "/{uuid:assessment_id}/analyze",
    response={200: AnalyzeDone, 202: AnalyzeOut},
    exclude_unset=True,
    operation_id="analyze",
)
async def analyze(
    request: HttpRequest,
    assessment_id: UUID,
    background: bool = True,
    idempotency_key: Key = None,
) -> Any:
    """Start a run: 202 at once, or, with ``background=false``, its result; 504 where that takes too
    long."""
    run = await database_sync_to_async(_start)(request, assessment_id, idempotency_key)
    if run is None:
        return problem(
            409, "This Idempotency-Key was used for another assessment. Choose a new one."
        )
    if not background:
        return await _wait_for_result(run, assessment_id)
    answer = AnalyzeOut(
        assessment_id=assessment_id,
        task_id=run.pk,
        status="queued",
        message="The analysis is queued.",
        check_status_url=_status_url(run),
    )
    response = HttpResponse(answer.model_dump_json(), status=202, content_type="application/json")
    response["Location"] = _status_url(run)
    return response


@router.get("/{uuid:assessment_id}/runs/{int:number}", response=RunDetail, operation_id="get_run")
def get_run(request: HttpRequest, assessment_id: UUID, number: int) -> RunDetail:
    """One run: what each agent answered, what was read, and the comparison with the run before."""
    run = _run(_visible(request, assessment_id), number)
    names = list(AgentOut.model_fields)
    agents = [AgentOut(**{name: getattr(row, name) for name in names}) for row in run.reports.all()]
    more = {name: getattr(run, name) for name in ("requirements", "coverage", "scopes")}
    more["summary"] = {**run.summary, "severities": severity_counts(run), "muted": muted_count(run)}
    return RunDetail(**RunOut.of(run).model_dump(), **more, agents=agents)


@router.get("/{uuid:assessment_id}/findings", response=FindingPage, operation_id="list_findings")
def list_findings(
    request: HttpRequest,
    assessment_id: UUID,
    run: RunNumber = None,
    agent: Annotated[Words | None, Query(max_length=20)] = None,
    scope: Annotated[Words | None, Query(max_length=600, description="A scope's key")] = None,
    severity: Annotated[str | None, Query(pattern="^(critical|high|medium|low|info)$")] = None,
    muted: Annotated[
        bool | None, Query(description="Only those that are muted, or only those that are not")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> FindingPage:
    """What a run found, gravest first. Compliance tells the same again by requirement:
    ``agent=compliance``."""
    chosen = _run(_visible(request, assessment_id), run)
    every = Finding.objects.filter(run=chosen)
    rows = every.filter(agent=agent) if agent else every.counted()
    rows = rows.filter(severity=Severity[severity.upper()]) if severity else rows
    rows = rows.filter(scope=scope) if scope is not None else rows
    if muted is not None:
        rows = rows.muted() if muted else rows.unmuted()
    accepted = mutes_of(chosen)
    found = [
        FindingOut.of(row, is_muted=row.fingerprint in accepted)
        for row in rows[offset : offset + limit]
    ]
    return FindingPage(run=chosen.number, total=rows.count(), findings=found)


@router.get(
    "/{uuid:assessment_id}/recommendations",
    response=RecommendationPage,
    operation_id="list_recommendations",
)
def list_recommendations(
    request: HttpRequest, assessment_id: UUID, run: RunNumber = None
) -> RecommendationPage:
    """What to do about a run's findings, first things first."""
    chosen = _run(_visible(request, assessment_id), run)
    rows = chosen.recommendations.prefetch_related("findings")
    return RecommendationPage(
        run=chosen.number,
        is_ready=chosen.status == AssessmentRun.Status.COMPLETED,
        recommendations=[RecommendationOut.of(row) for row in rows],
    )


@router.get("/{uuid:assessment_id}/reports", response=ReportPage, operation_id="list_reports")
def list_reports(request: HttpRequest, assessment_id: UUID, run: RunNumber = None) -> ReportPage:
    """The reports of a run."""
    chosen = _run(_visible(request, assessment_id), run)
    rows = chosen.documents.select_related("run").defer(
        "content", "run__resources", "run__coverage"
    )
    ready = set(chosen.documents.filter(content__isnull=False).values_list("pk", flat=True))
    return ReportPage(
        run=chosen.number, reports=[ReportOut.of(row, is_ready=row.pk in ready) for row in rows]
    )


@router.post(
    "/{uuid:assessment_id}/reports", response={202: ReportOut}, operation_id="create_report"
)
def create_report(
    request: HttpRequest, assessment_id: UUID, wanted: ReportIn, run: RunNumber = None
) -> Any:
    """Have a report written of a finished run."""
    chosen = _run(_visible(request, assessment_id), run)
    if chosen.finished_at is None:
        return problem(409, "The run has not finished yet. Ask for its report when it has.")
    report = request_report(chosen, by=caller(request), kind=wanted.kind, format=wanted.format)
    return Status(202, ReportOut.of(report, is_ready=False))


@router.get(
    "/{uuid:assessment_id}/reports/{uuid:report_id}/download", operation_id="download_report"
)
def download_report(request: HttpRequest, assessment_id: UUID, report_id: UUID) -> HttpResponse:
    """The report as a file."""
    assessment = _visible(request, assessment_id)
    report = get_object_or_404(
        Report.objects.select_related("run"), pk=report_id, run__assessment=assessment
    )
    if report.content is None:
        return problem(409, "The report has not been written yet.", task_id=str(report.task_id))
    name = f"infra-mind-{report.kind}-run-{report.run.number}.{report.suffix}"
    response = HttpResponse(
        bytes(report.content), content_type=CONTENT_TYPES[Report.Format(report.format)]
    )
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _visible(request: HttpRequest, assessment_id: UUID) -> Assessment:
    return get_object_or_404(Assessment.objects.visible_to(request.user), pk=assessment_id)


def _run(assessment: Assessment, number: int | None) -> AssessmentRun:
    """The run of that number, or the newest. Raises Http404."""
    rows = assessment.runs.defer("resources")
    run = rows.filter(number=number).first() if number is not None else rows.first()
    if run is None:
        raise Http404
    return run


def _detail(assessment: Assessment) -> AssessmentDetail:
    runs = assessment.runs.only(
        "number", "status", "task_id", "created_at", "finished_at", "assessment_id", "attention"
    )
    return AssessmentDetail(
        id=assessment.pk,
        name=assessment.name,
        created_at=assessment.created_at,
        files=assessment.files.count(),
        requirements=assessment.requirements,
        runs=[RunOut.of(run) for run in runs[:RUNS_SHOWN]],
    )


def _read_body(request: HttpRequest) -> tuple[str, Requirements, list[tuple[str, bytes]]]:
    """Name, requirements and files of a JSON or a multipart body. Raises
    pydantic.ValidationError."""
    if request.content_type != "multipart/form-data":
        body = AssessmentIn.model_validate_json(request.body)
        return (
            body.name,
            body.requirements,
            [(file.path, file.content.encode()) for file in body.files],
        )
    stated = request.POST.get("requirements") or "{}"
    # Names are checked like JSON's: an empty one gets the same words.
    body = AssessmentIn(
        name=request.POST.get("name", ""), requirements=Requirements.model_validate_json(stated)
    )
    files = request.FILES.getlist("files")
    paths = request.POST.getlist("paths") or [file.name or "" for file in files]
    if len(paths) != len(files):
        raise UploadError(
            f"There are {len(files)} files and {len(paths)} paths. Send one path for each file, or"
            " none."
        )
    return (
        body.name,
        body.requirements,
        [(path, file.read()) for path, file in zip(paths, files, strict=True)],
    )


def _start(request: HttpRequest, assessment_id: UUID, key: str | None) -> TaskRun | None:
    """The run, new or (by ``key``) begun before; None where the key was used for something else."""
    assessment = _visible(request, assessment_id)
    run = start_analysis(assessment, by=caller(request), idempotency_key=key)
    if not AssessmentRun.objects.filter(task=run, assessment=assessment).exists():
        return None
    return run


def _status_url(run: TaskRun) -> str:
    return f"/api/v1/tasks/{run.pk}/status"


async def _wait_for_result(run: TaskRun, assessment_id: UUID) -> Any:
    """Look at the row until it is final, holding no connection to the database meanwhile."""
    give_up_at = time.monotonic() + settings.ANALYZE_WAIT_MAX_S
    look = database_sync_to_async(lambda: _finished(run.pk), thread_sensitive=False)
    while (answer := await look()) is None:
        if time.monotonic() > give_up_at:
            words = (
                f"The analysis takes longer than {settings.ANALYZE_WAIT_MAX_S} s. It goes on; ask"
                " for its status."
            )
            return problem(504, words, task_id=str(run.pk), check_status_url=_status_url(run))
        await asyncio.sleep(WAIT_STEP_S)
    return AnalyzeDone(
        assessment_id=assessment_id, task_id=run.pk, check_status_url=_status_url(run), **answer
    )


def _finished(task_id: UUID) -> dict[str, Any] | None:
    run = TaskRun.objects.filter(pk=task_id).first()
    if run is None:
        raise Http404
    recommending = AssessmentRun.objects.filter(
        task=run, status=AssessmentRun.Status.RECOMMENDING
    ).exists()
    if not run.is_final or recommending:
        return None
    status = status_of(run)
    words = {State.SUCCESS: "completed", State.FAILURE: "failed", State.REVOKED: "cancelled"}
    error = {"error": run.error} if run.state == State.FAILURE else {}
    return {
        "status": words[State(run.state)],
        "message": status.status,
        "result": status.result,
        **error,
    }


router.add_router("", mutes)
api.add_router("/assessments", router)
