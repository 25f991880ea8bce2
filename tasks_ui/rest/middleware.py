"""What a request gets while the database is away."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

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
