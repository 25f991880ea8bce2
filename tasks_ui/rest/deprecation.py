"""Headers that announce what the API is going to drop, as docs/api.md promises."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from django.utils.http import http_date

if TYPE_CHECKING:
    from django.http import HttpResponse


def deprecate(response: HttpResponse, *, since: date, until: date) -> None:
    """Add to ``response`` since when the requested feature is deprecated (``Deprecation``, RFC
    9745: a structured field date) and until when it stays (``Sunset``, RFC 8594: an HTTP date)."""
    response["Deprecation"] = f"@{_timestamp(since)}"
    response["Sunset"] = http_date(_timestamp(until))


def _timestamp(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())
