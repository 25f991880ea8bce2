"""A run's findings, and what to do about them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import BaseModel

from assessments.agents.types import Severity, SeverityOrigin
from assessments.models import AssessmentRun, Finding, Recommendation
from assessments.muting import mutes_of
from assessments.rest.shared import (
    AgentName,
    AskedAgent,
    Cursor,
    PageLimit,
    RunNumber,
    SeverityName,
    page_of,
    run_of,
    visible,
)
from tasks_ui.protocol import Words
from tasks_ui.rest.deprecation import deprecate
from tasks_ui.rest.problems import problem

router = Router()

OFFSET_SINCE, OFFSET_UNTIL = date(2026, 11, 25), date(2027, 5, 31)
ORDER = ("-severity", "file", "line_start", "rule", "fingerprint", "id")


class EvidenceOut(BaseModel):
    """The line that shows the problem, 1-based in the uploaded file. ``text`` is what it says
    (``publicly_accessible = true``) or lacks (``http_tokens is not set``), secrets masked."""

    file: str
    line: int
    text: str


class FindingOut(BaseModel):
    """``line_start`` and ``line_end`` refer to the uploaded file, 1-based and inclusive; 0 if there
    is no line. ``evidence`` is null if the finding is not about a line; ``detail.evidence`` holds
    the lines around it. ``is_exposed``: the internet can reach its resource; ``detail.exposure``
    says how."""

    id: UUID
    agent: AgentName
    scope: str
    rule: str
    title: str
    severity: SeverityName
    severity_origin: SeverityOrigin
    resource: str
    file: str
    line_start: int
    line_end: int
    evidence: EvidenceOut | None
    detail: dict[str, Any]
    monthly_saving_usd: float | None
    fingerprint: str
    since: Literal["", "new", "reopened", "persisting"]
    is_exposed: bool
    is_muted: bool

    @classmethod
    def of(cls, finding: Finding, *, is_muted: bool) -> FindingOut:
        own = {
            name: getattr(finding, name)
            for name in cls.model_fields
            if name not in {"severity", "is_muted"}
        }
        return cls(severity=severity_name(finding), is_muted=is_muted, **own)


class FindingPage(BaseModel):
    """``next_cursor`` is null on the last page."""

    run: int
    total: int
    findings: list[FindingOut]
    next_cursor: UUID | None


class FixedFileOut(BaseModel):
    """``diff`` is a unified diff against the uploaded file, for ``git apply``."""

    path: str
    diff: str


class FixOut(BaseModel):
    """A patch that was applied to a copy of the upload and scanned again: the findings in
    ``findings`` were gone, and nothing else failed.

    ``recreates``: applying it replaces a resource. ``notes`` say what to look at first. ``untried``
    is set, and everything else empty, if a fix is known but there was no time to prove it."""

    files: list[FixedFileOut] = []
    findings: list[UUID] = []
    removes: int = 0
    adds: int = 0
    recreates: bool = False
    notes: list[str] = []
    untried: str = ""


class RecommendationOut(BaseModel):
    """``priority`` 1 comes first; ``findings`` are the ids of those that it resolves. ``fix`` is
    null if no fix was proven.

    ``problem`` is the same in every run; ``reach`` counts places; ``is_exposed``: the internet can
    reach one of them, and ``impact.exposure`` says how."""

    id: UUID
    priority: int
    problem: str
    severity: SeverityName
    is_exposed: bool
    reach: int
    agent: AgentName
    title: str
    why: str
    steps: list[Any]
    effort: Literal["small", "medium", "large"]
    impact: dict[str, Any]
    monthly_saving_usd: float | None
    status: Literal["open", "accepted", "done", "dismissed"]
    fix: FixOut | None
    findings: list[UUID]

    @classmethod
    def of(cls, row: Recommendation) -> RecommendationOut:
        own = {
            name: getattr(row, name)
            for name in cls.model_fields
            if name not in {"findings", "severity", "fix"}
        }
        fix = FixOut.model_validate(row.fix) if row.fix else None
        return cls(
            severity=severity_name(row), fix=fix, findings=[f.pk for f in row.findings.all()], **own
        )


class RecommendationPage(BaseModel):
    """``is_ready`` is false while they are being written; until then, an empty list means
    nothing."""

    run: int
    is_ready: bool
    recommendations: list[RecommendationOut]
    next_cursor: UUID | None


def severity_name(row: Finding | Recommendation) -> SeverityName:
    name: Any = Severity(row.severity).name.lower()
    return cast("SeverityName", name)


@router.get("/{uuid:assessment_id}/findings", response=FindingPage, operation_id="list_findings")
def list_findings(
    request: HttpRequest,
    response: HttpResponse,
    assessment_id: UUID,
    run: RunNumber = None,
    agent: AskedAgent | None = None,
    scope: Annotated[Words | None, Query(max_length=600, description="A scope's key")] = None,
    severity: SeverityName | None = None,
    muted: Annotated[
        bool | None, Query(description="Only those that are muted, or only those that are not")
    ] = None,
    limit: PageLimit = 500,
    cursor: Cursor = None,
    offset: Annotated[
        int, Query(ge=0, le=1_000_000, deprecated=True, description="Use cursor")
    ] = 0,
) -> Any:
    """A run's findings, most severe first. Compliance lists the same findings by control:
    ``agent=compliance``."""
    chosen = run_of(visible(request, assessment_id), run)
    if scope is not None and not _has_scope(chosen, scope):
        return problem(
            422, f"The run has no scope {scope[:60]!r}. Its page lists the scopes it has."
        )
    if offset:
        deprecate(response, since=OFFSET_SINCE, until=OFFSET_UNTIL)
    every = Finding.objects.filter(run=chosen)
    rows = every.filter(agent=agent) if agent else every.counted()
    rows = rows.filter(severity=Severity[severity.upper()]) if severity else rows
    rows = rows.filter(scope=scope) if scope is not None else rows
    if muted is not None:
        rows = rows.muted() if muted else rows.unmuted()
    accepted = mutes_of(chosen)
    found, next_cursor = page_of(rows, limit, order=ORDER, after=cursor, offset=offset)
    return FindingPage(
        run=chosen.number,
        total=rows.count(),
        findings=[FindingOut.of(row, is_muted=row.fingerprint in accepted) for row in found],
        next_cursor=next_cursor,
    )


def _has_scope(run: AssessmentRun, key: str) -> bool:
    """Findings about the whole upload have the key ""."""
    return key == "" or any(scope["key"] == key for scope in run.scopes)


@router.get(
    "/{uuid:assessment_id}/recommendations",
    response=RecommendationPage,
    operation_id="list_recommendations",
)
def list_recommendations(
    request: HttpRequest,
    assessment_id: UUID,
    run: RunNumber = None,
    limit: PageLimit = 500,
    cursor: Cursor = None,
) -> RecommendationPage:
    """What to do about a run's findings, in order of priority."""
    chosen = run_of(visible(request, assessment_id), run)
    rows = chosen.recommendations.prefetch_related("findings")
    found, next_cursor = page_of(rows, limit, order=("priority", "id"), after=cursor)
    return RecommendationPage(
        run=chosen.number,
        is_ready=chosen.status == AssessmentRun.Status.COMPLETED,
        recommendations=[RecommendationOut.of(row) for row in found],
        next_cursor=next_cursor,
    )
