"""Signing in, signing up, and changing the password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model, update_session_auth_hash
from django.contrib.auth import login as sign_in
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordChangeForm, UserCreationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class SignedInRequest(HttpRequest):
    """A request behind ``login_required``."""

    user: User
    htmx: HtmxDetails


class SignIn(LoginView):
    """Shows how to get in where the demo account is the only way: on one's own machine, with the
    embedded database."""

    template_name = "tasks_ui/account/sign_in.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        has_demo = (
            settings.IS_LOCAL
            and get_user_model().objects.filter(username="demo", is_active=True).exists()
        )
        return super().get_context_data(has_demo=has_demo, **kwargs)


@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("dashboard")
    form: UserCreationForm[User] = UserCreationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        sign_in(request, form.save())
        return redirect("dashboard")
    return render(request, "tasks_ui/account/sign_up.html", {"form": form})


@login_required
@require_http_methods(["GET", "POST"])
def change_password(request: SignedInRequest) -> HttpResponse:
    form = PasswordChangeForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        update_session_auth_hash(request, form.save())  # this session stays; all others end
        messages.success(request, "The password is changed. Other sessions are signed out.")
        return redirect("dashboard")
    return render(request, "tasks_ui/account/change_password.html", {"form": form})
