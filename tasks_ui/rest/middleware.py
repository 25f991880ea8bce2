"""What a request gets while the database is away, and one whose values it refuses."""

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
    """Answers 503 with words and ``Retry-After`` where a view could not reach the database."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, DATABASE_ERRORS):
            return None
        logger.warning("The database is away: %s", exception)
        return unavailable(request)


class RefusedValuesMiddleware:
    """Answers in words where a request has values that nothing can be done with.

    400, where the database refused what it was asked to store or to compare: a NUL, a number past
    its bounds. A form or a filter should have said so first. 415, where a form is in another
    encoding than UTF-8: Django raises while it reads such a form, and again while it answers that.
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
        logger.warning("%s %s has refused values: %s", request.method, request.path, exception)
        return HttpResponse(REFUSED, status=400, content_type="text/plain; charset=utf-8")


FORM = "application/x-www-form-urlencoded"
NOT_UTF8 = "A form has to be sent in UTF-8."
REFUSED = "The request has a value that can't be stored: a NUL character, or a number too large."


def unavailable(request: HttpRequest) -> HttpResponse:
    """503 as problem+json for programs, as a sentence for people."""
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    words = "The database can't be reached just now. Nothing is lost; try again in a few seconds."
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
