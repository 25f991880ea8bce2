"""Judges a storm: checks every run, once all have ended or nothing moves anymore."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from tasks_ui.models import FINAL, State, TaskEvent, TaskRun
from tests.chaos.tally import Tally
from tests.probe.models import Effect

SLOW_S = 30


class Oracle:
    """``accepted`` and ``cancel_accepted``: what the callers were promised."""

    def __init__(
        self, tally: Tally, *, accepted: dict[Any, str], cancel_accepted: set[Any]
    ) -> None:
        self.tally, self.accepted, self.cancel_accepted = tally, accepted, cancel_accepted

    def judge(self, *, hit: Iterable[tuple[Any, datetime]], ledger: Path) -> None:
        """``hit``: runs that were working when a fault came, and when. ``ledger``: what the workers
        recorded about messages and writes that were refused."""
        rows = {run.pk: run for run in TaskRun.objects.all()}
        self.tally.accepted = len(self.accepted)
        for pk in self.accepted.keys() - rows.keys():
            self.tally.lost += 1
            self.tally.wrong.append(f"{pk}: its row is gone")
        for run in rows.values():
            self._judge_one(run)
        self._measure_recoveries(hit)
        self._count_refusals(ledger)

    def _judge_one(self, run: TaskRun) -> None:
        effects = list(Effect.objects.filter(run_id=run.pk).values_list("attempt", flat=True))
        self._count(run)
        self.tally.doubled += len(effects) > 1
        words = f"{run} {run.pk} {run.state} attempt {run.attempt} of {run.max_attempts}"
        self.tally.wrong += [f"{words}: {what}" for what in self._faults_of(run, effects)]

    def _count(self, run: TaskRun) -> None:
        tally = self.tally
        if run.state not in FINAL:
            never_began = run.attempt == 0
            tally.lost += never_began
            tally.stuck += not never_began
        elif run.pk in self.accepted:
            tally.succeeded += run.state == State.SUCCESS
            tally.cancelled += run.state == State.REVOKED
            tally.failed += run.state == State.FAILURE and run.error_code != "worker_lost"
            tally.given_up += run.error_code == "worker_lost"

    def _faults_of(self, run: TaskRun, effects: list[int]) -> list[str]:
        has_failed, is_lost = run.state == State.FAILURE, run.error_code == "worker_lost"
        is_probe = run.kind.startswith("probe")
        expected = [run.attempt] if is_probe and run.state == State.SUCCESS else []
        seqs = TaskEvent.objects.filter(task=run).order_by("seq").values_list("seq", flat=True)
        found = {
            f"effects of the attempts {effects}": effects != expected and len(effects) <= 1,
            "a cancel was accepted": run.pk in self.cancel_accepted
            and run.state in FINAL
            and run.state != State.REVOKED,
            "too many attempts": run.attempt > run.max_attempts,
            "given up too soon": has_failed and is_lost and run.attempt < run.max_attempts,
            f"{run.error_code} {run.error}": has_failed
            and not is_lost
            and self.accepted.get(run.pk) != "hopeless",
            "its events have gaps": list(seqs) != list(range(1, run.last_seq + 1)),
        }
        return [what for what, is_so in found.items() if is_so]

    def _measure_recoveries(self, hit: Iterable[tuple[Any, datetime]]) -> None:
        for run_id, at in hit:
            if (recovery := _recovery_s(run_id, at)) is not None:
                taken_back_s, went_on_s = recovery
                self.tally.taken_back_s.append(taken_back_s)
                self.tally.went_on_s.append(went_on_s)
                if taken_back_s > SLOW_S:
                    self.tally.slow.append(
                        f"taken back after {taken_back_s:.0f} s: {_story(run_id, at)}"
                    )

    def _count_refusals(self, ledger: Path) -> None:
        lines = Counter(ledger.read_text().splitlines()) if ledger.exists() else Counter()
        self.tally.refused = sum(n for line, n in lines.items() if line.startswith("refused"))
        self.tally.fenced = sum(line.startswith("fenced") for line in lines)


def _recovery_s(run_id: Any, at: datetime) -> tuple[float, float] | None:
    """Seconds until the run was requeued, and until it started again or was cancelled; None if the
    fault did not end the attempt that it hit."""
    events = TaskEvent.objects.filter(task_id=run_id).order_by("seq")
    held = events.filter(created_at__lte=at).last()
    after = events.filter(
        created_at__gt=at, type__in=["task.retrying", "task.succeeded", "task.failed"]
    ).first()
    if (
        held is None
        or after is None
        or after.type != "task.retrying"
        or not after.data["error"].startswith("The worker")
    ):
        return None
    then = events.filter(seq__gt=after.seq, type__in=["task.started", "task.revoked"]).first()
    if then is None or after.attempt != held.attempt:
        return None
    return (after.created_at - at).total_seconds(), (then.created_at - at).total_seconds()


def _story(run_id: Any, at: datetime) -> str:
    events = TaskEvent.objects.filter(task_id=run_id, created_at__gt=at).order_by("seq")
    return ", ".join(
        f"{event.type} after {(event.created_at - at).total_seconds():.0f} s" for event in events
    )
