"""The REST API v1 of mutes: accept a finding with a reason, list accepted findings, undo."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Path, Router, Status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from assessments.models import Finding, FindingMute
from assessments.muting import MAX_REASON_CHARS, MuteError, mute_finding, unmute_finding
from assessments.rest.shared import Cursor, PageLimit, page_of, visible
from tasks_ui.access.auth import caller
from tasks_ui.protocol import Words
from tasks_ui.rest.api import api
from tasks_ui.rest.problems import problem

Fingerprint = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]

router = Router()


class MuteIn(BaseModel):
    """``finding`` is the id of a finding in any run; the mute applies to all runs. Without
    ``expires_at`` it is permanent."""

    model_config = ConfigDict(extra="forbid")

    finding: UUID
    reason: Words = Field(min_length=1, max_length=MAX_REASON_CHARS)
    expires_at: AwareDatetime | None = None


class MuteOut(BaseModel):
    """``in_force`` is false once ``expires_at`` has passed. ``by`` is who muted, null if that
    account is gone."""

    fingerprint: str
    reason: str
    expires_at: datetime | None
    created_at: datetime
    by: str | None
    in_force: bool

    @classmethod
    def of(cls, mute: FindingMute) -> MuteOut:
        own = {
            name: getattr(mute, name)
            for name in ("fingerprint", "reason", "expires_at", "created_at")
        }
        in_force = mute.expires_at is None or mute.expires_at > timezone.now()
        return cls(**own, by=mute.by.get_username() if mute.by else None, in_force=in_force)


class MuteList(BaseModel):
    mutes: list[MuteOut]
    next_cursor: UUID | None


@api.exception_handler(MuteError)
def refused_mute(request: HttpRequest, error: MuteError) -> HttpResponse:
    return problem(422, str(error))


@router.get("/{uuid:assessment_id}/mutes", response=MuteList, operation_id="list_mutes")
def list_mutes(
    request: HttpRequest, assessment_id: UUID, limit: PageLimit = 500, cursor: Cursor = None
) -> MuteList:
    """The mutes of this assessment, newest first."""
    rows = visible(request, assessment_id).mutes.select_related("by")
    found, next_cursor = page_of(rows, limit, order=("-id",), after=cursor)
    return MuteList(mutes=[MuteOut.of(row) for row in found], next_cursor=next_cursor)


@router.post("/{uuid:assessment_id}/mutes", response={201: MuteOut}, operation_id="mute_finding")
def mute(request: HttpRequest, assessment_id: UUID, wanted: MuteIn) -> Any:
    """Accept a finding. It stays in the results as muted; counts and recommendations leave it out,
    scores don't."""
    rows = Finding.objects.visible_to(request.user).select_related("run__assessment")
    finding = get_object_or_404(rows, pk=wanted.finding, run__assessment=assessment_id)
    made = mute_finding(
        finding, by=caller(request), reason=wanted.reason, expires_at=wanted.expires_at
    )
    return Status(201, MuteOut.of(made))


@router.delete(
    "/{uuid:assessment_id}/mutes/{fingerprint}", response={204: None}, operation_id="unmute_finding"
)
def unmute(request: HttpRequest, assessment_id: UUID, fingerprint: Fingerprint) -> Any:
    """Delete a mute."""
    if not unmute_finding(visible(request, assessment_id), fingerprint=fingerprint):
        raise Http404
    return Status(204, None)
