"""The operators' view of everyone's tasks: find a run, understand it, end it; hold a queue, see the
workers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import ActionLocation
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.forms import Script
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django_celery_results.admin import TaskResultAdmin
from django_celery_results.models import GroupResult, TaskResult

from tasks_ui import kinds
from tasks_ui.access.audit import Event, record
from tasks_ui.access.permissions import may_open, may_read
from tasks_ui.admin import audit, overview, queues, reading  # noqa: F401  (audit registers its page)
from tasks_ui.admin.filters import (
    AgeFilter,
    KindFilter,
    LevelFilter,
    QueueFilter,
    StateFilter,
    UserFilter,
    WorkerFilter,
)
from tasks_ui.models import ApiToken, PausedQueue, State, TaskRun
from tasks_ui.models.querysets import SEARCHED
from tasks_ui.runs import bulk, services, waterfall, wording
from tasks_ui.runs.history import history
from tasks_ui.templatetags import ui

if TYPE_CHECKING:
    from django.contrib.admin.options import ModelAdmin
    from django.contrib.auth.models import User
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.urls import URLPattern

    from tasks_ui.models import TaskRunQuerySet

    TaskRunBase = ModelAdmin[TaskRun]
    ApiTokenBase = ModelAdmin[ApiToken]
else:  # Django's classes take no parameters when the program runs
    TaskRunBase = ApiTokenBase = admin.ModelAdmin

SEE_RESULTS = "django_celery_results.view_taskresult"
EVERYWHERE = [ActionLocation.CHANGE_LIST, ActionLocation.CHANGE_FORM]
LIVE_COLUMNS = ("status", "bar", "progress", "took", "tries", "in_queue", "age", "on_worker")
ROWS_MAX = 200
CHILDREN_SHOWN = 100
NONE = "\N{EN DASH}"


@admin.register(TaskRun)
class TaskRunAdmin(TaskRunBase):
    """Rows are written by the system alone; an operator cancels, repeats, hurries, and forgets what
    is finished."""

    list_display = (
        "name",
        "owner",
        "status",
        "bar",
        "took",
        "tries",
        "in_queue",
        "age",
        "on_worker",
    )
    list_display_links = ("name",)
    list_filter = (
        UserFilter,
        StateFilter,
        AgeFilter,
        QueueFilter,
        KindFilter,
        WorkerFilter,
        LevelFilter,
    )
    list_select_related = ("owner", "cancel_requested_by", "parent")
    list_per_page = 50
    show_full_result_count = False
    show_facets = (
        admin.ShowFacets.NEVER
    )  # a count for each choice of each filter is a walk over all rows
    search_fields = ("title", "owner__username")
    search_help_text = (
        f"A part of the title, in the newest {SEARCHED:,} tasks that the filters leave;"
        " a whole user name or task id finds older ones too"
    )
    date_hierarchy = "created_at"
    actions = ("cancel_runs", "retry_runs", "expedite_runs", "forget_runs")

    class Media:
        css = {"all": ("tasks_ui/tokens.css", "tasks_ui/state.css", "tasks_ui/admin.css")}
        js = (Script("tasks_ui/admin.js", type="module"),)

    # --- columns

    @admin.display(description="Task")
    def name(self, run: TaskRun) -> SafeString:
        about = f"{kinds.label(run.kind)} {str(run.pk)[:13]}"
        return format_html('{}<br><span class="id" title="{}">{}</span>', run.title, run.pk, about)

    @admin.display(description="State", ordering="state")
    def status(self, run: TaskRun) -> SafeString:
        return ui.badge(wording.view_state(run))

    @admin.display(description="Progress")
    def bar(self, run: TaskRun) -> SafeString:
        return self._bar(run, words="")

    @admin.display(description="Progress")
    def progress(self, run: TaskRun) -> SafeString:
        """The bar with the run's own words, for those who may read them."""
        return self._bar(run, words=_line(run))

    @admin.display(description="Took")
    def took(self, run: TaskRun) -> SafeString:
        """How long it ran, and under it how long it waited; of a part also when it started."""
        waited, ran = waterfall.times(run)
        words = [f"waited {wording.duration(waited)}"]
        if run.parent and run.started_at:
            offset = wording.duration(run.started_at - run.parent.queued_at)
            words.insert(0, f"started +{offset}")
        return format_html(
            '<span class="nowrap">{}</span><span class="why">{}</span>',
            NONE if ran is None else wording.duration(ran),
            ", ".join(words),
        )

    @admin.display(description="Attempt")
    def tries(self, run: TaskRun) -> str:
        return f"{run.attempt} of {run.max_attempts}" if run.attempt else NONE

    @admin.display(description="Queue", ordering="queue")
    def in_queue(self, run: TaskRun) -> SafeString:
        held = run.state in {State.PENDING, State.RETRY} and getattr(run, "is_held", False)
        return format_html(
            "{}{}", run.queue, mark_safe('<br><span class="why">paused</span>') if held else ""
        )

    @admin.display(description="Age", ordering="created_at")
    def age(self, run: TaskRun) -> SafeString:
        """Since it was queued."""
        when = f"{timezone.localtime(run.created_at):%Y-%m-%d %H:%M:%S %Z}"
        return format_html(
            '<span class="nowrap" title="{}">{}</span>', when, ui.since_words(run.created_at)
        )

    @admin.display(description="Worker", ordering="worker")
    def on_worker(self, run: TaskRun) -> SafeString:
        return format_html('<span class="nowrap">{}</span>', run.worker or NONE)

    # --- actions, each over the selected tasks or over all that match

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
                raise bulk.Refused("had finished")
            self.log_change(request, run, "Cancel requested.")

        return self._act(request, queryset, cancel, "cancel_runs", "are being cancelled")

    @admin.action(
        description="Run again",
        description_plural="Run the selected tasks again",
        permissions=["operate"],
        location=EVERYWHERE,
    )
    def retry_runs(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> HttpResponse | None:
        """The new run is its owner's, as the old one is; both say who asked."""

        def retry(run: TaskRun) -> None:
            try:
                again = services.run_again(run, by=run.owner)
            except kinds.CannotRunAgainError as error:
                raise bulk.Refused(f"can't be run again ({str(error).rstrip('.')})") from None
            self.log_change(request, run, f"Run again, as {again.pk}.")
            self.log_change(request, again, f"Run on behalf of {run.owner.get_username()}.")

        return self._act(request, queryset, retry, "retry_runs", "were queued once more")

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
                raise bulk.Refused("did not wait, or had been moved before")
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
                raise bulk.Refused("had not finished, or is a part of another task")
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
        """Ask first where many are meant, or where it can't be undone; then do it and say what was
        done."""
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
                f"Time was up before {ui.plural(done.left, 'task')}. Repeat the action for those."
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

    # --- who may what

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return may_read(request.user)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: TaskRun | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: TaskRun | None = None) -> bool:
        return False

    # --- the list and the page of one run

    def get_queryset(self, request: HttpRequest) -> QuerySet[TaskRun]:
        return super().get_queryset(request).annotate(is_held=PausedQueue.of_run())

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[TaskRun], search_term: str
    ) -> tuple[QuerySet[TaskRun], bool]:
        """All runs of the user whose name it is; else the runs that ``TaskRunQuerySet.search``
        finds."""
        runs, words = cast("TaskRunQuerySet", queryset), search_term.strip()
        owner = get_user_model().objects.filter(username__iexact=words).first() if words else None
        if owner:
            return runs.filter(owner=owner), False
        return (runs.search(words) if words else runs), False

    def get_list_display(self, request: HttpRequest) -> Any:
        return [
            "progress" if name == "bar" and may_read(request.user) else name
            for name in self.list_display
        ]

    def get_fieldsets(self, request: HttpRequest, obj: TaskRun | None = None) -> Any:
        """What is known of the run; what it does not have takes no room."""
        is_reader = may_read(request.user)
        facts = ("status", "owner", "kind_label", "in_queue", "tries", "on_worker")
        kin = ["parent_link"] * bool(obj and obj.parent_id) + ["again_of_link"] * bool(
            obj and obj.again_of_id
        )
        kin += ["again_link"] * bool(obj and obj.run_again_as.exists())
        kin += ["result_link"] * bool(is_reader and request.user.has_perm(SEE_RESULTS))
        main = [
            facts,
            "progress" if is_reader else "bar",
            *_filled(obj, "error_code", "error" if is_reader else ""),
        ]
        times = _filled(
            obj, "created_at", "started_at", "finished_at", "next_retry_at", "lease_until"
        )
        cancel = _filled(obj, "cancel_requested_at", "cancel_requested_by")
        return [
            (None, {"fields": main}),
            *(
                [("Parts", {"fields": ["children_table"], "classes": ["wide-field"]})]
                if _has_parts(obj)
                else []
            ),
            *(
                [("Timeline", {"fields": ["timeline"], "classes": ["wide-field"]})]
                if is_reader
                else []
            ),
            (
                "Times and relations",
                {"fields": [tuple(times), *[tuple(row) for row in (cancel, kin) if row]]},
            ),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: TaskRun | None = None) -> Any:
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    @admin.display(description="Kind")
    def kind_label(self, run: TaskRun) -> str:
        return f"{kinds.label(run.kind)}, stage {run.stage}" if run.stage else kinds.label(run.kind)

    @admin.display(description="Part of")
    def parent_link(self, run: TaskRun) -> str:
        return _run_link(run.parent)

    @admin.display(description="Repeats")
    def again_of_link(self, run: TaskRun) -> str:
        return _run_link(run.again_of)

    @admin.display(description="Repeated by")
    def again_link(self, run: TaskRun) -> str:
        latest = run.run_again_as.order_by("-pk").first()
        return _run_link(latest)

    @admin.display(description="Result")
    def result_link(self, run: TaskRun) -> str:
        """The archived result, where Celery's result store still has one."""
        pk = TaskResult.objects.filter(task_id=str(run.pk)).values_list("pk", flat=True).first()
        if pk is None:
            return NONE
        url = reverse("admin:django_celery_results_taskresult_change", args=[pk])
        return format_html('<a href="{}">Result and traceback</a>', url)

    @admin.display(description="Parts")
    def children_table(self, run: TaskRun) -> SafeString:
        children = list(run.children.order_by("pk")[: CHILDREN_SHOWN + 1])
        shown = children[:CHILDREN_SHOWN]
        context = {
            "children": shown,
            "waterfall": waterfall.waterfall(run, shown),
            "has_more": len(children) > CHILDREN_SHOWN,
            "run": run,
        }
        return render_to_string("admin/tasks_ui/taskrun/_children.html", context)

    @admin.display(description="Timeline")
    def timeline(self, run: TaskRun) -> SafeString:
        return render_to_string("admin/tasks_ui/taskrun/_timeline.html", {"lines": history(run)})

    # --- pages of its own

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("rows/", view(self.rows), name="tasks_ui_rows"),
            path("overview/", view(partial(overview.show, self)), name="tasks_ui_overview"),
            path("queues/", view(partial(queues.show, self)), name="tasks_ui_queues"),
            path("<uuid:run_id>/page/", view(reading.read), name="tasks_ui_read_run"),
            path("<uuid:run_id>/page/<path:path>", view(reading.read)),
            path(
                "workers/<str:name>/<str:action>/",
                view(partial(queues.drain, self)),
                name="tasks_ui_drain_worker",
            ),
            path(
                "queues/<str:name>/<str:action>/",
                view(partial(queues.hold, self)),
                name="tasks_ui_hold_queue",
            ),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With a way to the run's own pages, for staff who may read them."""
        run = self.get_object(request, object_id) if may_open(request.user) else None
        can_open = run is not None and reading.can_be_read(run)
        context = {"can_open": can_open, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def rows(self, request: HttpRequest) -> HttpResponse:
        """The live cells of the runs ``?id=``, as HTML by run and column; the list's script asks
        for them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        ids = filter(None, map(_uuid, request.GET.getlist("id")[:ROWS_MAX]))
        runs = (
            self.get_queryset(request)
            .select_related(*self.list_select_related)
            .filter(pk__in=list(ids))
        )
        columns = [name for name in self.get_list_display(request) if name in LIVE_COLUMNS]
        return JsonResponse(
            {str(run.pk): {name: str(getattr(self, name)(run)) for name in columns} for run in runs}
        )

    def _bar(self, run: TaskRun, *, words: str) -> SafeString:
        """A live bar: ``data-task`` and ``data-attempt`` are what the page's script goes by."""
        return format_html(
            '<div data-task="{}" data-attempt="{}" data-state="{}">{}<span class="why">'
            "<b data-percent>{}&nbsp;%</b> <span data-message>{}</span></span></div>",
            run.pk,
            run.attempt,
            run.state,
            ui.bar(
                run.state, run.current, run.total, run.title, f"{run.percent} percent", task=run.pk
            ),
            run.percent,
            words,
        )


admin.site.unregister([TaskResult, GroupResult])


@admin.register(TaskResult)
class ResultAdmin(TaskResultAdmin):
    """The archive of results. It shows payloads, so it takes the operators' permission besides its
    own."""

    list_display = ("task_id", "task_name", "status", "worker", "date_done")
    list_filter = ("status", "date_done")
    search_fields = ("=task_id", "task_name")
    search_help_text = "A whole task id, or the name of a task"
    show_full_result_count = False
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "run",
                    "task_id",
                    "task_name",
                    "status",
                    "worker",
                    "date_created",
                    "date_done",
                )
            },
        ),
        ("Result", {"fields": ("result", "traceback")}),
    )

    @admin.display(description="Task run")
    def run(self, result: TaskResult) -> str:
        task_id = _uuid(result.task_id)
        return _run_link(TaskRun.objects.filter(pk=task_id).first() if task_id else None)

    def get_readonly_fields(self, request: HttpRequest, obj: TaskResult | None = None) -> Any:
        return [name for _, section in self.fieldsets for name in section["fields"]]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: TaskResult | None = None) -> bool:
        return bool(super().has_view_permission(request, obj)) and may_read(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: TaskResult | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: TaskResult | None = None) -> bool:
        return False


