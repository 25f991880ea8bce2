"""Errors over HTTP: RFC 9457 problem details, no matter what refuses a request."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.db import DataError
from django.http import Http404, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import RawPostDataException
from ninja.errors import HttpError, ValidationError
from ninja.parser import Parser

from tasks_ui.access.rate_limit import TooManyRequestsError
from tasks_ui.protocol import FieldError, Problem
from tasks_ui.rest.middleware import REFUSED, unavailable
from tasks_ui.runs.patience import DATABASE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.http import HttpRequest
    from ninja import NinjaAPI

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
MACHINE_PATHS = ("/api/", "/health/")
CHALLENGE = 'Bearer realm="API"'
WORDS = {
    400: "The request can't be understood.",
    401: "Sign in, or send an API token as 'Authorization: Bearer <token>'.",
    403: "This is not allowed.",
    404: "Not found, or not visible to you.",
    405: "This URL does not support that method.",
    413: "The request is too large.",
    415: "This URL does not accept a body of that type.",
    500: "Something went wrong on the server. It has been logged.",
}


class UnsupportedBodyError(Exception):
    """The operation does not accept this type of body; the message names those it accepts."""

    def __init__(self, sent: str, *, takes: str = "application/json") -> None:
        super().__init__(f"The body was sent as {sent[:100] or 'nothing'}. Send it as {takes}.")


class JsonParser(Parser):
    """Reads JSON bodies only. Raises UnsupportedBodyError, or ValueError for invalid JSON; Ninja
    turns either into an HttpError."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        if request.content_type != "application/json":
            raise UnsupportedBodyError(request.content_type or "")
        return super().parse_body(request)


def problem(
    status: int, detail: str = "", *, errors: Sequence[FieldError] = (), **more: Any
) -> HttpResponse:
    """A problem response; ``more`` are extension members."""
    title = HTTPStatus(status).phrase
    body = Problem(
        title=title,
        status=status,
        detail=detail or WORDS.get(status, title),
        errors=list(errors),
        **more,
    )
    return HttpResponse(
        body.model_dump_json(exclude_none=True), status=status, content_type=CONTENT_TYPE
    )


def add_handlers(api: NinjaAPI) -> None:
    """Make the API respond to every exception with a problem."""
    handlers: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
        ValidationError: _invalid,
        UnsupportedBodyError: lambda request, error: problem(415, str(error)),
        # The check against forgery has read the form, and Ninja looks at the body before it parses.
        RawPostDataException: lambda request, error: problem(
            415, str(UnsupportedBodyError(request.content_type or ""))
        ),
        HttpError: _refused,
        Http404: lambda request, error: problem(404),
        RequestDataTooBig: lambda request, error: problem(413),
        BadRequest: lambda request, error: problem(400),
        SuspiciousOperation: lambda request, error: problem(400),
        MultiPartParserError: lambda request, error: problem(400),
        TooManyRequestsError: _too_many,
        DataError: lambda request, error: problem(400, REFUSED),
        **dict.fromkeys(DATABASE_ERRORS, _database_away),
        Exception: _unexpected,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


class ProblemMiddleware:
    """Turns every other error below /api/ into a problem: unknown URLs, wrong methods, hosts and
    bodies. Adds how many requests are left this minute, and, with 401, how to sign in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not request.path.startswith(MACHINE_PATHS):
            return response
        if response.status_code >= 400:
            response = _as_problem(response)
        if response.status_code == 401:
            response["WWW-Authenticate"] = CHALLENGE
        if (left := getattr(request, "allowance", None)) is not None:
            for name, value in left.headers.items():
                response[name] = value
        return response


def _as_problem(response: HttpResponse) -> HttpResponse:
    if response.get("Content-Type", "").startswith(CONTENT_TYPE):
        return response
    replacement = problem(response.status_code)
    for name in ("Allow", "Retry-After"):
        if name in response:
            replacement[name] = response[name]
    return replacement


def field_errors(errors: Sequence[Any]) -> list[FieldError]:
    """Pydantic's errors by field path, at most 100 of them."""
    return [
        FieldError(path=".".join(str(part) for part in error["loc"]), message=_plain(error["msg"]))
        for error in errors[:100]
    ]


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    # A location begins with where the field came from (query, body ...), then, for some, with the
    # name of the operation's parameter that holds all fields. Ours is "wanted" wherever there is
    # one; clients don't know it.
    errors = [
        {**each, "loc": [part for part in each["loc"][1:] if part != "wanted"]}
        for each in error.errors
    ]
    return problem(422, "The request has invalid fields.", errors=field_errors(errors))


def _too_many(request: HttpRequest, error: TooManyRequestsError) -> HttpResponse:
    response = problem(429, f"{error} Wait {error.retry_after_s} s.")
    response["Retry-After"] = str(error.retry_after_s)
    return response


def _database_away(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.warning("The database is unreachable: %s", error)
    return unavailable(request)


def _unexpected(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.error("%s %s failed.", request.method, request.path, exc_info=error)
    return problem(500)


def _refused(request: HttpRequest, error: HttpError) -> HttpResponse:
    cause = error.__cause__
    if isinstance(cause, UnsupportedBodyError):
        return problem(415, str(cause))
    if isinstance(cause, ValueError):
        return problem(error.status_code, f"The body is not JSON: {cause}.")
    return problem(error.status_code, _own_words(error))


def _own_words(error: HttpError) -> str:
    return "" if error.message in {"Unauthorized", "Forbidden"} else error.message


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")
