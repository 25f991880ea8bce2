"""Everyone's runs: the list and its live rows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.forms import Script
from django.http import HttpResponse, JsonResponse
from django.urls import path

from tasks_ui.access.permissions import may_open, may_read
from tasks_ui.admin import overview, queues, reading
from tasks_ui.admin.actions import RunActions
from tasks_ui.admin.base import as_uuid
from tasks_ui.admin.columns import LIVE_COLUMNS
from tasks_ui.admin.filters import (
    AgeFilter,
    KindFilter,
    LevelFilter,
    QueueFilter,
    StateFilter,
    UserFilter,
    WorkerFilter,
)
from tasks_ui.admin.run_page import RunPage
from tasks_ui.models import PausedQueue, TaskRun
from tasks_ui.models.querysets import SEARCHED

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.urls import URLPattern

    from tasks_ui.models import TaskRunQuerySet

ROWS_MAX = 200


@admin.register(TaskRun)
class TaskRunAdmin(RunActions, RunPage):
    """Only the system writes rows; operators cancel, run again, expedite, and forget what is
    finished."""

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

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: TaskRun | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: TaskRun | None = None) -> bool:
        return False

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
        """With a link to the run's own pages, for staff who may read them."""
        run = self.get_object(request, object_id) if may_open(request.user) else None
        can_open = run is not None and reading.can_be_read(run)
        context = {"can_open": can_open, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def rows(self, request: HttpRequest) -> HttpResponse:
        """The live cells of the runs ``?id=``, as HTML by run and column; the list's script asks
        for them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        ids = filter(None, map(as_uuid, request.GET.getlist("id")[:ROWS_MAX]))
        runs = (
            self.get_queryset(request)
            .select_related(*self.list_select_related)
            .filter(pk__in=list(ids))
        )
        columns = [name for name in self.get_list_display(request) if name in LIVE_COLUMNS]
        return JsonResponse(
            {str(run.pk): {name: str(getattr(self, name)(run)) for name in columns} for run in runs}
        )
