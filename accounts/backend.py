"""Checks passwords, throttled first, for every page and admin form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.auth_backends import AuthenticationBackend

from accounts import throttle
from accounts.audit import refused
from tasks_ui.access.address import client_address
from tasks_ui.access.audit import Event

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.http import HttpRequest


class ThrottledBackend(AuthenticationBackend):
    """Raises TooManyAttemptsError and HashingBusyError, which ``RefusalMiddleware`` handles. The
    request is None only for trusted callers."""

    def authenticate(
        self, request: HttpRequest | None, **credentials: Any
    ) -> AbstractBaseUser | None:
        account = credentials.get("username") or credentials.get("email")
        if request is None or not account or not credentials.get("password"):
            return super().authenticate(request, **credentials)  # type: ignore[no-any-return]
        try:
            attempt = throttle.begin(account=account, address=client_address(request))
        except throttle.TooManyAttemptsError as error:
            if error.is_first:  # the rest of a flood would only fill the log
                refused(account, request=request, event=Event.THROTTLED)
            raise
        user: AbstractBaseUser | None = super().authenticate(request, **credentials)
        if user is not None:
            attempt.forgive()
        return user
