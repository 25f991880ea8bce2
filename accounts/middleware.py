"""Responses to people whose password was not checked, or who lack a second factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect, render

from accounts.hashing import HashingBusyError
from accounts.throttle import TooManyAttemptsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse


class RefusalMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, TooManyAttemptsError):
            minutes = exception.retry_after_s // 60
            words = f"Too many sign-in attempts. Wait {minutes} minutes, then try again."
            return _refusal(request, words, status=429, retry_after_s=exception.retry_after_s)
        if isinstance(exception, HashingBusyError):
            words = "Many people are signing in at the moment. Try again in a few seconds."
            return _refusal(request, words, status=503, retry_after_s=exception.retry_after_s)
        return None


class StaffTotpMiddleware:
    """With ``STAFF_TOTP`` the admin requires an authenticator app: staff without one are sent to
    the page that sets one up. Nothing else is restricted."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        match = request.resolver_match
        if not settings.STAFF_TOTP or match is None or "admin" not in match.app_names:
            return None
        user = request.user
        if not user.is_authenticated or match.url_name == "logout":
            return None
        if is_mfa_enabled(user, types=[Authenticator.Type.TOTP]):
            return None
        messages.warning(request, "The admin requires an authenticator app. Set one up first.")
        return redirect("mfa_index")


def _refusal(request: HttpRequest, words: str, *, status: int, retry_after_s: int) -> HttpResponse:
    response = render(request, "accounts/refused.html", {"words": words}, status=status)
    response["Retry-After"] = str(retry_after_s)
    return response
