"""How operators narrow the list of everyone's tasks. No filter reads the tasks to know what may be
chosen.

A value that a filter doesn't know matches nothing: actions reach all that match, so none may be
left unapplied.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from django.contrib.admin import SimpleListFilter
from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef
from django.utils import timezone

from tasks_ui import kinds
from tasks_ui.models import State, TaskRun, TaskRunQuerySet, Worker
from tasks_ui.runs import queues

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.contrib.admin import ModelAdmin
    from django.db.models import QuerySet
    from django.http import HttpRequest

SHOWN = 100
"""Users and workers offered; others are found by the search, or by writing the filter into the
address."""


class StrictFilter(SimpleListFilter):
    def has_output(self) -> bool:
        """Django drops a filter that offers nothing to choose, whatever the address says."""
        return bool(self.value()) or super().has_output()


class ColumnFilter(StrictFilter):
    """Runs whose column ``parameter_name`` has the chosen value."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> QuerySet[TaskRun]:
        value = self.value()
        return queryset.filter(**{str(self.parameter_name): value}) if value else queryset


class QueueFilter(ColumnFilter):
    title = "queue"
    parameter_name = "queue"

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin[Any]
    ) -> Iterable[tuple[str, str]]:
        return [(name, name) for name in queues.names()]


class KindFilter(ColumnFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin[Any]
    ) -> Iterable[tuple[str, str]]:
        return [(kind.name, kind.label) for kind in kinds.every()]


class WorkerFilter(ColumnFilter):
    """The worker that has a run, or had it last."""

    title = "worker"
    parameter_name = "worker"

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin[Any]
    ) -> Iterable[tuple[str, str]]:
        latest = Worker.objects.order_by("-last_seen_at").values_list("hostname", flat=True)[:SHOWN]
        return [(name, name) for name in sorted(latest)]


class UserFilter(StrictFilter):
    """The owners that have runs, by name."""

    title = "user"
    parameter_name = "user"

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin[Any]
    ) -> Iterable[tuple[str, str]]:
        has_runs = Exists(TaskRun.objects.roots().filter(owner_id=OuterRef("pk")))
        users = get_user_model().objects.filter(has_runs).order_by("username")
        return [(str(pk), name) for pk, name in users.values_list("pk", "username")[:SHOWN]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> QuerySet[TaskRun]:
        value = self.value()
        if not value:
            return queryset
        return (
            queryset.filter(owner_id=int(value))
            if value.isdecimal() and len(value) < 10
            else queryset.none()
        )


class StateFilter(StrictFilter):
    title = "state"
    parameter_name = "state"

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin[Any]
    ) -> Iterable[tuple[str, str]]:
        return [("active", "Active"), ("attention", "Needs attention"), *State.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> QuerySet[TaskRun]:
        runs, value = cast("TaskRunQuerySet", queryset), self.value()
        if value == "active":
            return runs.active()
        if value == "attention":
            return runs.needing_attention()
        return runs.filter(state=value) if value else runs


class AgeFilter(StrictFilter):
    title = "age"
    parameter_name = "age"
    AGES = {
        "5m": timedelta(minutes=5),
        "1h": timedelta(hours=1),
        "1d": timedelta(days=1),
        "7d": timedelta(days=7),
    }

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin[Any]
    ) -> Iterable[tuple[str, str]]:
        return [
            ("5m", "Last 5 minutes"),
            ("1h", "Last hour"),
            ("1d", "Last 24 hours"),
            ("7d", "Last 7 days"),
            ("older", "Older than 7 days"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> QuerySet[TaskRun]:
        value = self.value() or ""
        if value == "older":
            return queryset.filter(created_at__lt=timezone.now() - self.AGES["7d"])
        if value in self.AGES:
            return queryset.filter(created_at__gte=timezone.now() - self.AGES[value])
        return queryset.none() if value else queryset


class LevelFilter(StrictFilter):
    """Whole tasks, or their parts: a run's children have a parent."""

    title = "level"
    parameter_name = "level"

    def lookups(
        self, request: HttpRequest, model_admin: ModelAdmin[Any]
    ) -> Iterable[tuple[str, str]]:
        return [("parts", "Parts"), ("all", "Tasks and parts")]

    def choices(self, changelist: Any) -> Any:
        first, *rest = super().choices(changelist)
        yield {**first, "display": "Tasks"}
        yield from rest

    def queryset(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> QuerySet[TaskRun]:
        level = self.value() or ""  # the form sends filters that are not set, too
        if level == "all":
            return queryset
        if level not in {"", "parts"}:
            return queryset.none()
        return queryset.filter(parent__isnull=not level)
