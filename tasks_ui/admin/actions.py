"""What operators do to runs: to the selected ones, or to all that match."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from django.contrib import admin, messages
from django.contrib.admin import ActionLocation
from django.contrib.admin.models import DELETION, LogEntry
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from tasks_ui import kinds
from tasks_ui.access.permissions import may_read
from tasks_ui.admin.base import TaskRunBase
from tasks_ui.models import TaskRun
from tasks_ui.runs import bulk, services
from tasks_ui.templatetags import ui

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet
    from django.http import HttpRequest


EVERYWHERE = [ActionLocation.CHANGE_LIST, ActionLocation.CHANGE_FORM]


class RunActions(TaskRunBase):
    @admin.action(
        description="Cancel",
        description_plural="Cancel the selected tasks",
        permissions=["operate"],
        location=EVERYWHERE,
    )
    def cancel_runs(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> HttpResponse | None:
        def cancel(run: TaskRun) -> None:
            if (
                services.request_cancel(run, by=_user(request)).cancel_requested_at is None
                or run.is_final
            ):
                raise bulk.Refused("had already finished")
            self.log_change(request, run, "Cancel requested.")

        return self._act(request, queryset, cancel, "cancel_runs", "are being cancelled")

    @admin.action(
        description="Run again",
        description_plural="Run the selected tasks again",
        permissions=["operate"],
        location=EVERYWHERE,
    )
    def retry_runs(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> HttpResponse | None:
        """The new run belongs to the same owner; the logs of both name the operator."""

        def retry(run: TaskRun) -> None:
            try:
                again = services.run_again(run, by=run.owner)
            except kinds.CannotRunAgainError as error:
                raise bulk.Refused(f"can't be run again ({str(error).rstrip('.')})") from None
            self.log_change(request, run, f"Run again, as {again.pk}.")
            self.log_change(request, again, f"Run on behalf of {run.owner.get_username()}.")

        return self._act(request, queryset, retry, "retry_runs", "were queued again")

    @admin.action(
        description="Move to the priority queue",
        description_plural="Move the selected tasks to the priority queue",
        permissions=["operate"],
        location=EVERYWHERE,
    )
    def expedite_runs(
        self, request: HttpRequest, queryset: QuerySet[TaskRun]
    ) -> HttpResponse | None:
        def expedite(run: TaskRun) -> None:
            if not services.expedite(run, by=_user(request)):
                raise bulk.Refused("could not be moved (not waiting, or already moved)")
            self.log_change(request, run, "Moved to the priority queue.")

        return self._act(
            request, queryset, expedite, "expedite_runs", "were moved to the priority queue"
        )

    @admin.action(
        description="Forget",
        description_plural="Forget the selected finished tasks",
        permissions=["operate"],
        location=EVERYWHERE,
    )
    def forget_runs(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> HttpResponse | None:
        """Delete finished runs with their events. What they found stays with the assessment."""

        def forget(run: TaskRun) -> None:
            if not services.forget(run):
                raise bulk.Refused("can't be forgotten (not finished, or part of another task)")
            LogEntry.objects.log_actions(_user(request).pk, [run], DELETION, single_object=True)

        return self._act(request, queryset, forget, "forget_runs", "were forgotten")

    def _act(
        self,
        request: HttpRequest,
        runs: QuerySet[TaskRun],
        act: Callable[[TaskRun], None],
        action: str,
        became: str,
    ) -> HttpResponse | None:
        """Ask for confirmation if all matching runs are meant or it can't be undone; then act and
        report the result."""
        is_across = request.POST.get("select_across") == "1"
        if (is_across or action == "forget_runs") and "confirmed" not in request.POST:
            return self._ask(request, runs, action)
        done = bulk.each(runs.select_related("owner"), act)
        if done.count == 1:
            became = became.replace("are ", "is ").replace("were ", "was ")
        parts = [f"{ui.plural(done.count, 'task')} {became}."]
        parts += [
            f"{ui.plural(count, 'task')} {reason}." for reason, count in done.refused.most_common(3)
        ]
        if done.left:
            parts.append(
                f"Time ran out before {ui.plural(done.left, 'task')}. Repeat the action for those."
            )
        level = messages.WARNING if done.left or not done.count else messages.SUCCESS
        self.message_user(request, " ".join(parts), level)
        if action == "forget_runs" and "/change/" in request.path:
            return HttpResponseRedirect(reverse("admin:tasks_ui_taskrun_changelist"))
        return None

    def _ask(self, request: HttpRequest, runs: QuerySet[TaskRun], action: str) -> HttpResponse:
        verb = {"retry_runs": "Run again", "expedite_runs": "Move to the priority queue"}.get(
            action
        )
        verb = verb or action.partition("_")[0].capitalize()
        count = runs.count()
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{verb}: {ui.plural(count, 'task')}",
            "verb": verb,
            "count": count,
            "runs": list(runs.select_related("owner").order_by("-pk")[:10]),
            "is_final": action == "forget_runs",
            "posted": [
                (name, value)
                for name, values in request.POST.lists()
                for value in values
                if name != "csrfmiddlewaretoken"
            ],
            "back": request.get_full_path(),
        }
        return TemplateResponse(request, "admin/tasks_ui/taskrun/confirm.html", context)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return may_read(request.user)


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)
