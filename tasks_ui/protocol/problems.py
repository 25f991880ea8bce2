"""Errors over HTTP, and the kind of text that the APIs accept."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Words = Annotated[str, Field(pattern=r"^[^\x00-\x1f]*$")]
"""One line of text. PostgreSQL can't store NUL."""


class FieldError(BaseModel):
    """One error. ``path`` is that of a field (``files.0.path``) or of a file; ``line`` counts from
    1."""

    path: str
    message: str
    line: int | None = None


class Problem(BaseModel):
    """RFC 9457 problem details, sent as ``application/problem+json``."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []
