"""Staff read the pages of somebody's run as its owner sees them, and can change nothing.

The pages are the owner's own, rendered for the owner, below an address of the administration that
passes on GET alone, and to nothing but pages that show this run (``TaskKind.shows``). Each page
that is opened is in the audit log, under the name of who opened it. The pages are live: their
socket follows the run read-only (``tasks_ui.live.subscriptions``).
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import Resolver404, get_script_prefix, resolve, reverse, set_script_prefix

from tasks_ui import kinds
from tasks_ui.access.audit import record_opening
from tasks_ui.access.permissions import may_open
from tasks_ui.models import TaskRun

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest
    from django.urls import ResolverMatch


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Who owns the page, and the way back; ``request.reading`` of a page that is read so."""

    owner: str
    back: str


def can_be_read(run: TaskRun) -> bool:
    """Its kind has pages, and what it is about is still there."""
    kind = kinds.find(run.kind)
    return bool(kind and kind.shows and kind.link and run.subject)


def read(request: HttpRequest, run_id: UUID, path: str = "") -> HttpResponse:
    """GET: a page of the run; without a path, to its first. 404 for whoever may not read it."""
    if not may_open(request.user) or request.method != "GET":
        raise Http404
    run = get_object_or_404(TaskRun.objects.select_related("owner"), pk=run_id)
    if not can_be_read(run):
        raise Http404
    begin = reverse("admin:tasks_ui_read_run", args=[run.pk])
    if not path:
        return HttpResponseRedirect(begin + _first(run).removeprefix(get_script_prefix()))
    match = _page(run, path)
    record_opening(f"{run.owner.get_username()}: /{path}", by=request.user, request=request)
    return _as_its_owner(request, run, match, begin=begin)


def _first(run: TaskRun) -> str:
    link = kinds.get(run.kind).link
    return link(run.subject) if link else ""


def _page(run: TaskRun, path: str) -> ResolverMatch:
    shows = kinds.get(run.kind).shows
    try:
        match = resolve(f"/{path}")
    except Resolver404:
        raise Http404 from None
    if shows is None or not shows(run, match):
        raise Http404
    return match


def _as_its_owner(
    request: HttpRequest, run: TaskRun, match: ResolverMatch, *, begin: str
) -> HttpResponse:
    """The links of the page lead below ``begin`` again."""
    page = copy(request)
    page.user = run.owner
    page.reading = Reading(  # type: ignore[attr-defined]
        owner=run.owner.get_username(), back=reverse("admin:tasks_ui_taskrun_change", args=[run.pk])
    )
    _ = settings.STATIC_URL  # Django keeps what it is when it is first read: not below the prefix
    before = get_script_prefix()
    set_script_prefix(begin)
    try:
        return cast("HttpResponse", match.func(page, *match.args, **match.kwargs))
    finally:
        set_script_prefix(before)
