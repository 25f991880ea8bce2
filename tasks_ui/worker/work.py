"""One attempt at one run, as its task sees it, and the two exceptions with which a task steers
it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.conf import settings

from tasks_ui import groups
from tasks_ui.models import State, TaskRun
from tasks_ui.publisher import publisher
from tasks_ui.runs.transitions import (
    create_children,
    finish_stage,
    write_parent_progress,
    write_progress,
)

if TYPE_CHECKING:
    from uuid import UUID
from tasks_ui.runs.patience import patiently

DETAIL_LENGTH = 2000
COUNT_MAX = 2**31 - 1
"""What the row's counters hold. Larger counts, such as bytes, are scaled down to it."""


class WaitForChildren(Exception):
    """The run resumes once all its children are final; until then the worker is free."""


class TaskFailed(Exception):
    """The run can't succeed, however often it is tried. The message is shown to its owner; ``code``
    names the cause."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class Work:
    """One attempt at one run, as its task sees it."""

    def __init__(self, run: TaskRun) -> None:
        self.run = run
        self.attempt = run.attempt
        self._stop: type[Exception] | None = None
        self._stopped_at = 0.0
        self._on_stop: list[Callable[[], None]] = []
        self._progress = (0, run.total, "")
        self._written = self._progress
        self._push_parent = str(run.parent_id) if run.parent_id else ""
        self._parent_current = 0
        self.effects: Callable[[], object] | None = None

    @property
    def subject_id(self) -> UUID:
        """The id of the object that the run works on. Raises TaskFailed if there is none."""
        if self.run.subject_id is None:
            raise TaskFailed("This task has no object to work on.", code="no_subject")
        return self.run.subject_id

    def report(self, current: int, total: int, message: str = "") -> None:
        """Report how many of the known units of work are finished. Returns in microseconds.

        Raises Cancelled or Fenced if there is no point in going on.
        """
        self.check()
        if total > COUNT_MAX:
            current, total = current * COUNT_MAX // total, COUNT_MAX
        self._progress = (min(current, total), total, message)
        publisher().progress(groups.task(self.run.pk), str(self.run.pk), self._frame())
        if self._push_parent:
            publisher().progress(groups.task(self._push_parent), str(self.run.pk), self._frame())

    def check(self) -> None:
        """Raise Cancelled or Fenced if there is no point in going on."""
        if self._stop is not None:
            raise self._stop

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call ``stop`` from another thread as soon as the run is cancelled within the block."""
        self._on_stop.append(stop)
        try:
            self.check()
            yield
        finally:
            self._on_stop.remove(stop)

    def create_children(self, *, stage: str, make: Callable[[], list[TaskRun]]) -> list[TaskRun]:
        """Start a stage; see ``transitions.create_children``."""
        return patiently(
            lambda: create_children(self.run, attempt=self.attempt, stage=stage, make=make)
        )

    def finish_stage(self, stage: str, *, percent: int, **data: Any) -> None:
        """Record that a stage is done; see ``transitions.finish_stage``."""
        patiently(
            lambda: finish_stage(
                self.run, attempt=self.attempt, stage=stage, percent=percent, data=data
            )
        )

    def save_with_result(self, effects: Callable[[], object]) -> None:
        """Write ``effects`` in the transaction that makes this run a success, or not at all."""
        self.effects = effects

    def stop(self, reason: type[Exception]) -> None:
        """Called by the watcher: the run is cancelled or taken over."""
        if self._stop is None:
            self._stop, self._stopped_at = reason, time.monotonic()
            for call in list(self._on_stop):
                call()

    @property
    def is_stopped(self) -> bool:
        return self._stop is not None

    @property
    def is_past_grace(self) -> bool:
        return (
            self._stop is not None
            and time.monotonic() - self._stopped_at > settings.TASKS_CANCEL_GRACE_S
        )

    def store_progress(self) -> None:
        """Called by the watcher: write the latest progress into the row, and the parent's share."""
        latest = self._progress
        if latest == self._written or self._stop is not None:
            return
        if write_progress(
            self.run, attempt=self.attempt, current=latest[0], total=latest[1], message=latest[2]
        ):
            self.run.state = State.PROGRESS
            self._written = latest
            self._push_to_owner()

    def _push_to_owner(self) -> None:
        if not self.run.parent_id:
            for group in (groups.user(self.run.owner_id), groups.STAFF):
                publisher().progress(group, str(self.run.pk), self._frame())
            return
        parent = write_parent_progress(self.run.parent_id)
        if parent is None:
            return
        frame = {
            "type": "task.progress",
            "task_id": self._push_parent,
            "parent_id": None,
            "owner_id": self.run.owner_id,
            "attempt": parent.attempt,
            "current": parent.current,
            "total": 100,
            "message": "",
            "children": {str(self.run.pk): self._progress[0]},
        }
        for group in (groups.task(self._push_parent), groups.user(self.run.owner_id), groups.STAFF):
            publisher().progress(group, self._push_parent, frame)

    def _frame(self) -> dict[str, Any]:
        current, total, message = self._progress
        return {
            "type": "task.progress",
            "task_id": str(self.run.pk),
            "parent_id": self._push_parent or None,
            "owner_id": self.run.owner_id,
            "attempt": self.attempt,
            "current": current,
            "total": total,
            "message": message,
            "children": {},
        }
