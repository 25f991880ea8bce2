"""A storm: runs are queued and cancelled while, by a seed, processes and servers are killed, frozen
and cut off.

Afterwards an oracle looks at every run that was accepted: it has ended, with one effect if it is a
success and none otherwise, within its attempts, and with events 1, 2, 3 ... without a gap.
"""

from __future__ import annotations

import contextlib
import random
import signal
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
import redis
from django.contrib.auth.models import User
from django.db import IntegrityError, connection
from django.utils import timezone

from assessments.requirements import Requirements
from assessments.services import create_assessment
from tasks_ui.models import FINAL, ApiToken, State, TaskEvent, TaskRun
from tasks_ui.runs import dispatch
from tasks_ui.runs.patience import DATABASE_ERRORS
from tasks_ui.runs.services import request_cancel
from tests.chaos.harm import broker, drop_connections, patient, restart_broker_without_its_data
from tests.probe.models import Effect, Start
from tests.probe.runs import queue_probe
from tests.stack import Process, Stack

LEASE_S = 6
SLOW_S = 30
TERRAFORM = 'resource "aws_s3_bucket" "invoices" {\n  bucket = "invoices"\n}\n'
MANNERS = ["ok"] * 17 + ["flaky", "hopeless", "family"]


@dataclass
class Tally:
    """What the oracle found. ``faults`` counts what was done, ``taken_back_s`` and ``went_on_s``
    hold the seconds from a fault that hit a run at work until the run was queued again, and until
    it began again: between the two it waits its turn."""

    name: str
    accepted: int = 0
    succeeded: int = 0
    cancelled: int = 0
    failed: int = 0
    given_up: int = 0
    lost: int = 0
    stuck: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)
    refused: int = 0
    fenced: int = 0
    taken_back_s: list[float] = field(default_factory=list)
    went_on_s: list[float] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    took_s: float = 0

    @property
    def holds(self) -> bool:
        return self.accepted > 0 and not (self.lost or self.stuck or self.doubled or self.wrong)

    def row(self) -> dict[str, object]:
        return {
            "storm": self.name,
            "accepted": self.accepted,
            "success": self.succeeded,
            "cancelled": self.cancelled,
            "failed": self.failed,
            "given up": self.given_up,
            "lost": self.lost,
            "stuck": self.stuck,
            "doubled": self.doubled,
            "wrong": len(self.wrong),
            "dup. refused": self.refused,
            "fenced": self.fenced,
            "recovered": len(self.taken_back_s),
            "taken back s": _spread(self.taken_back_s),
            "went on s": _spread(self.went_on_s),
            "faults": sum(self.faults.values()),
            "took s": round(self.took_s),
        }


def table(tallies: list[Tally]) -> str:
    """The tallies, one a line; Seconds: median / maximum. ``given up``: lost its worker at each of
    its attempts."""
    rows = [tally.row() for tally in tallies]
    widths = {key: max(len(key), *(len(str(row[key])) for row in rows)) for key in rows[0]}
    lines = ["  ".join(key.rjust(width) for key, width in widths.items())]
    lines += [
        "  ".join(str(row[key]).rjust(width) for key, width in widths.items()) for row in rows
    ]
    lines += [
        f"{tally.name}: " + ", ".join(f"{n} {what}" for what, n in sorted(tally.faults.items()))
        for tally in tallies
    ]
    lines += [f"{tally.name}: {words}" for tally in tallies for words in tally.wrong[:10]]
    return "\n".join(lines)


def _spread(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} / {max(seconds):.1f}" if seconds else "-"


