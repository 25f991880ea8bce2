"""The dashboard: a person's runs, and the actions on them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from tasks_ui import kinds
from tasks_ui.access.sign_in import SignedInRequest
from tasks_ui.kinds import CannotCompareError, CannotRunAgainError
from tasks_ui.models import State, TaskRun
from tasks_ui.models.querysets import SEARCHED, as_uuid
from tasks_ui.pages.rows import TABS, Filters, as_rows, listing
from tasks_ui.protocol import HEARTBEAT_S
from tasks_ui.runs import services
from tasks_ui.runs.services import request_cancel
from tasks_ui.runs.waiting import trouble

if TYPE_CHECKING:
    from django.contrib.auth.models import User


BULK_MAX = 200
REASONS_SHOWN = 3


CONNECTION_CHECKS = (
    ("http", "The server responds"),
    ("origin", "Server and browser use the same address"),
    ("session", "The session cookie arrives at the API"),
    ("socket", "A WebSocket opens"),
    ("news", "Messages come back"),
)


PROXY_HEADERS = (
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Real-Ip",
)


@login_required
@require_GET
def dashboard(request: SignedInRequest) -> HttpResponse:
    runs = TaskRun.objects.visible_to(request.user).roots()
    filters = Filters.of(request.GET)
    page = listing(runs, filters=filters)
    tabs = [(name, tab.label, page.counts[name]) for name, tab in TABS.items()]
    listed = [kind for kind in kinds.every() if kind.link]
    elsewhere = page.counts[""] - page.counts[filters.state] if not page.groups else 0
    context = {
        "page": page,
        "filters": filters,
        "tabs": tabs,
        "state_label": TABS[filters.state].label,
        "kinds": listed,
        "trouble": trouble([row.run for group in page.groups for row in group.rows]),
        "searched": SEARCHED,
        "elsewhere": elsewhere,
        "retention_days": settings.TASKS_RETENTION_DAYS,
    }
    return render(request, "tasks_ui/dashboard.html", context)


@login_required
@require_POST
def cancel(request: SignedInRequest, task_id: UUID) -> HttpResponse:
    run = get_object_or_404(TaskRun.objects.visible_to(request.user), pk=task_id)
    after = request_cancel(run, by=request.user)
    if after.cancel_requested_at is None:
        messages.info(request, f"Could not cancel {run.title}: it had already finished.")
    return back(request)


@login_required
@require_POST
def run_again(request: SignedInRequest, task_id: UUID) -> HttpResponse:
    run = get_object_or_404(TaskRun.objects.visible_to(request.user), pk=task_id)
    try:
        again = services.run_again(
            run, by=request.user, only_failed=request.POST.get("only") == "failed"
        )
    except CannotRunAgainError as error:
        messages.error(request, f"{run.title} can't be run again. {error}")
        return back(request)
    link = kinds.get(again.kind).link
    return redirect(link(again.subject)) if link else back(request)


@login_required
@require_POST
def bulk(request: SignedInRequest) -> HttpResponse:
    """Cancel or run again the runs that are selected in the list: at most BULK_MAX, each
    independently. Or compare the two that are selected."""
    ids = [
        task_id for text in request.POST.getlist("task")[:BULK_MAX] if (task_id := as_uuid(text))
    ]
    runs = list(TaskRun.objects.visible_to(request.user).roots().filter(pk__in=ids))
    if request.POST.get("act") == "compare":
        return _compare(request, runs)
    act = {"cancel": _cancel_one, "again": _run_one_again}.get(request.POST.get("act", ""))
    if act is None:
        raise Http404
    reasons = [act(run, request.user) for run in runs]
    done = reasons.count("")
    asked = f"{done} of {len(runs)} runs"
    is_cancel = request.POST["act"] == "cancel"
    outcome = f"Cancel requested for {asked}." if is_cancel else f"{asked} queued again."
    outcome = outcome if runs else "No run was selected."
    why = Counter(reason for reason in reasons if reason).most_common(REASONS_SHOWN)
    _say_outcome(
        request,
        " ".join([outcome, *(f"{count} skipped: {reason}" for reason, count in why)]),
        whole=done == len(runs),
    )
    return back(request)


@login_required
@require_GET
def toast(request: SignedInRequest, task_id: UUID) -> HttpResponse:
    """The notification about a run that has just ended, for a page that does not show it; 204 if
    there is none."""
    run = get_object_or_404(TaskRun.objects.visible_to(request.user).roots(), pk=task_id)
    kind = kinds.find(run.kind)
    if not run.is_final or (kind and kind.is_follow_up and run.state != State.FAILURE):
        return HttpResponse(status=204)
    return render(request, "tasks_ui/_toast.html", {"row": as_rows([run])[0]})


@login_required
@require_GET
def connection(request: SignedInRequest) -> HttpResponse:
    """Why live updates don't arrive: what this server received, for the page's script to compare
    with the browser."""
    forwarded = [name for name in PROXY_HEADERS if name in request.headers]
    context = {
        "origin": f"{request.scheme}://{request.get_host()}",
        "forwarded": forwarded,
        "cookie": settings.SESSION_COOKIE_NAME,
        "heartbeat_s": HEARTBEAT_S,
        "checks": CONNECTION_CHECKS,
    }
    return render(request, "tasks_ui/connection.html", context)


def _compare(request: HttpRequest, runs: list[TaskRun]) -> HttpResponse:
    try:
        return redirect(_comparison_of(runs))
    except CannotCompareError as error:
        messages.warning(request, f"Not compared. {error}")
        return back(request)


def _comparison_of(runs: list[TaskRun]) -> str:
    """The address of the page that compares them. Raises CannotCompareError."""
    if len(runs) != 2:
        raise CannotCompareError("Select two runs.")
    kind = kinds.find(runs[0].kind)
    if kind is None or kind.compare is None or runs[0].kind != runs[1].kind:
        raise CannotCompareError("Only two runs of the same kind, with findings, can be compared.")
    return kind.compare(*runs)


def _cancel_one(run: TaskRun, by: User) -> str:
    """Why not, if it was not done."""
    if run.is_final or request_cancel(run, by=by).cancel_requested_at is None:
        return "It had already finished."
    return ""


def _run_one_again(run: TaskRun, by: User) -> str:
    """Why not, if it was not done."""
    try:
        services.run_again(run, by=by)
    except CannotRunAgainError as error:
        return str(error)
    return ""


def _say_outcome(request: HttpRequest, words: str, *, whole: bool) -> None:
    (messages.success if whole else messages.warning)(request, words)


def back(request: HttpRequest, *, otherwise: str = "dashboard") -> HttpResponse:
    """To the page that the form is on, if it is one of ours; otherwise to ``otherwise``, a URL or
    its name."""
    target = request.POST.get("next", "")
    is_ours = target.startswith("/") and url_has_allowed_host_and_scheme(
        target, {request.get_host()}, require_https=request.is_secure()
    )
    return redirect(target if is_ours else otherwise)
