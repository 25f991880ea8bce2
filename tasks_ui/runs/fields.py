"""What a run is created with, and what a change of its state may write besides: a misspelled field
is an error of types."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.db.models.expressions import Combinable

from tasks_ui.models import TaskRun


class RunFields(TypedDict, total=False):
    """``owner`` or ``owner_id``, ``kind``, ``queue`` and ``title`` are always given."""

    owner: Any  # the user model is a setting
    owner_id: Any
    kind: str
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


class Changes(TypedDict, total=False):
    """Values, or what the database computes for them."""

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
