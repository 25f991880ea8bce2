"""Checking a password: throttled first, whichever page or admin form asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.backends import ModelBackend

from accounts import throttle
from tasks_ui.access.address import client_address

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpRequest


class ThrottledBackend(ModelBackend):
    """Raises TooManyAttemptsError and HashingBusyError, which ``RefusalMiddleware`` answers. A
    request is missing only where no stranger asks."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        if request is None or not username or not password:
            return super().authenticate(request, username, password, **kwargs)
        attempt = throttle.begin(account=username, address=client_address(request))
        user = super().authenticate(request, username, password, **kwargs)
        if user is not None:
            attempt.forgive()
        return user
