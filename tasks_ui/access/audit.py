"""The audit log: a row for each event, and a line of JSON to a logger (``AUDIT_LOGGER``)."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tasks_ui.access.address import client_address
from tasks_ui.models import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

Event = AuditEntry.Event
OPENING_LASTS = timedelta(minutes=10)


def record(
    event: Event, *, request: HttpRequest | None = None, by: Any = None, about: str = ""
) -> None:
    """Record what ``by``, or the caller of the request, did. A command has no request, and so no
    address. Never pass it a secret."""
    actor = by if by is not None else getattr(request, "user", None)
    known = actor if actor is not None and actor.pk is not None else None
    entry = AuditEntry.objects.create(
        event=event,
        actor=known,
        actor_name=known.get_username()[:150] if known else "",
        address=client_address(request) if request is not None else None,
        about=_printable(about[:200]),
    )
    transaction.on_commit(partial(_log, entry), robust=True)


def record_opening(about: str, *, by: Any, request: HttpRequest | None = None) -> None:
    """Record that staff opened someone else's run: once per OPENING_LASTS for the same ``about``,
    as a live page is requested again whenever its run changes."""
    opened = AuditEntry.objects.filter(
        actor=by, event=Event.OPENED, about=_printable(about[:200])
    ).filter(at__gt=timezone.now() - OPENING_LASTS)
    if not opened.exists():
        record(Event.OPENED, request=request, by=by, about=about)


def _printable(text: str) -> str:
    """``text`` without characters that can't be stored or would be misleading (NUL, lone
    surrogates, direction marks), so that no request can keep itself out of the log with its URL."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _log(entry: AuditEntry) -> None:
    line = {
        "at": entry.at.isoformat(),
        "event": entry.event,
        "who": entry.actor_name or None,
        "user_id": entry.actor_id,
        "from": entry.address,
        "about": entry.about or None,
    }
    logging.getLogger(settings.AUDIT_LOGGER).info(json.dumps(line))


class AdminAuditMiddleware:
    """Records every change that somebody makes in the admin, on any model, by its URL."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if _is_change(request, response):
            record(Event.ADMIN, request=request, about=_about(request))
        return response


def _about(request: HttpRequest) -> str:
    """The address, with the action and what it was for, the count first: names may be cut off."""
    posted = request.POST
    action = posted.get("action") or posted.get("CHANGE_FORM-action", "")
    if not action:
        return request.path
    if posted.get("select_across") == "1":
        return f"{request.get_full_path()} {action}, all that match"
    chosen = posted.getlist("_selected_action")
    return f"{request.path} {action}, {len(chosen)} selected: {', '.join(chosen)}"


def _is_change(request: HttpRequest, response: HttpResponse) -> bool:
    """The admin redirects after a change; a form with errors, or a question, is shown instead."""
    match = request.resolver_match
    if request.method != "POST" or match is None or "admin" not in match.app_names:
        return False
    return response.status_code == 302 and request.user.is_staff
