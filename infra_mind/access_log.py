"""One line per request, with an id that its other log lines share.

The line has the URL pattern, never the URL itself, which may contain an invitation's key or search
terms.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.utils.functional import LazyObject

from tasks_ui.runs import log_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

logger = logging.getLogger(__name__)

GIVEN_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


class AccessLogMiddleware:
    """Takes the request's id from ``X-Request-ID``, if a proxy in front has set one, and sends it
    back. Static files are not logged."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(f"/{settings.STATIC_URL.strip('/')}/"):
            return self.get_response(request)
        began, began_ns = time.monotonic(), time.time_ns()
        with log_context.bound(request_id=_id_of(request), trace_id=uuid4().hex) as context:
            response = self.get_response(request)
            log_context.note(user_id=_known_user_id(request))
            _write(request, response, took_s=time.monotonic() - began)
            name = f"{request.method} {_route(request)}"
            log_context.span_ended(name, began_ns=began_ns, is_root=True)
            response.headers["X-Request-ID"] = context["request_id"]
        return response


class RouteFilter(logging.Filter):
    """Django's own log lines on a request get its URL pattern, too."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if request is not None and isinstance(record.args, tuple):
            shown = _route(request)
            record.args = tuple(shown if each == request.path else each for each in record.args)
        return True


def _route(request: HttpRequest) -> str:
    match = request.resolver_match
    return f"/{match.route}" if match else "no such page"


def _write(request: HttpRequest, response: HttpResponse, *, took_s: float) -> None:
    facts = {"method": request.method, "route": _route(request), "status": response.status_code}
    logger.info(
        "%s %s %s in %.0f ms",
        *facts.values(),
        1000 * took_s,
        extra={**facts, "duration_ms": round(1000 * took_s, 1)},
    )


def _id_of(request: HttpRequest) -> str:
    given = request.headers.get("X-Request-ID", "") if settings.TRUSTED_PROXIES else ""
    return given if GIVEN_ID.fullmatch(given) else uuid4().hex


def _known_user_id(request: HttpRequest) -> int | None:
    """Who made the request, if the view looked that up. The log itself never loads a session."""
    for user in (getattr(request, "_cached_user", None), request.__dict__.get("user")):
        if user is not None and not issubclass(type(user), LazyObject):
            return getattr(user, "pk", None)
    return None
