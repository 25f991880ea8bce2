"""Records Django's and django-allauth's signals in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver

from tasks_ui.access.audit import Event, record

if TYPE_CHECKING:
    from django.http import HttpRequest

SIMPLE = {
    user_logged_in: Event.SIGNED_IN,
    user_logged_out: Event.SIGNED_OUT,
    account.user_signed_up: Event.JOINED,
    account.password_changed: Event.PASSWORD,
    account.password_set: Event.PASSWORD,
    account.password_reset: Event.RESET,
    account.email_added: Event.EMAIL,
    account.email_changed: Event.EMAIL,
    account.email_removed: Event.EMAIL,
}
FACTORS = {
    mfa.authenticator_added: Event.FACTOR_ON,
    mfa.authenticator_removed: Event.FACTOR_OFF,
    mfa.authenticator_reset: Event.CODES,
}


def listen() -> None:
    for signal, event in SIMPLE.items():
        signal.connect(_noting(event), weak=False)
    for signal, event in FACTORS.items():
        signal.connect(_noting(event, what="authenticator"), weak=False)


def refused(account_name: str, *, request: HttpRequest | None, event: Event) -> None:
    """Unknown names are not recorded: people sometimes type passwords there."""
    users = get_user_model()._default_manager.filter(username__iexact=account_name)
    record(event, request=request, by=users.first())


def _noting(event: Event, *, what: str = "") -> Any:
    def note(sender: Any, request: HttpRequest, user: Any = None, **more: Any) -> None:
        if user is not None:
            record(event, request=request, by=user, about=more[what].type if what else "")

    return note


@receiver(user_login_failed)
def _login_failed(
    sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **more: Any
) -> None:
    account_name = credentials.get("username") or credentials.get("email") or ""
    refused(account_name, request=request, event=Event.REFUSED)
