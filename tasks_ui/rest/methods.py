"""What every URL of the API does besides its operations: HEAD and OPTIONS, and the same response
with and without a trailing slash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.urls import is_valid_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

ROOT = "/api/"


class ApiMethodsMiddleware:
    """HEAD is GET without its body; OPTIONS returns 204 with ``Allow``.

    An unknown URL is tried again with a trailing slash added or removed, so that clients may write
    it either way and no POST is lost to a redirect.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(ROOT):
            return self.get_response(request)
        request.path_info = _known(request.path_info)
        if request.method == "HEAD":
            return self._head(request)
        response = self.get_response(request)
        if request.method == "OPTIONS" and response.status_code == 405:
            return _options(response)
        return _with_head(response)

    def _head(self, request: HttpRequest) -> HttpResponse:
        request.method = "GET"
        response = _with_head(self.get_response(request))
        request.method = "HEAD"
        response.setdefault("Content-Length", str(len(response.content)))
        response.content = b""
        return response


def _known(path: str) -> str:
    if is_valid_path(path):
        return path
    other = path[:-1] if path.endswith("/") else f"{path}/"
    return other if is_valid_path(other) else path


def _options(refusal: HttpResponse) -> HttpResponse:
    return HttpResponse(status=204, headers={"Allow": _allowed(refusal)})


def _with_head(response: HttpResponse) -> HttpResponse:
    """A 405 lists HEAD and OPTIONS too."""
    if response.status_code == 405:
        response["Allow"] = _allowed(response)
    return response


def _allowed(refusal: HttpResponse) -> str:
    methods = {name.strip() for name in refusal.get("Allow", "").split(",")} - {""}
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods | {"OPTIONS"}))
