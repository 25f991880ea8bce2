"""What the tests do to the application's processes and servers, and how they check what became of
the runs."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx
import redis
from django.db import connection

from tasks_ui.models import FINAL, ApiToken, State, TaskEvent, TaskRun
from tasks_ui.runs.patience import DATABASE_ERRORS
from tests.probe.models import Effect, Start
from tests.servers import Servers
from tests.stack import Process, Stack, wait_until

READY_S = 90.0


def broker(servers: Servers) -> redis.Redis:
    return redis.Redis.from_url(servers.valkey.url, socket_timeout=10)


def drop_connections(servers: Servers) -> None:
    """Cut every client's connection, including those waiting for a publication."""
    client = broker(servers)
    for kind in ("normal", "pubsub"):
        client.client_kill_filter(_type=kind, skipme=True)


def restart_broker_without_its_data(servers: Servers) -> None:
    """As a Valkey without persistence would come back from a crash."""
    servers.valkey.kill()
    shutil.rmtree(servers.valkey.folder / "data", ignore_errors=True)
    servers.valkey.start()


@contextlib.contextmanager
def postgres_stopped(servers: Servers) -> Iterator[None]:
    connection.close()
    servers.postgres.stop()
    try:
        yield
    finally:
        servers.postgres.start()
        connection.close()


@contextlib.contextmanager
def frozen(*processes: Process) -> Iterator[None]:
    """SIGSTOP, and SIGCONT to those still alive."""
    for process in processes:
        process.freeze()
    try:
        yield
    finally:
        for process in processes:
            process.thaw()


def start_again(*processes: Process) -> None:
    """Start what is dead and wait until it works."""
    waiting = []
    for process in processes:
        if not process.running:
            size = process.log_path.stat().st_size if process.log_path.exists() else 0
            process.start()
            waiting.append((process, size))
    for process, size in waiting:
        if "worker" in process.command:
            wait_until(
                lambda p=process, s=size: b" ready." in p.log_path.read_bytes()[s:],  # type: ignore[misc]
                timeout_s=READY_S,
                what=f"{process.name} to be ready",
                details=lambda p=process: p.log()[-3000:],  # type: ignore[misc]
            )


def revive(stack: Stack) -> None:
    """All processes are running and the web process responds."""
    for process in stack.processes.values():
        process.thaw()
    start_again(*stack.processes.values())
    wait_until(
        lambda: answers(stack), timeout_s=READY_S, what="the web process", details=stack.log_tails
    )


def answers(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.url}/health/live", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def worker_of(stack: Stack, run: TaskRun) -> Process:
    """The process that holds the run."""
    return stack[TaskRun.objects.get(pk=run.pk).worker.split("@")[0]]


def api(stack: Stack, owner: Any) -> httpx.Client:
    """A client of the REST API v1, signed in as ``owner``."""
    _, key = ApiToken.issue(owner=owner, name="chaos")
    return stack.http(token=key)


def is_final(run: TaskRun) -> bool:
    return TaskRun.objects.filter(pk=run.pk, state__in=FINAL).exists()


def ended(run: TaskRun, *, timeout_s: float = 60) -> TaskRun:
    """The row once it is final."""
    wait_until(
        lambda: patient(lambda: is_final(run)), timeout_s=timeout_s, what=f"the end of {run}"
    )
    return TaskRun.objects.get(pk=run.pk)


def started(run: TaskRun, *, times: int = 1, timeout_s: float = 60) -> None:
    """Wait until the body of ``run`` has started this many times."""
    begun = Start.objects.filter(run_id=run.pk)
    wait_until(lambda: begun.count() >= times, timeout_s=timeout_s, what=f"start {times} of {run}")


def in_state(run: TaskRun, state: State, *, timeout_s: float = 60) -> TaskRun:
    wait_until(
        lambda: TaskRun.objects.get(pk=run.pk).state == state,
        timeout_s=timeout_s,
        what=f"{run} in {state}",
    )
    return TaskRun.objects.get(pk=run.pk)


def all_succeed_once(runs: Iterable[TaskRun], *, timeout_s: float) -> None:
    """Wait until all have ended; each is a success with one effect and a log without a gap."""
    ids = [run.pk for run in runs]
    rows = TaskRun.objects.filter(pk__in=ids)
    wait_until(
        lambda: patient(lambda: rows.filter(state__in=FINAL).count()) == len(ids),
        timeout_s=timeout_s,
        what=f"the end of {len(ids)} runs",
        details=lambda: "\n".join(
            f"{r.pk} {r.state} attempt {r.attempt} {r.error}" for r in rows.exclude(state="SUCCESS")
        ),
        step_s=0.25,
    )
    assert set(rows.values_list("state", flat=True)) == {State.SUCCESS}
    for run in rows:
        assert_consistent(run)


def assert_consistent(run: TaskRun) -> None:
    """One effect for a success, from its last attempt; none for anything else; events 1..n;
    attempts within the cap."""
    effects = list(Effect.objects.filter(run_id=run.pk).values_list("attempt", flat=True))
    assert effects == ([run.attempt] if run.state == State.SUCCESS else []), (
        run.state,
        run.attempt,
        effects,
    )
    seqs = list(TaskEvent.objects.filter(task=run).order_by("seq").values_list("seq", flat=True))
    assert seqs == list(range(1, len(seqs) + 1))
    assert run.last_seq == len(seqs)
    assert run.attempt <= run.max_attempts


def patient[T](call: Callable[[], T], *, timeout_s: float = 60) -> T:
    """Retry while the database is away, for ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return call()
        except DATABASE_ERRORS:
            connection.close()
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)
