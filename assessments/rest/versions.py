"""Versions of an assessment's files: list, read and add them, and analyze an upload at once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Query, Router
from pydantic import BaseModel, ValidationError

from assessments.models import AssessmentRun, Version
from assessments.rest.runs import KEY_USED, AnalyzeOut, queued
from assessments.rest.shared import Key, invalid_body, visible
from assessments.rest.uploads import AnalyzeIn, VersionIn, form_body, json_body, read_body
from assessments.scan.types import FileKind
from assessments.services import analyze_upload, change_assessment
from tasks_ui.access.auth import caller
from tasks_ui.models.querysets import as_uuid
from tasks_ui.rest.api import Limit
from tasks_ui.rest.openapi import answers
from tasks_ui.rest.problems import problem

router = Router()


class VersionOut(BaseModel):
    """``files_dropped_at`` is set once its files are no longer kept. ``created_by`` is null if that
    account is gone."""

    number: int
    source: Version.Source
    created_by: str | None
    created_at: datetime
    file_count: int
    files_dropped_at: datetime | None

    @classmethod
    def of(cls, version: Version, **more: Any) -> Self:
        names = ("number", "source", "created_at", "file_count", "files_dropped_at")
        own = {name: getattr(version, name) for name in names}
        by = version.created_by.get_username() if version.created_by else None
        return cls(created_by=by, **own, **more)


class VersionFileOut(BaseModel):
    """``kind`` is ``unknown`` until a run has read the version. ``size`` is in bytes."""

    path: str
    kind: FileKind
    size: int
    sha256: str


class VersionDetail(VersionOut):
    """``files`` are all of its files, by path; empty if they are no longer kept."""

    files: list[VersionFileOut]


class VersionPage(BaseModel):
    """``next_cursor`` is the cursor of the next page, null on the last."""

    total: int
    versions: list[VersionOut]
    next_cursor: int | None


@router.get("/{uuid:assessment_id}/versions", response=VersionPage, operation_id="list_versions")
def list_versions(
    request: HttpRequest,
    assessment_id: UUID,
    limit: Limit = 50,
    cursor: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> VersionPage:
    """The versions of the assessment's files, newest first."""
    rows = visible(request, assessment_id).versions.select_related("created_by")
    total = rows.count()
    found = list((rows.filter(number__lt=cursor) if cursor else rows)[: limit + 1])
    shown = [VersionOut.of(row) for row in found[:limit]]
    return VersionPage(
        total=total,
        versions=shown,
        next_cursor=shown[-1].number if len(found) > limit else None,
    )


@router.post(
    "/{uuid:assessment_id}/versions/upload",
    response={201: VersionDetail},
    openapi_extra={**form_body(VersionIn), **answers(201, "Location")},
    operation_id="upload_version",
)
@router.post(
    "/{uuid:assessment_id}/versions",
    response={201: VersionDetail},
    openapi_extra={**json_body(VersionIn), **answers(201, "Location")},
    operation_id="create_version",
)
def create_version(
    request: HttpRequest, assessment_id: UUID, idempotency_key: Key = None
) -> HttpResponse:
    """Upload a new version of the assessment's files, without analyzing it. Repeating a request
    with the same Idempotency-Key returns the version that the first one created."""
    assessment = visible(request, assessment_id)
    try:
        body, uploads = read_body(request, VersionIn)
    except ValidationError as error:
        return invalid_body(error, what="version")
    version = change_assessment(
        assessment,
        body.change(uploads),
        by=caller(request),
        name=body.name,
        requirements=body.requirements,
        source=Version.Source.API,
        idempotency_key=idempotency_key,
    )
    answer = HttpResponse(
        _detail(version).model_dump_json(), status=201, content_type="application/json"
    )
    place = [assessment.pk, version.number]
    answer["Location"] = reverse("api-v1:get_version", args=place)
    return answer


@router.get(
    "/{uuid:assessment_id}/versions/{int:number}",
    response=VersionDetail,
    operation_id="get_version",
)
def get_version(request: HttpRequest, assessment_id: UUID, number: int) -> VersionDetail:
    """One version with its files."""
    rows = visible(request, assessment_id).versions.select_related("created_by")
    return _detail(get_object_or_404(rows, number=number))


@router.post(
    "/analyze/upload",
    response={202: AnalyzeOut},
    openapi_extra={**form_body(AnalyzeIn), **answers(202, "Location")},
    operation_id="analyze_upload",
)
@router.post(
    "/analyze",
    response={202: AnalyzeOut},
    openapi_extra={**json_body(AnalyzeIn), **answers(202, "Location")},
    operation_id="analyze_files",
)
def analyze(request: HttpRequest, idempotency_key: Key = None) -> HttpResponse:
    """Upload files and start a run of them: as a new version of the given ``assessment``, or as a
    new assessment. Repeating a request with the same Idempotency-Key returns the run that the first
    one started."""
    try:
        body, uploads = read_body(request, AnalyzeIn)
    except ValidationError as error:
        return invalid_body(error, what="assessment")
    name = body.assessment or body.name
    if not name:
        return problem(422, "Name the assessment: one that exists, or a new one.")
    by_id = as_uuid(body.assessment or "")
    task = analyze_upload(
        owner=caller(request),
        assessment=visible(request, by_id) if by_id else None,
        name=name,
        reuse=body.assessment is not None,
        requirements=body.requirements,
        change=body.change(uploads) if uploads or body.remove else None,
        idempotency_key=idempotency_key,
    )
    run = AssessmentRun.objects.filter(task=task).first()
    return queued(task, run.assessment_id) if run else problem(409, KEY_USED)


def _detail(version: Version) -> VersionDetail:
    files = version.files.values("path", "kind", size=F("blob__size"), sha256=F("blob__sha256"))
    return VersionDetail.of(version, files=[VersionFileOut(**each) for each in files])
