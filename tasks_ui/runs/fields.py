"""The fields that a run is created with, and those that a change of its state may set besides: the
type checker catches a misspelled one."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.db.models.expressions import Combinable

from tasks_ui.models import TaskRun


class Subject(TypedDict):
    """The object that a run works on."""

    subject_type: ContentType
    subject_id: UUID


class RunOptions(TypedDict, total=False):
    queue: str
    title: str
    message: str
    stage: str
    weight: float
    parent: TaskRun | None
    max_attempts: int
    next_retry_at: datetime | None
    idempotency_key: str | None
    again_of: TaskRun | None
    subject_type: ContentType | None
    subject_id: UUID | None


class RunFields(RunOptions, total=False):
    """``owner`` or ``owner_id``, ``kind``, ``queue`` and ``title`` are always needed."""

    owner: Any  # the user model is a setting
    owner_id: Any
    kind: str


class CancelRequest(TypedDict, total=False):
    """When someone asked for a run to end, and who did; None if it was not a person."""

    cancel_requested_at: datetime | Combinable
    cancel_requested_by: Any  # the user model is a setting


class Changes(CancelRequest, total=False):
    """Values, or expressions that the database evaluates."""

    message: str
    error: str
    error_code: str
    worker: str
    partial: bool
    current: int | Combinable
    total: int | None
    rings: int
    max_attempts: int | Combinable
    started_at: datetime | Combinable
    next_retry_at: datetime | Combinable | None
    lease_until: datetime | Combinable | None
    rung_at: datetime | Combinable | None
