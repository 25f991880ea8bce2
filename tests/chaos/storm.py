"""A storm: runs are queued and cancelled while, determined by a seed, processes and servers are
killed, frozen and disconnected.

Afterwards an oracle checks every run that was accepted: it has ended, with one effect if it is a
success and none otherwise, within its attempts, and with events 1, 2, 3 ... without a gap.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from django.contrib.auth.models import User
from django.db import IntegrityError, connection

from assessments.requirements import Requirements
from assessments.services import create_assessment
from tasks_ui.models import FINAL, ApiToken, TaskEvent, TaskRun
from tasks_ui.runs import dispatch
from tasks_ui.runs.services import request_cancel
from tests.chaos.faults import Faults
from tests.chaos.harm import patient
from tests.chaos.oracle import Oracle
from tests.chaos.tally import Tally, table
from tests.probe.models import Start
from tests.probe.runs import queue_probe
from tests.stack import Stack

__all__ = ["TERRAFORM", "Faults", "Storm", "Tally", "table"]

TERRAFORM = 'resource "aws_s3_bucket" "invoices" {\n  bucket = "invoices"\n}\n'
MANNERS = ["ok"] * 17 + ["flaky", "hopeless", "family"]


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
        """``temporary`` contains the socket of the storm's own scan server, which is frozen along
        with the rest."""
        switches = {
            "PROBE_LEDGER": str(folder / "ledger"),
            "PROBE_SKIP_PUBLISH": "0.1",
            "PROBE_SABOTAGE": sabotage,
        }
        return {**switches, "TMPDIR": str(temporary)}

    def blow(
        self, *, faults: int, pause_s: tuple[float, float] = (1.5, 4), quiet_s: float = 90
    ) -> Tally:
        """Run the storm; then wait until everything has ended, or nothing has moved for
        ``quiet_s``; then judge."""
        begun = time.monotonic()
        self.ten_take_s = (
            10 * faults * sum(pause_s) / 2 / self.runs
        )  # queued throughout, not only at the beginning
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
        time.sleep(3)  # for zombies that were just resumed
        oracle = Oracle(self.tally, accepted=self.accepted, cancel_accepted=self.cancel_accepted)
        oracle.judge(hit=self.faults.hit, ledger=self.ledger)
        self.tally.faults = self.faults.count
        self.tally.took_s = time.monotonic() - begun
        return self.tally

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
            except IntegrityError:  # the first try was committed, but its response was lost
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
        """Real assessments, through the web: a request without a response is repeated with its
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