@admin.register(ApiToken)
class ApiTokenAdmin(ApiTokenBase):
    """Who holds which token. The key itself is nowhere to be read."""

    list_display = (
        "name",
        "owner",
        "prefix",
        "scope",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_filter = ("scope",)
    list_select_related = ("owner",)
    search_fields = ("name", "owner__username", "prefix")
    actions = ("revoke",)

    @admin.action(description="Revoke the selected tokens", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for token in queryset.filter(revoked_at=None).select_related("owner"):
            token.revoked_at = timezone.now()
            token.save(update_fields=["revoked_at"])
            record(Event.REVOKED, request=request, about=f"{token} of {token.owner}")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> list[str]:
        return [field.name for field in ApiToken._meta.fields if field.name != "name"]


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)


def _line(run: TaskRun) -> str:
    """The line under a bar, with who cancelled and when the next attempt is."""
    if run.state == State.RETRY and run.next_retry_at and run.next_retry_at > timezone.now():
        left = wording.clock(run.next_retry_at - timezone.now())
        return f"{wording.status_line(run)} · in {left}"
    if (
        run.state in {State.CANCELLING, State.REVOKED}
        and run.cancel_requested_by
        and run.cancel_requested_at
    ):
        return (
            f"Cancelled by {run.cancel_requested_by.get_username()},"
            f" {wording.when(run.cancel_requested_at)}"
        )
    if run.state == State.FAILURE and run.error_code:
        return f"{run.error_code}: {wording.status_line(run)}"[:160]
    return wording.status_line(run)[:160]


def _filled(run: TaskRun | None, *names: str) -> list[str]:
    return [name for name in names if name and getattr(run, name, None)]


def _has_parts(run: TaskRun | None) -> bool:
    return run is not None and run.children.exists()


def _run_link(run: TaskRun | None) -> str:
    if run is None:
        return NONE
    return format_html(
        '<a href="{}">{}</a>', reverse("admin:tasks_ui_taskrun_change", args=[run.pk]), run.title
    )


def _uuid(text: str) -> str | None:
    try:
        return str(UUID(text.strip()))
    except ValueError:
        return None
