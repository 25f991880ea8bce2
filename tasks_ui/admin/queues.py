"""The operators' page of workers and queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from tasks_ui.access.permissions import may_read
from tasks_ui.runs import queues, workers
from tasks_ui.templatetags import ui

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.admin import ModelAdmin
    from django.contrib.auth.models import User
    from django.http import HttpRequest

    from tasks_ui.models import TaskRun, Worker

ACTIONS = {
    "pause": (
        queues.pause,
        "Paused {}. Nothing new starts; running tasks continue.",
        "{} was already paused.",
    ),
    "resume": (queues.resume, "Resumed {}. Its tasks start again.", "{} was not paused."),
}
"""By name in the URL: what it does, the message when it was done, and when there was nothing to
do."""
WORKER_ACTIONS = {
    "drain": (
        workers.drain,
        "Asked {} to drain: it takes nothing new and finishes its current tasks.",
        "{} has already been asked to drain.",
    ),
    "resume": (workers.resume, "Asked {} to take tasks again.", "{} has not been asked to drain."),
}


def show(model_admin: ModelAdmin[TaskRun], request: HttpRequest) -> HttpResponse:
    """Depth, age and pause of each queue; what each worker takes, runs, and when it was last heard
    of."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    found, seen, running = queues.overview(), workers.seen(), workers.running_by_worker()
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Workers and queues",
        "opts": model_admin.opts,
        "media": model_admin.media,
        "queues": found,
        "workers": [(worker, running.get(worker.hostname, 0)) for worker in seen],
        "workers_up": sum(worker.is_up for worker in seen),
        "alarms": _alarms(found, seen),
        "audit": queues.audit(),
        "may_operate": may_read(request.user),
    }
    return TemplateResponse(request, "admin/tasks_ui/queues.html", context)


def hold(
    model_admin: ModelAdmin[TaskRun], request: HttpRequest, name: str, action: str
) -> HttpResponse:
    """POST: pause or resume a queue."""
    return _act(model_admin, request, name, ACTIONS.get(action))


def drain(
    model_admin: ModelAdmin[TaskRun], request: HttpRequest, name: str, action: str
) -> HttpResponse:
    """POST: have a worker drain, or take tasks again."""
    return _act(model_admin, request, name, WORKER_ACTIONS.get(action))


def _act(
    model_admin: ModelAdmin[TaskRun],
    request: HttpRequest,
    name: str,
    action: tuple[Callable[..., bool], str, str] | None,
) -> HttpResponse:
    if not (model_admin.has_view_permission(request) and may_read(request.user)):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if action is None:
        raise Http404
    act, done, nothing_to_do = action
    try:
        was_changed = act(name, by=cast("User", request.user))
    except (queues.NoSuchQueueError, workers.NoSuchWorkerError):
        raise Http404 from None
    level = messages.SUCCESS if was_changed else messages.INFO
    messages.add_message(request, level, (done if was_changed else nothing_to_do).format(name))
    return HttpResponseRedirect(reverse("admin:tasks_ui_queues"))


def _alarms(found: list[queues.Queue], seen: list[Worker]) -> list[str]:
    """What an operator has to know at once: work that waits with no worker to take it."""
    consumed: set[Any] = {name for worker in seen if worker.is_up for name in worker.queues}
    return [
        f"No worker takes from {queue.name}: {ui.plural(queue.waiting, 'task')} can't start."
        for queue in found
        if queue.waiting and queue.name not in consumed
    ]
