"""Runs of an assessment: start one, read one."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from channels.db import database_sync_to_async
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import BaseModel

from assessments.models import AssessmentRun
from assessments.muting import muted_count, severity_counts
from assessments.rest.shared import AgentName, Key, VersionNumber, run_of, version_of, visible
from assessments.scan.types import ScopeKind
from assessments.services import VersionDroppedError, start_analysis
from tasks_ui.access.auth import caller
from tasks_ui.models import State, TaskRun
from tasks_ui.rest.api import Limit, api, status_of, status_url
from tasks_ui.rest.openapi import answers
from tasks_ui.rest.problems import problem

router = Router()

WAIT_STEP_S = 0.25
KEY_USED = "This Idempotency-Key was used for another assessment. Choose a new one."


class ReasonOut(BaseModel):
    """Why a run's answer is incomplete. ``files`` names the first twenty of ``count``."""

    code: Literal["files_unread", "files_partly_read", "agent_failed", "recommendations_failed"]
    message: str
    count: int
    files: list[str]


class RunOut(BaseModel):
    """``recommending``: all findings are there, the recommendations are being written.
    ``needs_attention`` is empty if every file of an assessed kind was read and every agent
    answered. ``version`` is the number of the version that it reads."""

    id: UUID
    number: int
    version: int
    status: AssessmentRun.Status
    task_id: UUID | None
    created_at: datetime
    finished_at: datetime | None
    needs_attention: list[ReasonOut]

    @classmethod
    def of(cls, run: AssessmentRun) -> RunOut:
        names = ("id", "number", "status", "task_id", "created_at", "finished_at")
        own = {name: getattr(run, name) for name in names}
        return cls(version=run.version.number, needs_attention=run.attention, **own)


AnswerStatus = Literal["", "assessed", "not_assessed", "failed"]


class AgentOut(BaseModel):
    """One agent's answer. ``score`` is 0 to 100, calculated by ``score_formula``; null, with a
    reason, if it could not assess. ``status`` is empty until it has answered."""

    agent: AgentName
    status: AnswerStatus
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
    """``coverage`` shows how much of each file was read; ``summary`` holds scores and counts."""

    scopes: list[ScopeOut]
    requirements: dict[str, Any]
    summary: dict[str, Any]
    coverage: list[Any]
    agents: list[AgentOut]


AnalysisStatus = Literal[
    "queued", "running", "retrying", "cancelling", "completed", "failed", "cancelled"
]
STATUS_OF: dict[State, AnalysisStatus] = {
    State.PENDING: "queued",
    State.STARTED: "running",
    State.PROGRESS: "running",
    State.RETRY: "retrying",
    State.CANCELLING: "cancelling",
    State.SUCCESS: "completed",
    State.FAILURE: "failed",
    State.REVOKED: "cancelled",
}


class AnalyzeOut(BaseModel):
    """The immediate response. The task continues; poll ``check_status_url``, or follow it over the
    WebSocket. Repeating a request with the same Idempotency-Key returns the current state of the
    run that the first one started."""

    assessment_id: UUID
    task_id: UUID
    status: AnalysisStatus
    message: str
    check_status_url: str


class AnalyzeDone(AnalyzeOut):
    """``result`` is the summary of the run; ``error`` says why it failed."""

    result: Any
    error: str | None = None


@router.post(
    "/{uuid:assessment_id}/analyze",
    response={200: AnalyzeDone, 202: AnalyzeOut},
    exclude_unset=True,
    operation_id="analyze",
    openapi_extra=answers(202, "Location"),
)
async def analyze(
    request: HttpRequest,
    assessment_id: UUID,
    background: bool = True,
    version: VersionNumber = None,
    idempotency_key: Key = None,
) -> Any:
    """Start a run: an immediate 202, or, with ``background=false``, its result; 504 if that takes
    too long."""
    run = await database_sync_to_async(_start)(request, assessment_id, version, idempotency_key)
    if run is None:
        return problem(409, KEY_USED)
    if not background:
        return await _wait_for_result(run, assessment_id)
    return await database_sync_to_async(queued)(run, assessment_id)


