"""Reports of a run."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Router, Status
from pydantic import BaseModel, ConfigDict, Field

from assessments.models import Report
from assessments.reports import CONTENT_TYPES
from assessments.rest.shared import Cursor, PageLimit, RunNumber, page_of, run_of, visible
from assessments.services import UnknownScopeError, delete_report, request_report
from tasks_ui.access.audit import Event, record
from tasks_ui.access.auth import caller
from tasks_ui.rest.problems import problem

router = Router()

ANY_FILE = "application/octet-stream"
DOWNLOAD = {
    "responses": {
        200: {
            "description": "The file, under the name that Content-Disposition gives, as the type of"
            f" its format, or as {ANY_FILE} if Accept asks for it.",
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in (
                    ANY_FILE,
                    *sorted({k.partition(";")[0] for k in CONTENT_TYPES.values()}),
                )
            },
        }
    }
}


class ReportIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Report.Kind = Report.Kind.TECHNICAL
    format: Report.Format = Report.Format.HTML
    scope: str = Field(default="", max_length=600, description="Key of a scope; empty: all")


class ReportOut(BaseModel):
    """``is_ready`` once it can be downloaded from ``url``."""

    id: UUID
    run: int
    kind: Report.Kind
    format: Report.Format
    scope: str
    task_id: UUID | None
    created_at: datetime
    is_ready: bool
    url: str

    @classmethod
    def of(cls, report: Report, *, is_ready: bool) -> ReportOut:
        names = ("id", "kind", "format", "scope", "task_id", "created_at")
        url = reverse("api-v1:download_report", args=[report.run.assessment_id, report.pk])
        own = {name: getattr(report, name) for name in names}
        return cls(run=report.run.number, is_ready=is_ready, url=url, **own)


class ReportPage(BaseModel):
    run: int
    reports: list[ReportOut]
    next_cursor: UUID | None


@router.get("/{uuid:assessment_id}/reports", response=ReportPage, operation_id="list_reports")
def list_reports(
    request: HttpRequest,
    assessment_id: UUID,
    run: RunNumber = None,
    limit: PageLimit = 100,
    cursor: Cursor = None,
) -> ReportPage:
    """The reports of a run, newest first."""
    chosen = run_of(visible(request, assessment_id), run)
    rows = chosen.documents.select_related("run").defer(
        "content", "run__resources", "run__coverage"
    )
    found, next_cursor = page_of(rows, limit, order=("-id",), after=cursor)
    ready = set(chosen.documents.filter(content__isnull=False).values_list("pk", flat=True))
    return ReportPage(
        run=chosen.number,
        reports=[ReportOut.of(row, is_ready=row.pk in ready) for row in found],
        next_cursor=next_cursor,
    )


@router.post(
    "/{uuid:assessment_id}/reports", response={202: ReportOut}, operation_id="create_report"
)
def create_report(
    request: HttpRequest, assessment_id: UUID, wanted: ReportIn, run: RunNumber = None
) -> Any:
    """Create a report of a finished run, or of one of its scopes."""
    chosen = run_of(visible(request, assessment_id), run)
    if chosen.finished_at is None:
        return problem(409, "The run has not finished yet. Request its report once it has.")
    try:
        report = request_report(
            chosen,
            by=caller(request),
            kind=wanted.kind,
            format=wanted.format,
            scope=wanted.scope,
        )
    except UnknownScopeError as error:
        return problem(422, str(error))
    return Status(202, ReportOut.of(report, is_ready=False))


@router.get(
    "/{uuid:assessment_id}/reports/{uuid:report_id}/download",
    operation_id="download_report",
    openapi_extra=DOWNLOAD,
)
def download_report(request: HttpRequest, assessment_id: UUID, report_id: UUID) -> HttpResponse:
    """The report as a file."""
    assessment = visible(request, assessment_id)
    report = get_object_or_404(
        Report.objects.select_related("run__assessment"), pk=report_id, run__assessment=assessment
    )
    if report.content is None:
        return problem(409, "The report has not been written yet.", task_id=str(report.task_id))
    record(Event.DOWNLOADED, request=request, about=report.without_names)
    own = CONTENT_TYPES[Report.Format(report.format)]
    kind = ANY_FILE if request.headers.get("Accept") == ANY_FILE else own
    response = HttpResponse(bytes(report.content), content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{report.file_name}"'
    return response


@router.delete(
    "/{uuid:assessment_id}/reports/{uuid:report_id}",
    response={204: None},
    operation_id="delete_report",
)
def delete(request: HttpRequest, assessment_id: UUID, report_id: UUID) -> Any:
    """Delete a report. If it is still being written, that is cancelled."""
    assessment = visible(request, assessment_id)
    report = get_object_or_404(
        Report.objects.select_related("run").defer("content"),
        pk=report_id,
        run__assessment=assessment,
    )
    delete_report(report, by=caller(request))
    record(Event.DELETED, request=request, about=report.without_names)
    return Status(204, None)
