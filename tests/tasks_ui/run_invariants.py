"""What must be true of every run in the database, whatever happened to it."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

from tasks_ui.models import FINAL, State, TaskEvent, TaskRun
from tasks_ui.models.states import VERBS
from tests.probe.models import Effect

STATE_OF = {f"task.{verb}": state for state, verb in VERBS.items()}
STOPPED = {*FINAL, State.CANCELLING}
RUNS_ON = {State.PROGRESS, State.SUCCESS, State.FAILURE, State.RETRY, State.CANCELLING}
DIAGRAM = {  # as drawn in the docstring of TaskRun
    State.PENDING: {State.STARTED, State.REVOKED},
    State.STARTED: RUNS_ON,
    State.PROGRESS: RUNS_ON - {State.PROGRESS},
    State.RETRY: {State.STARTED, State.CANCELLING, State.REVOKED},
    State.CANCELLING: {State.REVOKED},
    State.SUCCESS: set(),
    State.FAILURE: set(),
    State.REVOKED: set(),
}


class Invariants:
    """Remembers each run's end and progress, so that neither may change between two checks."""

    def __init__(self) -> None:
        self._final: dict[Any, tuple[Any, ...]] = {}
        self._percent: dict[Any, tuple[int, int]] = {}

    def check(self) -> None:
        """Raise AssertionError if an invariant is violated."""
        events: dict[Any, list[TaskEvent]] = defaultdict(list)
        for event in TaskEvent.objects.order_by("task", "seq"):
            events[event.task_id].append(event)
        effects: dict[Any, list[int]] = defaultdict(list)
        for run_id, attempt in Effect.objects.values_list("run_id", "attempt"):
            effects[run_id].append(attempt)
        rows = list(TaskRun.objects.all())
        for run in rows:
            self._walks_the_diagram(run, events[run.pk])
            assert effects[run.pk] == ([run.attempt] if run.state == State.SUCCESS else [])
            assert run.attempt <= run.max_attempts
            assert run.cancel_requested_at is None or run.state in {State.CANCELLING, State.REVOKED}
            self._stays_final(run)
            children = [row for row in rows if row.parent_id == run.pk]
            self._is_moved_by_someone(run, children)
            if run.state == State.FAILURE:
                assert all(row.state in STOPPED for row in children), "a failed run's child goes on"

    def _walks_the_diagram(self, run: TaskRun, events: list[TaskEvent]) -> None:
        """Events are numbered 1..n; their states follow one another as drawn; each attempt starts
        once."""
        assert [e.seq for e in events] == list(range(1, run.last_seq + 1))
        walked = [STATE_OF[e.type] for e in events if e.type in STATE_OF]
        assert walked[0] == State.PENDING
        assert walked[-1] == run.state
        assert all(after in DIAGRAM[before] for before, after in pairwise(walked)), walked
        assert [e.attempt for e in events if e.type == "task.started"] == list(
            range(1, run.attempt + 1)
        )

    def _stays_final(self, run: TaskRun) -> None:
        if run.state in FINAL:
            now = (run.state, run.attempt, run.last_seq, run.finished_at, run.error_code)
            assert self._final.setdefault(run.pk, now) == now
            assert run.lease_until is None
            assert run.next_retry_at is None

    def _is_moved_by_someone(self, run: TaskRun, children: list[TaskRun]) -> None:
        """A run that no worker holds and no child will wake is in a state that the reconciler looks
        for. A parent's percent never goes back within an attempt."""
        if run.state == State.STARTED:
            assert run.lease_until
        if children:
            attempt, current = self._percent.get(run.pk, (run.attempt, 0))
            assert run.attempt > attempt or run.current >= current
            self._percent[run.pk] = (run.attempt, run.current)
