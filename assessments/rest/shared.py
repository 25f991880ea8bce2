"""What operations on assessments have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Header, Query
from pydantic import ValidationError

from assessments.agents import AGENTS
from assessments.models import Assessment, AssessmentRun, Version
from tasks_ui.protocol import OneOf
from tasks_ui.rest.problems import field_errors, problem

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
RunNumber = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Default: the newest run")]

PageLimit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[UUID | None, Query(description="next_cursor of the previous page")]
SeverityName = Literal["critical", "high", "medium", "low", "info"]
AgentName = Annotated[str, OneOf(lambda: AGENTS)]
AskedAgent = Annotated[str, OneOf(lambda: AGENTS, is_asked=True)]


VersionNumber = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="Default: the newest version")
]


def invalid_body(error: ValidationError, *, what: str) -> HttpResponse:
    return problem(422, f"The {what} has invalid fields.", errors=field_errors(error.errors()))


def version_of(assessment: Assessment, number: int | None) -> Version:
    """The version of that number, or the newest. Raises Http404."""
    if number is None:
        return assessment.newest_version
    return get_object_or_404(assessment.versions, number=number)


def visible(request: HttpRequest, assessment_id: UUID) -> Assessment:
    return get_object_or_404(Assessment.objects.visible_to(request.user), pk=assessment_id)


def run_of(assessment: Assessment, number: int | None) -> AssessmentRun:
    """The run of that number, or the newest. Raises Http404."""
    rows = assessment.runs.select_related("version").defer("resources")
    run = rows.filter(number=number).first() if number is not None else rows.first()
    if run is None:
        raise Http404
    return run


def page_of[M: Model](
    rows: QuerySet[M], limit: int, *, order: Sequence[str], after: UUID | None, offset: int = 0
) -> tuple[list[M], UUID | None]:
    """The next ``limit`` of ``rows`` in ``order``, past the one with the id ``after``, and the
    cursor of the page that follows. Raises Http404 where ``after`` is none of these rows.

    The last of ``order`` tells any two rows apart. What is added between two pages moves nothing.
    """
    rows = rows.order_by(*order)
    if after is not None:
        last = rows.filter(pk=after).first()
        if last is None:
            raise Http404
        rows = rows.filter(_past(last, order))
    found = list(rows[offset : offset + limit + 1])
    return found[:limit], found[limit - 1].pk if len(found) > limit else None


def _past(row: Any, order: Sequence[str]) -> Q:
    past, same = Q(pk__in=[]), Q()
    for name in order:
        field, is_falling = name.removeprefix("-"), name.startswith("-")
        value = getattr(row, field)
        past |= same & Q(**{f"{field}__{'lt' if is_falling else 'gt'}": value})
        same &= Q(**{field: value})
    return past
