"""Removes the name of a deleted object from the titles, messages and events of its runs."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Q, QuerySet, TextField, Value
from django.db.models.functions import Replace
from django_celery_results.models import TaskResult

from tasks_ui.models import TaskEvent, TaskRun, TaskRunQuerySet
from tasks_ui.runs.services import forget
from tasks_ui.runs.transitions import lock_pk

SHORTEST_NAME = 3
"""A shorter name stands in words that have nothing to do with it."""
BATCH = 500
FACTS = frozenset({"state", "kind", "stage", "task_id", "worker", "error_code", "agent", "status"})
"""Keys of events whose values come from the code; programs rely on them."""


def erase(roots: TaskRunQuerySet, *, name: str, title: str) -> None:
    """Delete those of ``roots`` that have finished; in the others, which are still ending, replace
    ``name`` with ``title``. Events keep their numbers."""
    for run in roots.all():
        if not forget(run):
            _rename(run, name=name, title=title)


def _rename(root: TaskRun, *, name: str, title: str) -> None:
    with transaction.atomic():
        lock_pk(root.pk)  # the parent before its children, as in transitions
        family = TaskRun.objects.filter(Q(pk=root.pk) | Q(parent_id=root.pk))
        ids = list(
            family.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True)
        )
        family.update(title=title)
        if len(name) >= SHORTEST_NAME:
            family.filter(message__contains=name).update(message="")
            family.filter(error__contains=name).update(
                error=Replace("error", Value(name), Value(title), output_field=TextField())
            )
        texts = [str(pk) for pk in ids]
        TaskResult.objects.filter(task_id__in=texts).delete()
        LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(TaskRun), object_id__in=texts
        ).update(object_repr=title)
        _rewrite(TaskEvent.objects.filter(task__in=ids).order_by("pk"), name=name, title=title)


def _rewrite(events: QuerySet[TaskEvent], *, name: str, title: str) -> None:
    changed: list[TaskEvent] = []
    for event in events.iterator(chunk_size=BATCH):
        data = _without(event.data, name=name, title=title)
        if data != event.data:
            event.data = data
            changed.append(event)
        if len(changed) >= BATCH:
            TaskEvent.objects.bulk_update(changed, ["data"])
            changed = []
    TaskEvent.objects.bulk_update(changed, ["data"])


def _without(value: Any, *, name: str, title: str, key: str = "") -> Any:
    if isinstance(value, dict):
        return {
            each: _without(item, name=name, title=title, key=each) for each, item in value.items()
        }
    if isinstance(value, list):
        return [_without(item, name=name, title=title, key=key) for item in value]
    if not isinstance(value, str) or key in FACTS:
        return value
    if key == "title":
        return title
    return value.replace(name, title) if len(name) >= SHORTEST_NAME else value
