"""The sign-in and sign-up pages, where they differ from django-allauth's."""

from __future__ import annotations

from typing import Any

from allauth.account.views import (
    EmailView,
    LoginView,
    PasswordChangeView,
    PasswordResetView,
    SignupView,
)
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from accounts import names
from accounts.models import Invitation, UsedUpError
from tasks_ui.access.audit import Event, record


class SignIn(LoginView):
    """Shows the demo account's credentials where it is the only account: on one's own machine, with
    the embedded database."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        more = {
            "has_demo": settings.IS_LOCAL and settings.DEMO_MARK.exists(),
            "may_sign_up": settings.SIGN_UP,
            "oidc": settings.OIDC_NAME,
        }
        return {**super().get_context_data(**kwargs), **more}


class SignUp(SignupView):
    """For everyone if SIGN_UP is set, otherwise for people with an invitation."""

    invitation: Invitation | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if token := kwargs.get("token"):
            self.invitation = Invitation.objects.of(token)
            if self.invitation is None:
                return render(request, "accounts/invitation_ended.html", _contact(), status=404)
        return super().dispatch(request, *args, **kwargs)  # type: ignore[no-any-return]

    def is_open(self) -> bool:
        return self.invitation is not None or bool(super().is_open())

    def closed(self) -> HttpResponse:
        return render(self.request, "account/signup_closed.html", _contact(), status=403)

    def form_valid(self, form: Any) -> HttpResponse:
        """One transaction: no account without a used invitation, and no used invitation without an
        account."""
        try:
            with transaction.atomic():
                names.reserve(form.cleaned_data["username"])
                if self.invitation:
                    self.invitation.use(by=None)
                response: HttpResponse = super().form_valid(form)
                if self.invitation:
                    Invitation.objects.filter(pk=self.invitation.pk).update(used_by=self.user)
                    about = str(self.invitation)
                    record(Event.INVITATION_USED, request=self.request, by=self.user, about=about)
                return response
        except ValidationError as error:
            form.add_error("username", error)
        except UsedUpError:
            form.add_error(None, "This invitation has just been used. Ask for a new one.")
        return self.form_invalid(form)  # type: ignore[no-any-return]


class ResetPassword(PasswordResetView):
    """By mail; if the server sends none, the page says whom to ask."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.HAS_MAIL:
            return render(request, "accounts/no_mail.html", _contact())
        return super().dispatch(request, *args, **kwargs)  # type: ignore[no-any-return]


class ChangePassword(PasswordChangeView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "has_mail": settings.HAS_MAIL}


class MailAddresses(EmailView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not settings.HAS_MAIL:
            raise Http404
        return super().dispatch(request, *args, **kwargs)  # type: ignore[no-any-return]


def _contact() -> dict[str, str]:
    return {"contact": settings.CONTACT}
