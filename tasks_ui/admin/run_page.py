"""The page of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_celery_results.models import TaskResult

from tasks_ui import kinds
from tasks_ui.access.permissions import may_read
from tasks_ui.admin.base import NONE, run_link
from tasks_ui.admin.columns import RunColumns
from tasks_ui.models import TaskRun
from tasks_ui.runs import waterfall
from tasks_ui.runs.history import history

if TYPE_CHECKING:
    from django.http import HttpRequest


SEE_RESULTS = "django_celery_results.view_taskresult"
CHILDREN_SHOWN = 100


class RunPage(RunColumns):
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
        return run_link(run.parent)

    @admin.display(description="Repeats")
    def again_of_link(self, run: TaskRun) -> str:
        return run_link(run.again_of)

    @admin.display(description="Repeated by")
    def again_link(self, run: TaskRun) -> str:
        latest = run.run_again_as.order_by("-pk").first()
        return run_link(latest)

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


def _filled(run: TaskRun | None, *names: str) -> list[str]:
    return [name for name in names if name and getattr(run, name, None)]


def _has_parts(run: TaskRun | None) -> bool:
    return run is not None and run.children.exists()