class Faults:
    """What may happen to a set of processes and their servers, by a seed. What dies is started
    again."""

    def __init__(self, stack: Stack, *, seed: int) -> None:
        self.stack = stack
        self.servers = stack.servers
        self.chance = random.Random(seed)
        self.count: Counter[str] = Counter()
        self.hit: list[tuple[Any, datetime]] = []
        self._later: list[tuple[float, Callable[[], None]]] = []
        self.kinds = [
            self.kill_child,
            self.kill_child,
            self.kill_worker,
            self.kill_worker,
            self.kill_parent_alone,
            self.freeze_past_the_lease,
            self.freeze_past_the_lease,
            self.freeze_past_the_lease,
            self.freeze_past_the_lease,
            self.freeze_then_kill,
            self.drain_worker,
            self.flush_broker,
            self.wipe_broker,
            self.freeze_broker,
            self.cut_connections,
            self.stop_postgres,
        ]
        if "web" in stack.processes:
            self.kinds += [self.kill_web, self.kill_reconciler]

    def blow(self, count: int, *, pause_s: tuple[float, float]) -> None:
        """Each kind once, in an order of the seed's, then more by chance, until there were
        ``count``."""
        order = list(self.kinds)
        self.chance.shuffle(order)
        while len(order) < count:
            order.append(self.chance.choice(self.kinds))
        for fault in order[:count]:
            self.count[fault.__name__.replace("_", " ")] += 1
            with contextlib.suppress(psutil.Error, redis.RedisError):
                fault()
            until = time.monotonic() + self.chance.uniform(*pause_s)
            while time.monotonic() < until:
                self.heal()
                time.sleep(0.1)
        self.calm()

    def heal(self) -> None:
        """What a supervisor would do; and what was frozen goes on when its time has come."""
        due = [call for at, call in self._later if at <= time.monotonic()]
        self._later = [(at, call) for at, call in self._later if at > time.monotonic()]
        for call in due:
            call()
        for process in self.stack.processes.values():
            process.start()

    def calm(self) -> None:
        for _, call in self._later:
            call()
        self._later.clear()
        for process in self.stack.processes.values():
            process.thaw()
        self.servers.restore()
        self.heal()

    def kill_child(self) -> None:
        worker = self._worker()
        if children := worker.children():
            self.chance.choice(children).kill()

    def kill_worker(self) -> None:
        self._worker().kill()

    def kill_parent_alone(self) -> None:
        self._worker().kill_parent_alone()

    def freeze_past_the_lease(self) -> None:
        worker = self._worker()
        worker.freeze()
        self._later.append((time.monotonic() + LEASE_S + self.chance.uniform(1, 4), worker.thaw))

    def freeze_then_kill(self) -> None:
        worker = self._worker()
        worker.freeze()
        self._later.append((time.monotonic() + 1, worker.kill))

    def drain_worker(self) -> None:
        worker = self._worker()
        if worker.process:
            worker.process.send_signal(signal.SIGTERM)

    def kill_web(self) -> None:
        self.stack["web"].kill()

    def kill_reconciler(self) -> None:
        self.stack["reconciler"].kill()

    def flush_broker(self) -> None:
        broker(self.servers).flushall()

    def wipe_broker(self) -> None:
        restart_broker_without_its_data(self.servers)

    def freeze_broker(self) -> None:
        self.servers.valkey.freeze()
        time.sleep(2)
        self.servers.valkey.thaw()

    def cut_connections(self) -> None:
        drop_connections(self.servers)

    def stop_postgres(self) -> None:
        self.servers.postgres.stop()
        time.sleep(4)
        self.servers.postgres.start()

    def _worker(self) -> Process:
        """A worker that holds a run, if one comes to hold one within 3 s; what it holds is
        noted."""
        held: list[tuple[Any, str]] = []
        give_up_at = time.monotonic() + 3
        while not held and time.monotonic() < give_up_at:
            with contextlib.suppress(*DATABASE_ERRORS):
                held = _held()
            time.sleep(0.05)
        names = {name.split("@")[0] for _, name in held}
        running = [worker for worker in self.stack.workers if worker.running] or self.stack.workers
        worker = self.chance.choice(
            [worker for worker in running if worker.name in names] or running
        )
        worker.start()
        self.hit += [
            (pk, timezone.now()) for pk, name in held if name.startswith(f"{worker.name}@")
        ]
        return worker