@api.exception_handler(VersionDroppedError)
def files_gone(request: HttpRequest, error: VersionDroppedError) -> HttpResponse:
    return problem(409, str(error))


def queued(run: TaskRun, assessment_id: UUID) -> HttpResponse:
    """202 with the URL of the status; for a run that has finished, its result as well."""
    answer = AnalyzeOut(
        assessment_id=assessment_id,
        task_id=run.pk,
        status=STATUS_OF[State(run.state)],
        message="The analysis is queued." if run.state == State.PENDING else status_of(run).status,
        check_status_url=status_url(run),
    )
    response = HttpResponse(answer.model_dump_json(), status=202, content_type="application/json")
    response["Location"] = status_url(run)
    return response


class RunPage(BaseModel):
    total: int
    runs: list[RunOut]
    next_cursor: int | None


@router.get("/{uuid:assessment_id}/runs", response=RunPage, operation_id="list_runs")
def list_runs(
    request: HttpRequest,
    assessment_id: UUID,
    limit: Limit = 50,
    cursor: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> RunPage:
    """The runs of an assessment, newest first."""
    every = visible(request, assessment_id).runs.select_related("version")
    every = every.defer("resources", "coverage", "summary")
    rows = every.filter(number__lt=cursor) if cursor else every
    found = [RunOut.of(run) for run in rows[: limit + 1]]
    more = len(found) > limit
    return RunPage(
        total=every.count(),
        runs=found[:limit],
        next_cursor=found[limit - 1].number if more else None,
    )


@router.get("/{uuid:assessment_id}/runs/{int:number}", response=RunDetail, operation_id="get_run")
def get_run(request: HttpRequest, assessment_id: UUID, number: int) -> RunDetail:
    """One run: each agent's answer, what was read, and the comparison with the previous run."""
    run = run_of(visible(request, assessment_id), number)
    names = list(AgentOut.model_fields)
    agents = [AgentOut(**{name: getattr(row, name) for name in names}) for row in run.reports.all()]
    more = {name: getattr(run, name) for name in ("requirements", "coverage", "scopes")}
    more["summary"] = {**run.summary, "severities": severity_counts(run), "muted": muted_count(run)}
    return RunDetail(**RunOut.of(run).model_dump(), **more, agents=agents)


def _start(
    request: HttpRequest, assessment_id: UUID, version: int | None, key: str | None
) -> TaskRun | None:
    """The run, new or (by ``key``) begun before; None where the key was used for something else."""
    assessment = visible(request, assessment_id)
    run = start_analysis(
        assessment,
        by=caller(request),
        version=version_of(assessment, version),
        idempotency_key=key,
    )
    if not AssessmentRun.objects.filter(task=run, assessment=assessment).exists():
        return None
    return run


async def _wait_for_result(run: TaskRun, assessment_id: UUID) -> Any:
    """Poll the row until it is final, without holding a database connection in between."""
    give_up_at = time.monotonic() + settings.ANALYZE_WAIT_MAX_S
    look = database_sync_to_async(lambda: _finished(run.pk), thread_sensitive=False)
    while (answer := await look()) is None:
        if time.monotonic() > give_up_at:
            words = (
                f"The analysis takes longer than {settings.ANALYZE_WAIT_MAX_S} s. It is still"
                " running; poll its status."
            )
            return problem(504, words, task_id=str(run.pk), check_status_url=status_url(run))
        await asyncio.sleep(WAIT_STEP_S)
    return AnalyzeDone(
        assessment_id=assessment_id, task_id=run.pk, check_status_url=status_url(run), **answer
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
    error = {"error": run.error} if run.state == State.FAILURE else {}
    return {
        "status": STATUS_OF[State(run.state)],
        "message": status.status,
        "result": status.result,
        **error,
    }
