"""The archive of results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django_celery_results.admin import TaskResultAdmin
from django_celery_results.models import GroupResult, TaskResult

from tasks_ui.access.permissions import may_read
from tasks_ui.admin.base import as_uuid, run_link
from tasks_ui.models import TaskRun

if TYPE_CHECKING:
    from django.http import HttpRequest


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
        task_id = as_uuid(result.task_id)
        return run_link(TaskRun.objects.filter(pk=task_id).first() if task_id else None)

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
