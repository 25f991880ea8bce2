"""Comparing two runs."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import BaseModel, Field

from assessments.comparing import Comparison, Moved, MovedMeasure
from assessments.models import AssessmentRun, Finding
from assessments.rest.findings import severity_name
from assessments.rest.shared import AgentName, SeverityName

router = Router()

With = Annotated[
    UUID, Query(alias="with", description="The id of the run to compare with, the earlier one")
]
Limit = Annotated[int, Field(ge=0, le=1000)]


class ComparedRun(BaseModel):
    id: UUID
    assessment_id: UUID
    number: int
    version: int

    @classmethod
    def of(cls, run: AssessmentRun) -> ComparedRun:
        names = ("id", "assessment_id", "number")
        return cls(version=run.version.number, **{name: getattr(run, name) for name in names})


class ComparedFinding(BaseModel):
    """``place`` is ``file:line``, or the resource if there is no file; for a finding that is gone,
    that of the earlier run."""

    id: UUID
    agent: AgentName
    rule: str
    title: str
    severity: SeverityName
    scope: str
    resource: str
    file: str
    line: int
    place: str
    fingerprint: str

    @classmethod
    def of(cls, finding: Finding) -> ComparedFinding:
        own = {
            name: getattr(finding, name)
            for name in cls.model_fields
            if name not in {"severity", "line"}
        }
        return cls(severity=severity_name(finding), line=finding.line_start, **own)


class ComparedFindings(BaseModel):
    """``total`` counts them; ``findings`` are the first, most severe first."""

    total: int
    findings: list[ComparedFinding]

    @classmethod
    def of(cls, rows: QuerySet[Finding], *, limit: int) -> ComparedFindings:
        return cls(total=rows.count(), findings=[ComparedFinding.of(row) for row in rows[:limit]])


class FindingChanges(BaseModel):
    """Findings by fingerprint, without muted ones and without those of compliance, which repeat the
    other agents'. ``new``: found for the first time. ``reopened``: gone in the earlier run, but
    present in one before it. ``fixed``: looked for, and gone. ``unchecked``: gone, but their file
    was not read or their agent did not answer."""

    new: ComparedFindings
    reopened: ComparedFindings
    persisting: ComparedFindings
    fixed: ComparedFindings
    unchecked: ComparedFindings


class ChangeOut(BaseModel):
    """``change`` is null if one of the runs has no such number."""

    before: float | None
    now: float | None
    change: float | None

    @classmethod
    def of(cls, moved: Moved) -> ChangeOut:
        return cls(before=moved.before, now=moved.now, change=moved.change)


class ScoreChange(ChangeOut):
    agent: AgentName


class ResourceChange(ChangeOut):
    scope: str
    resource: str


class MeasureOut(ChangeOut):
    """The sum, in ``unit``, and the resources that changed (``total`` of them), largest change
    first. ``is_partial``: in one of the runs the sum is a lower bound, as something has no known
    value."""

    unit: str
    is_partial: bool
    total: int
    resources: list[ResourceChange]

    @classmethod
    def of_measure(cls, moved: MovedMeasure, *, limit: int) -> MeasureOut:
        return cls(
            **ChangeOut.of(moved.total).model_dump(),
            unit=moved.unit,
            is_partial=moved.is_partial,
            total=len(moved.resources),
            resources=[
                ResourceChange(
                    scope=each.scope,
                    resource=each.resource,
                    **ChangeOut.of(each.value).model_dump(),
                )
                for each in moved.resources[:limit]
            ],
        )


class ComparisonOut(BaseModel):
    run: ComparedRun
    before: ComparedRun
    findings: FindingChanges
    scores: list[ScoreChange]
    cost: MeasureOut
    energy: MeasureOut
    carbon: MeasureOut


@router.get("/{uuid:run_id}/compare", response=ComparisonOut, operation_id="compare_runs")
def compare(request: HttpRequest, run_id: UUID, before: With, limit: Limit = 200) -> ComparisonOut:
    """What changed from the run ``with`` to this one. Each list holds at most ``limit`` entries,
    and its total."""
    rows = AssessmentRun.objects.visible_to(request.user).select_related("version")
    rows = rows.defer("resources", "summary")
    found = Comparison(get_object_or_404(rows, pk=run_id), get_object_or_404(rows, pk=before))
    measures = {
        each.measure.key: MeasureOut.of_measure(each, limit=limit) for each in found.measures
    }
    names = FindingChanges.model_fields
    return ComparisonOut(
        run=ComparedRun.of(found.run),
        before=ComparedRun.of(found.before),
        findings=FindingChanges(
            **{name: ComparedFindings.of(getattr(found, name), limit=limit) for name in names}
        ),
        scores=[
            ScoreChange(agent=agent, **ChangeOut.of(moved).model_dump())
            for agent, moved in found.scores.items()
        ],
        **measures,
    )
