"""What a process's sockets read from the database, in their own threads."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from channels.db import database_sync_to_async
from django.db.models import Q
from django.utils import timezone

from tasks_ui import protocol as p
from tasks_ui.models import TaskEvent, TaskRun, TaskRunQuerySet

EVENTS_PER_BATCH = 200
SCOPE_TASKS_MAX = 200  # the newest; a socket stops following older ones of a scope
NEW_WITHIN_S = 60  # a row shows up when its transaction commits, which is later than its created_at
NEW_MAX = 500

_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="sockets")


async def in_database[T](call: Callable[[], T]) -> T:
    """Run ``call`` in one of the four threads in which this process's sockets query the
    database."""
    return await database_sync_to_async(call, thread_sensitive=False, executor=_threads)()  # type: ignore[no-any-return]


class Seen(NamedTuple):
    """A task as the database has it."""

    owner_id: Any
    last_seq: int


@dataclass(frozen=True)
class Look:
    """One look at the database for all sockets. ``asked`` are the tasks that were looked up; if one
    is not in ``tasks``, it no longer exists. ``new`` holds the latest tasks of the followed scopes,
    with their owners."""

    asked: frozenset[UUID]
    tasks: dict[UUID, Seen]
    new: dict[UUID, Any]


def look(asked: frozenset[UUID], *, owners: Collection[Any], everyone: bool) -> Look:
    """Look up the tasks ``asked`` for, and new tasks of ``owners`` or of ``everyone``."""
    tasks: dict[UUID, Seen] = {}
    if asked:
        rows = TaskRun.objects.filter(pk__in=asked).values_list("pk", "owner_id", "last_seq")
        tasks = {pk: Seen(owner_id, last_seq) for pk, owner_id, last_seq in rows}
    new: dict[UUID, Any] = {}
    if owners or everyone:
        whose = Q() if everyone else Q(owner_id__in=owners)
        since = timezone.now() - timedelta(seconds=NEW_WITHIN_S)
        latest = TaskRun.objects.roots().filter(whose, created_at__gt=since).order_by("-id")
        new = dict(latest.values_list("pk", "owner_id")[:NEW_MAX])
    return Look(asked=asked, tasks=tasks, new=new)


def snapshot(runs: TaskRunQuerySet, task_id: UUID) -> p.Snapshot | None:
    """A task of ``runs`` and its children in one statement, and so at one moment; None if there is
    no such task."""
    found = runs.filter(Q(pk=task_id) | Q(parent_id=task_id)).select_related("owner").order_by("id")
    tasks = {task.task_id: task for task in p.tasks_out(list(found))}
    task = tasks.pop(task_id, None)
    if task is None:
        return None
    return p.Snapshot(task=task, children=list(tasks.values()), last_seq=task.last_seq)


def unfinished(runs: TaskRunQuerySet) -> list[UUID]:
    """The newest unfinished tasks of ``runs``, oldest first."""
    newest = runs.roots().active().order_by("-id").values_list("pk", flat=True)
    return list(newest[:SCOPE_TASKS_MAX])[::-1]


def events(task_id: UUID, *, after: int) -> list[p.Event]:
    """A batch of a task's events after ``after``, in order."""
    rows = TaskEvent.objects.filter(task_id=task_id, seq__gt=after).order_by("seq")
    return [p.Event(**p.TaskEventOut.of(row).model_dump()) for row in rows[:EVENTS_PER_BATCH]]
