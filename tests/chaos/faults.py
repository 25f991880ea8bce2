"""What happens to processes and servers during a storm."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psutil
import redis
from django.db import connection
from django.utils import timezone

from tasks_ui.models import State, TaskRun
from tasks_ui.runs.patience import DATABASE_ERRORS
from tests.chaos.harm import broker, drop_connections, restart_broker_without_its_data
from tests.stack import Process, Stack

LEASE_S = 6


class Faults:
    """What may happen to a set of processes and their servers, determined by a seed. Whatever dies
    is restarted."""

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
        """Each kind once, in an order given by the seed, then more at random, until there have been
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
        """What a supervisor would do; and frozen processes resume when their time has come."""
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
        """A worker that holds a run, if one starts to hold one within 3 s; the run it holds is
        recorded."""
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


def _held() -> list[tuple[Any, str]]:
    """The running probes that take a while, with their workers: those that are over in a moment are
    hard to hit."""
    try:
        rows = TaskRun.objects.filter(lease_until__isnull=False, state=State.PROGRESS)
        return list(rows.values_list("pk", "worker"))
    except DATABASE_ERRORS:
        connection.close()
        raise
