"""The application's real processes against the test database: the same command lines as ``make
run`` and Compose.

    def test_something(stack):
        stack.http(token=...).post(...)   # a client of the REST API
        stack["worker1"].kill()           # SIGKILL of the parent and its children
        stack["worker1"].start()

``stack`` is new for each test; ``shared_stack`` stays up between tests (for browsers and all tests
that kill nothing).
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
import redis

from infra_mind import embedded, supervisor
from tests.servers import Servers

READY_TIMEOUT_S = 60.0


class Process:
    """One process of the application, its output in a file."""

    def __init__(
        self, name: str, command: list[str], *, env: dict[str, str], log_path: Path
    ) -> None:
        self.name = name
        self.command = command
        self.env = env
        self.log_path = log_path
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process, f"{self.name} was never started"
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        if self.running:
            return
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                embedded.with_parent(supervisor.executable(self.command), on_parent_death="KILL"),
                cwd=supervisor.BASE_DIR,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def family(self) -> list[psutil.Process]:
        """The process and all of its living descendants."""
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def children(self) -> list[psutil.Process]:
        return self.family()[1:]

    def stop(self, *, timeout_s: float = 25) -> None:
        """SIGTERM, as a container does; SIGKILL to the whole process tree after the timeout."""
        if self.running:
            assert self.process
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout_s)
        self.kill()

    def kill(self) -> None:
        """SIGKILL the process and all its descendants at once, like a machine that goes away."""
        family = self.family() if self.running else []
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        if self.process:
            self.process.wait(20)
        psutil.wait_procs(family, timeout=10)

    def kill_parent_alone(self) -> None:
        """SIGKILL the main process: its children are left on their own."""
        os.kill(self.pid, signal.SIGKILL)
        if self.process:
            self.process.wait(20)

    def freeze(self) -> None:
        for member in self.family():
            member.suspend()

    def thaw(self) -> None:
        for member in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                member.resume()

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


class Stack:
    """web, worker1..n, priority and reconciler, each startable and killable; the web's ``url``.
    With ``only``, no more than those of them: a start takes more than a second of a core."""

    def __init__(
        self,
        servers: Servers,
        folder: Path,
        *,
        database: str,
        workers: int = 2,
        concurrency: int = 1,
        only: Collection[str] = (),
    ) -> None:
        self.servers = servers
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        options = supervisor.Options(
            home=servers.home, port=self.port, workers=workers, concurrency=concurrency
        )
        env = {
            **os.environ,
            "DATABASE_URL": servers.postgres.url_of(database),
            "PYTHONUNBUFFERED": "1",
        }
        env.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)
        folder.mkdir(parents=True, exist_ok=True)
        self.processes = {
            name: Process(name, command, env=env, log_path=folder / f"{name}.log")
            for name, command in supervisor.process_commands(options).items()
            if name != "beat" and (not only or name in only)  # beat is only housekeeping
        }
        self.env = env

    def __getitem__(self, name: str) -> Process:
        return self.processes[name]

    @property
    def workers(self) -> list[Process]:
        """The ordinary workers; ``stack["priority"]`` is not one of them."""
        return [process for name, process in self.processes.items() if name.startswith("worker")]

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/v1/"

    def http(self, *, token: str | None = None) -> httpx.Client:
        """A client of the REST API, signed in by ``token`` if one is given."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, follow_redirects=False)

    def start(self) -> Stack:
        for process in self.processes.values():
            process.start()
        wait_until(
            self._is_ready,
            timeout_s=READY_TIMEOUT_S,
            what="the stack to be ready",
            details=self.log_tails,
        )
        return self

    def stop(self) -> None:
        """End all processes at once; nothing is drained, as the test is over."""
        for process in self.processes.values():
            for member in process.family() if process.running else []:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
        for process in self.processes.values():
            process.kill()  # waits for it

    def log_tails(self, *, lines: int = 25) -> str:
        parts = []
        for process in self.processes.values():
            tail = process.log().splitlines()[-lines:]
            parts.append(
                f"--- {process.name} ({'running' if process.running else 'ended'})\n"
                + "\n".join(tail)
            )
        return "\n".join(parts)

    def is_connected(self) -> bool:
        """Whether the web process reaches its database, which an earlier test may have
        restarted."""
        try:
            return httpx.get(f"{self.url}/health/serving", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def _is_ready(self) -> bool:
        consumers = (p for p in self.processes.values() if "worker" in p.command)
        if not all(" ready." in consumer.log() for consumer in consumers):
            return False
        if "web" not in self.processes:
            return True
        try:
            return httpx.get(f"{self.url}/health/live", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False


def wait_until(
    condition: Callable[[], object],
    *,
    timeout_s: float,
    what: str,
    details: Callable[[], str] = lambda: "",
    step_s: float = 0.05,
) -> None:
    """Wait for ``condition``; AssertionError with ``what`` and ``details()`` if it doesn't come
    true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {timeout_s:g} s for {what}.\n{details()}")
        time.sleep(step_s)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Kept:
    """The one set of processes that is up between tests. Two would take work from the same queues,
    so a test that asks for another set ends this one first; tests/conftest.py puts the tests that
    share a set next to each other."""

    name: str = ""
    stack: Stack | None = None

    def have(self, name: str, make: Callable[[], Stack]) -> Stack:
        """The set with that name; ``make`` creates a new one, which is started here."""
        if self.stack is None or self.name != name:
            self.end()
            self.name, self.stack = name, make()
            self.stack.start()
        return self.stack

    def end(self) -> None:
        if self.stack:
            self.stack.stop()
        self.stack = None


@pytest.fixture(scope="session")
def kept() -> Iterator[Kept]:
    kept = Kept()
    yield kept
    kept.end()


@pytest.fixture
def alone(transactional_db: None, servers: Servers, kept: Kept) -> Iterator[None]:
    """No other process works on the queues, and they are empty."""
    kept.end()
    empty_the_broker(servers)
    yield
    servers.restore()


@pytest.fixture
def stack(alone: None, servers: Servers, tmp_path: Path) -> Iterator[Stack]:
    """Processes for this test only, to be killed at will, on an empty queue."""
    stack = new_stack(servers, tmp_path / "stack")
    try:
        yield stack.start()
    finally:
        stack.stop()


@pytest.fixture
def shared_stack(
    transactional_db: None, servers: Servers, kept: Kept, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Processes that stay up between tests; the database is emptied after each. To harm them, use
    ``stack``."""
    if kept.stack and not all(process.running for process in kept.stack.processes.values()):
        kept.end()
    if not kept.stack:
        empty_the_broker(servers)
    stack = kept.have("shared", lambda: new_stack(servers, tmp_path_factory.mktemp("stack")))
    wait_until(
        stack.is_connected,
        timeout_s=READY_TIMEOUT_S,
        what="the web process to have its database back",
    )
    yield stack
    _let_work_end(stack)


def _let_work_end(stack: Stack) -> None:
    """End what is still running: emptying the tables under a worker's transaction would
    deadlock."""
    from tasks_ui.models import TaskRun
    from tasks_ui.runs.services import request_cancel

    def is_idle() -> bool:
        for run in TaskRun.objects.roots().active().filter(cancel_requested_at=None):
            request_cancel(run, by=None)
        return not TaskRun.objects.active().exists()

    wait_until(
        is_idle, timeout_s=30, what="the end of what a test left running", details=stack.log_tails
    )


def new_stack(
    servers: Servers, folder: Path, *, workers: int = 2, only: Collection[str] = ()
) -> Stack:
    """Processes on the test database, not started."""
    from django.db import connection

    database = connection.settings_dict["NAME"]
    return Stack(servers, folder, database=database, workers=workers, only=only)


def empty_the_broker(servers: Servers) -> None:
    """FLUSHALL: every queued, reserved and unacknowledged message is gone, along with the channel
    layer's groups."""
    redis.Redis.from_url(servers.valkey.url, socket_timeout=10).flushall()
