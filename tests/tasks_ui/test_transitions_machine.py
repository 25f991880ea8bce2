"""Any order of what can happen to runs: queuing, claiming, dying, retrying, cancelling, finishing,
late and doubled messages. Hypothesis drives the transition functions against PostgreSQL and looks
at every row after every step."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models.functions import Now
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tasks_ui import reconciler
from tasks_ui.models import FINAL, State, TaskEvent, TaskRun
from tasks_ui.runs.services import request_cancel
from tasks_ui.runs.transitions import (
    Cancelled,
    Fenced,
    claim,
    confirm_cancelled,
    create_children,
    finish_stage,
    retry_at,
    transition,
    wait_for_children,
    write_progress,
)
from tasks_ui.states import VERBS
from tasks_ui.worker.execute import release
from tests.probe.models import Effect
from tests.probe.runs import queue_probe

if TYPE_CHECKING:
    from django.contrib.auth.models import User

STATE_OF = {f"task.{verb}": state for state, verb in VERBS.items()}
MAX_ATTEMPTS = 3
ROOTS = 2
ROUNDS = 12
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
WHICH = st.integers(0, 5)


class Held:
    """What a worker believes: this run is mine, at this attempt. It may be wrong by now."""

    def __init__(self, run: TaskRun) -> None:
        self.run = run
        self.attempt = run.attempt


class Runs(RuleBasedStateMachine):
    """The database is the model under test. What workers believe is a bundle, as beliefs outlive
    the facts."""

    owner: User
    workers = Bundle("workers")

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.savepoint_create()
        self.final: dict[Any, tuple[Any, ...]] = {}
        self.percent: dict[Any, tuple[int, int]] = {}

    def teardown(self) -> None:
        has_failed = transaction.get_rollback()
        transaction.set_rollback(False)  # a step that failed must not hide why
        try:
            if not has_failed:
                self._everything_settles()
        finally:
            transaction.savepoint_rollback(self.savepoint)

    # --- what people and programs ask

    @initialize(target=workers)
    def start(self) -> Held:
        run = queue_probe(owner=self.owner, max_attempts=MAX_ATTEMPTS)
        taken = claim(run.pk, attempt=0, worker="w")
        assert taken
        return Held(taken)

    @rule()
    def submit(self) -> None:
        if TaskRun.objects.filter(parent=None).count() < ROOTS:
            queue_probe(owner=self.owner, max_attempts=MAX_ATTEMPTS)

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        before = self._run(which)
        after = request_cancel(before, by=self.owner)
        assert after.is_final if before.is_final else after.cancel_requested_at

    # --- what the broker and the workers do

    @rule(target=workers, which=WHICH, late_by=st.sampled_from([0, 0, 0, 1, 2]))
    def deliver(self, which: int, late_by: int) -> MultipleResults[Held]:
        """A message as it was sent now, or some attempts ago; doubled, if this step is repeated."""
        before = self._run(which)
        attempt = max(0, before.attempt - late_by)
        taken = claim(before.pk, attempt=attempt, worker="w")
        if taken is None:
            return multiple()
        assert before.attempt == attempt
        assert before.lease_until is None
        assert before.cancel_requested_at is None
        assert taken.attempt == attempt + (before.state in {State.PENDING, State.RETRY})
        return multiple(Held(taken))

    @rule(held=workers, current=st.integers(0, 10))
    def progress(self, held: Held, current: int) -> None:
        written = write_progress(
            held.run, attempt=held.attempt, current=current, total=10, message="at work"
        )
        assert not written or self._holds(held)
        if written:
            held.run.state = State.PROGRESS

    @rule(held=workers)
    def finish(self, held: Held) -> None:
        holds = self._holds(held)
        run, attempt = held.run, held.attempt

        def save() -> None:
            Effect.objects.create(run_id=run.pk, attempt=attempt, worker="w")

        won = transition(run, State.SUCCESS, attempt=attempt, save=save)
        assert won is None or holds

    @rule(held=workers)
    def finish_just_after_a_cancel(self, held: Held) -> None:
        request_cancel(held.run, by=self.owner)
        self.finish(held)

    @rule(held=workers)
    def fail(self, held: Held) -> None:
        holds = self._holds(held)
        if held.attempt < held.run.max_attempts:
            won = retry_at(held.run, attempt=held.attempt, delay_s=60, error="failed")
        else:
            won = transition(held.run, State.FAILURE, attempt=held.attempt, error_code="error")
        assert won is None or holds

    @rule(held=consumes(workers))
    def shut_down(self, held: Held) -> None:
        release(held.run, attempt=held.attempt)

    @rule(held=workers)
    def confirm(self, held: Held) -> None:
        confirm_cancelled(held.run, attempt=held.attempt)

    @rule(held=workers, stage=st.sampled_from(["one", "two"]), count=st.integers(1, 2))
    def start_stage(self, held: Held, stage: str, count: int) -> None:
        """A parent makes its children and gives its worker back."""
        if held.run.parent_id:
            return
        make = lambda: [self._child(count) for _ in range(count)]  # noqa: E731
        with suppress(Cancelled, Fenced):
            create_children(held.run, attempt=held.attempt, stage=stage, make=make)
            wait_for_children(held.run, attempt=held.attempt, message="waits")

    @rule(held=workers, stage=st.sampled_from(["one", "two"]), percent=st.sampled_from([50, 100]))
    def end_stage(self, held: Held, stage: str, percent: int) -> None:
        try:
            finish_stage(held.run, attempt=held.attempt, stage=stage, percent=percent, data={})
        except Fenced:
            assert not self._holds(held) or held.run.is_final

    # --- what time does

    @rule(which=WHICH, is_due=st.booleans())
    def a_worker_is_lost(self, which: int, is_due: bool) -> None:
        """Its lease ends, and the reconciler finds it."""
        past = Now() - timedelta(seconds=1)
        if rows := list(TaskRun.objects.filter(lease_until__isnull=False).order_by("pk")):
            TaskRun.objects.filter(pk=rows[which % len(rows)].pk).update(lease_until=past)
        for run in reconciler.lost():
            reconciler.take_back(run)
        for run in reconciler.cancelled_but_not_confirmed():
            reconciler.confirm(run)
        assert not reconciler.lost().exists()
        assert not reconciler.cancelled_but_not_confirmed().exists()
        if is_due:
            self.retries_fall_due()

    @rule()
    def retries_fall_due(self) -> None:
        TaskRun.objects.filter(state=State.RETRY).update(next_retry_at=Now() - timedelta(seconds=1))

    # --- what must hold after every step

    @invariant()
    def what_holds_after_every_step(self) -> None:
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
            assert self.final.setdefault(run.pk, now) == now
            assert run.lease_until is None
            assert run.next_retry_at is None

    def _is_moved_by_someone(self, run: TaskRun, children: list[TaskRun]) -> None:
        """What no worker holds and no child will wake is in a state that the reconciler looks for.
        A parent's percent never goes back within an attempt."""
        if run.state == State.STARTED:
            assert run.lease_until
        if children:
            attempt, current = self.percent.get(run.pk, (run.attempt, 0))
            assert run.attempt > attempt or run.current >= current
            self.percent[run.pk] = (run.attempt, run.current)

    def _everything_settles(self) -> None:
        """Liveness: from any state, time, the reconciler and honest workers bring every run to a
        final state in a bounded number of rounds."""
        for _ in range(ROUNDS):
            if not TaskRun.objects.active().exists():
                return
            self.a_worker_is_lost(0, is_due=True)
            for run in TaskRun.objects.active().filter(lease_until=None).order_by("-pk"):
                taken = claim(run.pk, attempt=run.attempt, worker="honest")
                if taken is not None:
                    transition(taken, State.SUCCESS, attempt=taken.attempt)
            TaskRun.objects.filter(lease_until__isnull=False).update(lease_until=Now())
        assert not TaskRun.objects.active().exists(), list(
            TaskRun.objects.active().values("state", "attempt", "lease_until", "parent_id")
        )

    def _run(self, which: int) -> TaskRun:
        """One of the rows; those that nobody holds come first, those that are over last."""
        rows = sorted(
            TaskRun.objects.all(),
            key=lambda run: (run.state in FINAL, bool(run.lease_until), run.pk),
        )
        return rows[which % len(rows)]

    def _holds(self, held: Held) -> bool:
        row = TaskRun.objects.get(pk=held.run.pk)
        return row.attempt == held.attempt and row.state in {State.STARTED, State.PROGRESS}

    def _child(self, count: int) -> TaskRun:
        return TaskRun(
            kind="probe",
            queue="default",
            title="child",
            weight=50 / count,
            max_attempts=MAX_ATTEMPTS,
        )


def test_no_order_of_events_breaks_a_run(alice: User) -> None:
    Runs.owner = alice
    run_state_machine_as_test(
        Runs,
        settings=settings(
            max_examples=80,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
