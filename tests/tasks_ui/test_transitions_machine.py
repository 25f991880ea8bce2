"""Anything that can happen to runs, in any order: queuing, claiming, dying, retrying, cancelling,
finishing, late and duplicated messages. Hypothesis drives the transition functions against
PostgreSQL and checks every row after every step."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

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
from tasks_ui.models import FINAL, State, TaskRun
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
from tasks_ui.worker.execute import release
from tests.probe.models import Effect
from tests.probe.runs import queue_probe
from tests.tasks_ui.run_invariants import Invariants

if TYPE_CHECKING:
    from django.contrib.auth.models import User

EXAMPLES = int(os.environ.get("EXAMPLES", "40"))  # make chaos tries a thousand
MAX_ATTEMPTS = 3
ROOTS = 2
ROUNDS = 12
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
        self.watched = Invariants()

    def teardown(self) -> None:
        has_failed = transaction.get_rollback()
        transaction.set_rollback(False)  # a step that failed must not hide why
        try:
            if not has_failed:
                self._everything_settles()
        finally:
            transaction.savepoint_rollback(self.savepoint)

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

    @rule(target=workers, which=WHICH, late_by=st.sampled_from([0, 0, 0, 1, 2]))
    def deliver(self, which: int, late_by: int) -> MultipleResults[Held]:
        """A message as sent now, or some attempts ago; duplicated if this step is repeated."""
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
        """A parent creates its children and releases its worker."""
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

    @invariant()
    def what_holds_after_every_step(self) -> None:
        self.watched.check()

    def _everything_settles(self) -> None:
        """Liveness: from any state, time, the reconciler and well-behaved workers bring every run
        to a final state in a bounded number of rounds."""
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
        """One of the rows; those that nobody holds come first, finished ones last."""
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
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
