"""Checks passwords, throttled first, for every page and admin form; and who has which permission
where staff need a second factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.auth_backends import AuthenticationBackend
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db.models import Exists, OuterRef

from accounts import throttle
from accounts.audit import refused
from tasks_ui.access.address import client_address
from tasks_ui.access.audit import Event

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import User
    from django.db.models import QuerySet
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

    def with_perm(self, *args: Any, **options: Any) -> QuerySet[User]:
        """With ``STAFF_TOTP``, only those who have set up an authenticator app. Sockets ask this
        before they show someone everyone's tasks, as ``StaffTotpMiddleware`` does for the admin."""
        users: QuerySet[User] = super().with_perm(*args, **options)
        if not settings.STAFF_TOTP:
            return users
        apps = Authenticator.objects.filter(user=OuterRef("pk"), type=Authenticator.Type.TOTP)
        return users.filter(Exists(apps))
