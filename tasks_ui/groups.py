"""All names of channel groups. There is no group of everyone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

STAFF = "staff"


def task(task_id: UUID | str) -> str:
    return f"task.{task_id}"


def user(user_id: Any) -> str:
    return f"user.{user_id}"