class Storm:
    """One storm over Infra Mind's processes. ``environment`` is for them: see
    tests/probe/sabotage.py."""

    def __init__(
        self, stack: Stack, *, seed: int, runs: int, assessments: int, folder: Path, name: str = ""
    ) -> None:
        self.stack = stack
        self.runs, self.assessments = runs, assessments
        self.chance = random.Random(seed)
        self.faults = Faults(stack, seed=seed)
        self.tally = Tally(name or f"seed {seed}")
        self.ledger = folder / "ledger"
        self.ten_take_s = 0.0
        self.accepted: dict[Any, str] = {}
        self.cancel_accepted: set[Any] = set()
        self.owners = [
            User.objects.create_user(f"owner {n} of {self.tally.name}") for n in range(3)
        ]

    @staticmethod
    def environment(folder: Path, *, temporary: Path, sabotage: str = "") -> dict[str, str]:
        """``temporary`` holds the socket of a scan server of the storm's own, which freezes with
        the rest."""
        switches = {
            "PROBE_LEDGER": str(folder / "ledger"),
            "PROBE_SKIP_PUBLISH": "0.1",
            "PROBE_SABOTAGE": sabotage,
        }
        return {**switches, "TMPDIR": str(temporary)}

    def blow(
        self, *, faults: int, pause_s: tuple[float, float] = (1.5, 4), quiet_s: float = 90
    ) -> Tally:
        """Let it blow; then wait until all has ended, or nothing has moved for ``quiet_s``; then
        judge."""
        begun = time.monotonic()
        self.ten_take_s = (
            10 * faults * sum(pause_s) / 2 / self.runs
        )  # queued all along, not at the beginning alone
        callers = [
            threading.Thread(target=self._queue_probes),
            threading.Thread(target=self._analyze),
        ]
        for caller in callers:
            caller.start()
        self.faults.blow(faults, pause_s=pause_s)
        for caller in callers:
            caller.join(300)
        connection.close()
        self._wait(quiet_s=quiet_s)
        time.sleep(3)  # for zombies that were just let go
        self._judge()
        self.tally.took_s = time.monotonic() - begun
        return self.tally

    # --- the callers

    def _queue_probes(self) -> None:
        chance = random.Random(self.chance.random())
        try:
            for number in range(self.runs):
                run = self._queue_one(chance, number)
                if chance.random() < 0.3:
                    self._double_a_message(chance, run)
                if chance.random() < 0.08:
                    self._cancel(run)
                if number % 10 == 9:
                    time.sleep(self.ten_take_s * chance.uniform(0.5, 1.5))
        finally:
            connection.close()

    def _queue_one(self, chance: random.Random, number: int) -> TaskRun:
        manner = chance.choice(MANNERS)
        kind = "probe_family" if manner == "family" else "probe"
        options: dict[str, Any] = {
            "manner": "ok" if manner == "family" else manner,
            "kind": kind,
            "children": 3,
        }
        duration_s = chance.choice([0, 0.1, 0.5, 3, 3])
        owner, key = chance.choice(self.owners), f"{self.tally.name} {number}"

        def queue() -> TaskRun:
            try:
                return queue_probe(
                    owner=owner, duration_s=duration_s, idempotency_key=key, **options
                )
            except IntegrityError:  # the first try was committed, and its answer lost
                return TaskRun.objects.get(owner=owner, idempotency_key=key)

        run = patient(queue, timeout_s=120)
        self.accepted[run.pk] = manner
        return run

    def _double_a_message(self, chance: random.Random, run: TaskRun) -> None:
        for _ in range(chance.randint(1, 3)):
            dispatch.send(
                run.pk, kind=run.kind, queue=run.queue, attempt=chance.choice([0, 0, 1, 2])
            )

    def _cancel(self, run: TaskRun) -> None:
        if patient(lambda: request_cancel(run, by=None)).cancel_requested_at:
            self.cancel_accepted.add(run.pk)

    def _analyze(self) -> None:
        """Real assessments, through the web: a request that gets no answer is repeated with its
        key."""
        try:
            for number in range(self.assessments):
                owner = self.owners[number % len(self.owners)]
                token = patient(lambda owner=owner: ApiToken.issue(owner=owner, name="storm"))[1]  # type: ignore[misc]
                assessment = patient(
                    lambda owner=owner, number=number: create_assessment(  # type: ignore[misc]
                        owner=owner,
                        name=f"plan {number}",
                        requirements=Requirements(),
                        uploads=[("main.tf", TERRAFORM.encode())],
                    )
                )
                task_id = self._post(
                    f"/api/v1/assessments/{assessment.pk}/analyze", token, key=f"analyze {number}"
                )
                self.accepted[UUID(task_id)] = "assessment"
                time.sleep(0.5)
        finally:
            connection.close()

    def _post(self, url: str, token: str, *, key: str) -> str:
        for _ in range(200):
            with contextlib.suppress(httpx.HTTPError), self.stack.http(token=token) as client:
                answer = client.post(url, headers={"Idempotency-Key": key})
                if answer.status_code == 202:
                    return str(answer.json()["task_id"])
                if answer.status_code != 503:
                    self.tally.wrong.append(
                        f"POST analyze: {answer.status_code} {answer.text[:200]}"
                    )
            time.sleep(0.5)
        raise AssertionError(f"No answer to {url}.")

    # --- the oracle

    def _wait(self, *, quiet_s: float) -> None:
        rows = TaskRun.objects.all()
        last, still_since = -1, time.monotonic()
        while time.monotonic() - still_since < quiet_s:
            self.faults.heal()
            if not patient(lambda: rows.exclude(state__in=FINAL).exists()):
                return
            moved = patient(
                lambda: (
                    Start.objects.count() + TaskEvent.objects.filter(task__state__in=FINAL).count()
                )
            )
            if moved != last:
                last, still_since = moved, time.monotonic()
            time.sleep(0.5)

    def _judge(self) -> None:
        tally = self.tally
        rows = {run.pk: run for run in TaskRun.objects.all()}
        tally.accepted = len(self.accepted)
        for pk in self.accepted.keys() - rows.keys():
            tally.lost += 1
            tally.wrong.append(f"{pk}: its row is gone")
        for run in rows.values():
            self._judge_one(run)
        tally.faults = self.faults.count
        for run_id, at in self.faults.hit:
            if (recovery := _recovery_s(run_id, at)) is not None:
                tally.taken_back_s.append(recovery[0])
                tally.went_on_s.append(recovery[1])
                if recovery[0] > SLOW_S:
                    tally.slow.append(f"taken back after {recovery[0]:.0f} s: {_story(run_id, at)}")
        lines = Counter(self.ledger.read_text().splitlines()) if self.ledger.exists() else Counter()
        tally.refused = sum(count for line, count in lines.items() if line.startswith("refused"))
        tally.fenced = sum(line.startswith("fenced") for line in lines)

    def _judge_one(self, run: TaskRun) -> None:
        tally = self.tally
        effects = list(Effect.objects.filter(run_id=run.pk).values_list("attempt", flat=True))
        if run.state not in FINAL:
            never_began = run.attempt == 0
            tally.lost += never_began
            tally.stuck += not never_began
        elif run.pk in self.accepted:
            tally.succeeded += run.state == State.SUCCESS
            tally.cancelled += run.state == State.REVOKED
            tally.failed += run.state == State.FAILURE and run.error_code != "worker_lost"
            tally.given_up += run.error_code == "worker_lost"
        tally.doubled += len(effects) > 1
        words = f"{run} {run.pk} {run.state} attempt {run.attempt} of {run.max_attempts}"
        is_probe = run.kind.startswith("probe")
        expected = [run.attempt] if is_probe and run.state == State.SUCCESS else []
        if effects != expected and len(effects) <= 1:
            tally.wrong.append(f"{words}: effects of the attempts {effects}")
        if run.pk in self.cancel_accepted and run.state in FINAL and run.state != State.REVOKED:
            tally.wrong.append(f"{words}: a cancel was accepted")
        if run.attempt > run.max_attempts:
            tally.wrong.append(f"{words}: too many attempts")
        if (
            run.state == State.FAILURE
            and run.error_code == "worker_lost"
            and run.attempt < run.max_attempts
        ):
            tally.wrong.append(f"{words}: given up too soon")
        if (
            run.state == State.FAILURE
            and run.error_code != "worker_lost"
            and self.accepted.get(run.pk) != "hopeless"
        ):
            tally.wrong.append(f"{words}: {run.error_code} {run.error}")
        seqs = list(
            TaskEvent.objects.filter(task=run).order_by("seq").values_list("seq", flat=True)
        )
        if seqs != list(range(1, run.last_seq + 1)):
            tally.wrong.append(f"{words}: its events have gaps")


def _held() -> list[tuple[Any, str]]:
    """The probes that are at work and last, with their workers: what is over in a moment is hard to
    hit."""
    try:
        rows = TaskRun.objects.filter(lease_until__isnull=False, state=State.PROGRESS)
        return list(rows.values_list("pk", "worker"))
    except DATABASE_ERRORS:
        connection.close()
        raise


def _recovery_s(run_id: Any, at: datetime) -> tuple[float, float] | None:
    """Seconds until the run was taken back, and until it began again or was cancelled; None where
    the fault did not end the attempt that it hit."""
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
