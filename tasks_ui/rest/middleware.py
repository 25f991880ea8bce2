"""Responses while the database is unreachable, and to requests with values that it refuses."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import DataError
from django.http import HttpResponse, JsonResponse

from tasks_ui.runs.patience import DATABASE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 2


class DatabaseOutageMiddleware:
    """Responds with 503, a message and ``Retry-After`` if a view could not reach the database."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, DATABASE_ERRORS):
            return None
        logger.warning("The database is unreachable: %s", exception)
        return unavailable(request)


class RefusedValuesMiddleware:
    """Responds with a message to requests with unusable values.

    400 if the database refused to store or compare a value: a NUL, a number out of range. A form or
    a filter should have caught it first. 415 if a form is not in UTF-8: Django raises while it
    reads such a form, and again while it responds to that.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        charset = (request.content_params or {}).get("charset", "utf-8")
        if request.content_type == FORM and charset.lower() not in {"utf-8", "utf8"}:
            return HttpResponse(NOT_UTF8, status=415, content_type="text/plain; charset=utf-8")
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, DataError):
            return None
        logger.warning("%s %s was rejected: %s", request.method, request.path, exception)
        return HttpResponse(REFUSED, status=400, content_type="text/plain; charset=utf-8")


FORM = "application/x-www-form-urlencoded"
NOT_UTF8 = "Forms must be sent in UTF-8."
REFUSED = "The request has a value that can't be stored: a NUL character, or a number too large."


def unavailable(request: HttpRequest) -> HttpResponse:
    """503 as problem+json for programs, as a sentence for people."""
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    words = "The database can't be reached right now. Nothing is lost; try again in a few seconds."
    if request.path.startswith("/api/") or "text/html" not in request.headers.get("Accept", ""):
        problem = {
            "type": "about:blank",
            "title": "Service Unavailable",
            "status": 503,
            "detail": words,
        }
        return JsonResponse(
            problem, status=503, content_type="application/problem+json", headers=headers
        )
    return HttpResponse(
        words, status=503, content_type="text/plain; charset=utf-8", headers=headers
    )
