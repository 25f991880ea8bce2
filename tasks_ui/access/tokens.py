"""The API tokens page: create, list and revoke tokens."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from tasks_ui.access.audit import Event, record
from tasks_ui.access.sign_in import SignedInRequest
from tasks_ui.models import ApiToken

TOKENS_MAX = 100
DAYS = {"30": "30 days", "90": "90 days", "365": "A year", "": "Never"}


class TokenForm(forms.Form):
    name = forms.CharField(
        max_length=80, help_text="What it is for, such as the pipeline that uses it"
    )
    scope = forms.ChoiceField(
        choices=ApiToken.Scope.choices, initial=ApiToken.Scope.READ, label="Access"
    )
    days = forms.ChoiceField(
        choices=list(DAYS.items()), initial="90", required=False, label="Expires after"
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        for field in self.fields.values():
            field.widget.attrs["class"] = "in"


@login_required
@never_cache  # the page holds a key once
@require_http_methods(["GET", "POST"])
def tokens(request: SignedInRequest) -> HttpResponse:
    """All of one's tokens. A new token is shown in the response to the POST, and never again."""
    form = TokenForm(request.POST or None)
    made: tuple[ApiToken, str] | None = None
    if request.method == "POST" and form.is_valid():
        made, error = create_token(request, **form.cleaned_data)
        if error:
            form.add_error(None, error)
        else:
            form = TokenForm()
    context = {"form": form, "made": made, "tokens": _live(request), "now": timezone.now()}
    return render(request, "tasks_ui/tokens.html", context)


def create_token(
    request: SignedInRequest, *, name: str, scope: str, days: str
) -> tuple[tuple[ApiToken, str] | None, str]:
    """A new token of the caller's, with its key, which can't be recovered later; or None, and why
    not."""
    if _live(request).count() >= TOKENS_MAX:
        return None, f"You have {TOKENS_MAX} tokens. Revoke one that you no longer use."
    expires_at = timezone.now() + timedelta(days=int(days)) if days else None
    made = ApiToken.issue(owner=request.user, name=name, scope=scope, expires_at=expires_at)
    record(Event.TOKEN, request=request, about=str(made[0]))
    return made, ""


@login_required
@require_POST
def revoke(request: SignedInRequest, token_id: int) -> HttpResponse:
    """Revoke a token immediately, and close the sockets that it opened."""
    token = get_object_or_404(_live(request), pk=token_id)
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    record(Event.REVOKED, request=request, about=str(token))
    messages.success(request, f"The token {token.name} is revoked.")
    return redirect("api_tokens")


def _live(request: HttpRequest) -> QuerySet[ApiToken]:
    return ApiToken.objects.visible_to(request.user).unrevoked()
