"""Assessments: upload, list, read, delete."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Router, Status
from pydantic import BaseModel, ValidationError

from assessments import services
from assessments.models import Assessment, Version
from assessments.quotas import QuotaError
from assessments.rest.runs import RunOut
from assessments.rest.shared import Key, invalid_body, visible
from assessments.rest.uploads import AssessmentIn, form_body, json_body, read_body
from assessments.scan.intake import UploadError
from tasks_ui.access.audit import Event, record
from tasks_ui.access.auth import caller
from tasks_ui.protocol import FieldError
from tasks_ui.rest.api import Limit, api
from tasks_ui.rest.openapi import answers
from tasks_ui.rest.problems import problem

router = Router()

RUNS_SHOWN = 50


class AssessmentOut(BaseModel):
    """``version`` is the number of the newest version, ``files`` the number of its files."""

    id: UUID
    name: str
    created_at: datetime
    version: int
    files: int


class AssessmentDetail(AssessmentOut):
    """``runs`` holds the newest 50, newest first."""

    requirements: dict[str, Any]
    runs: list[RunOut]


class AssessmentPage(BaseModel):
    total: int
    assessments: list[AssessmentOut]
    next_cursor: UUID | None


@api.exception_handler(UploadError)
def refused_upload(request: HttpRequest, error: UploadError) -> HttpResponse:
    """422 with the file and, if known, the line."""
    where = (
        [FieldError(path=error.path, line=error.line, message=error.message)] if error.path else []
    )
    return problem(422, error.message, errors=where)


@api.exception_handler(QuotaError)
def no_room(request: HttpRequest, error: QuotaError) -> HttpResponse:
    """413 or 429, with what to delete or wait for."""
    return problem(error.status, error.message)


@router.post(
    "/upload",
    response={201: AssessmentDetail},
    openapi_extra={**form_body(AssessmentIn), **answers(201, "Location")},
    operation_id="upload_assessment",
)
@router.post(
    "/",
    response={201: AssessmentDetail},
    openapi_extra={**json_body(AssessmentIn), **answers(201, "Location")},
    operation_id="create_assessment",
    url_name="create",
)
def create(request: HttpRequest, idempotency_key: Key = None) -> Any:
    """Store files and requirements, without analyzing them. Repeating a request with the same
    Idempotency-Key returns the assessment that the first one created."""
    try:
        body, uploads = read_body(request, AssessmentIn)
    except ValidationError as error:
        return invalid_body(error, what="assessment")
    assessment = services.create_assessment(
        owner=caller(request),
        name=body.name,
        requirements=body.requirements,
        uploads=uploads,
        source=Version.Source.API,
        idempotency_key=idempotency_key,
    )
    answer = HttpResponse(
        _detail(assessment).model_dump_json(), status=201, content_type="application/json"
    )
    answer["Location"] = reverse("api-v1:get_assessment", args=[assessment.pk])
    return answer


@router.get("/", response=AssessmentPage, operation_id="list_assessments")
def list_assessments(
    request: HttpRequest, limit: Limit = 50, cursor: UUID | None = None
) -> AssessmentPage:
    """Your assessments, newest first."""
    rows = Assessment.objects.visible_to(request.user).order_by("-id")
    total = rows.count()
    rows = rows.filter(pk__lt=cursor) if cursor else rows
    newest = Version.objects.filter(assessment=OuterRef("pk")).order_by("-number")[:1]
    found = list(
        rows.annotate(
            version=Subquery(newest.values("number")), files=Subquery(newest.values("file_count"))
        ).values("id", "name", "created_at", "version", "files")[: limit + 1]
    )
    shown = [AssessmentOut(**each) for each in found[:limit]]
    return AssessmentPage(
        total=total,
        assessments=shown,
        next_cursor=shown[-1].id if len(found) > limit and shown else None,
    )


@router.get("/{uuid:assessment_id}", response=AssessmentDetail, operation_id="get_assessment")
def get_assessment(request: HttpRequest, assessment_id: UUID) -> AssessmentDetail:
    return _detail(visible(request, assessment_id))


@router.delete("/{uuid:assessment_id}", response={204: None}, operation_id="delete_assessment")
def delete_assessment(request: HttpRequest, assessment_id: UUID) -> Any:
    """Delete an assessment with its files and results. Its active tasks are cancelled; its finished
    tasks are deleted."""
    assessment = visible(request, assessment_id)
    services.delete_assessment(assessment, by=caller(request))
    record(Event.DELETED, request=request, about=f"assessment {assessment_id}")
    return Status(204, None)


def _detail(assessment: Assessment) -> AssessmentDetail:
    runs = assessment.runs.select_related("version").only(
        "number",
        "status",
        "task_id",
        "created_at",
        "finished_at",
        "assessment_id",
        "attention",
        "version__number",
    )
    newest = assessment.newest_version
    return AssessmentDetail(
        id=assessment.pk,
        name=assessment.name,
        created_at=assessment.created_at,
        version=newest.number,
        files=newest.file_count,
        requirements=assessment.requirements,
        runs=[RunOut.of(run) for run in runs[:RUNS_SHOWN]],
    )
