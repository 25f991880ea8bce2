"""Assessments: upload, list, read, delete."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from ninja import Router, Status
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assessments import services
from assessments.models import Assessment
from assessments.quotas import QuotaError
from assessments.requirements import Requirements
from assessments.rest.runs import RunOut
from assessments.rest.shared import Key, visible
from assessments.scan.intake import UploadError
from tasks_ui.access.audit import Event, record
from tasks_ui.access.auth import caller
from tasks_ui.protocol import FieldError, Words
from tasks_ui.rest.api import Limit, api
from tasks_ui.rest.openapi import answers
from tasks_ui.rest.problems import UnsupportedBodyError, field_errors, problem

router = Router()

RUNS_SHOWN = 50
BODY_TYPES = ("application/json", "multipart/form-data")


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


@api.exception_handler(QuotaError)
def no_room(request: HttpRequest, error: QuotaError) -> HttpResponse:
    """413 or 429, with what to delete or to wait for."""
    return problem(error.status, error.message)


@router.post(
    "/",
    response={201: AssessmentDetail},
    openapi_extra={**CREATE_BODY, **answers(201, "Location")},
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
    assessment = services.create_assessment(
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
    return _detail(visible(request, assessment_id))


@router.delete("/{uuid:assessment_id}", response={204: None}, operation_id="delete_assessment")
def delete_assessment(request: HttpRequest, assessment_id: UUID) -> Any:
    """Delete an assessment with its files and all that was found. What still runs for it is
    cancelled; its finished tasks are forgotten."""
    assessment = visible(request, assessment_id)
    services.delete_assessment(assessment, by=caller(request))
    record(Event.DELETED, request=request, about=f"assessment {assessment_id}")
    return Status(204, None)


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
    pydantic.ValidationError, UnsupportedBodyError."""
    if request.content_type not in BODY_TYPES:
        raise UnsupportedBodyError(request.content_type or "", takes=" or ".join(BODY_TYPES))
    if request.content_type == "application/json":
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
