"""The application's processes: started, their output relayed, restarted when they die, stopped."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from infra_mind import embedded, hosts
from infra_mind.supervisor import process_tree
from infra_mind.supervisor.options import (
    BASE_DIR,
    SOFT_SHUTDOWN_S,
    Options,
    executable,
    process_commands,
)
from infra_mind.supervisor.output import COLORS, PREPARE, Output

STOP_GRACE_S = 10.0
BACKOFF_MAX_S = 30.0
STEADY_S = 60.0  # a process that lived this long starts its backoff from the beginning
LINE_MAX_BYTES = 65536


@dataclass
class Child:
    name: str
    command: list[str]
    color: int
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    failures: int = 0
    unfinished_line: bytes = b""

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def output(self) -> IO[bytes]:
        if self.process is None or self.process.stdout is None:
            raise RuntimeError(f"{self.name} was never started.")
        return self.process.stdout


class Children:
    def __init__(self, options: Options, output: Output) -> None:
        self.options = options
        self.output = output
        self.all: list[Child] = []
        self._selector = selectors.DefaultSelector()

    @property
    def pids(self) -> set[int]:
        return {child.process.pid for child in self.all if child.process}

    def start(self) -> None:
        """Start every process of the application."""
        for index, (name, command) in enumerate(process_commands(self.options).items()):
            child = Child(name, executable(command), COLORS[index % len(COLORS)])
            self.all.append(child)
            self._start(child)
        self._remember()

    def prepare(self, *, is_stopping: Callable[[], bool]) -> int | None:
        """Migrate, and create the first account. A process of its own, as it needs Django.

        Returns its exit status; None if it was interrupted.
        """
        (self.options.home / "static").mkdir(exist_ok=True)  # prepare collects into it
        command = executable(["python", "manage.py", "prepare"])
        if not os.environ.get("DATABASE_URL"):
            is_private = hosts.is_loopback(self.options.host)
            command.append("--demo" if is_private else "--admin")
        child = Child(PREPARE, command, COLORS[0])
        self._start(child)
        while child.process is not None and not is_stopping():
            self.relay_output(timeout_s=0.25)
            if child.process.poll() is not None:
                self._drain(child)
                return child.process.returncode
        self.all.append(child)  # interrupted: stopped with everything else
        return None

    def relay_output(self, *, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            self._read(key.data)

    def restart_the_dead(self) -> None:
        now = time.monotonic()
        for child in self.all:
            if child.process and not child.is_running and not child.start_again_at:
                self._plan_restart(child, child.process.returncode, now=now)
            elif child.start_again_at and now >= child.start_again_at:
                self._start(child)
                self._remember()

    def stop(self, *, at_once: Callable[[], bool]) -> None:
        """SIGTERM to all, then wait for them to end: STOP_GRACE_S at most, or until ``at_once``."""
        running = [child.process for child in self.all if child.process and child.is_running]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_GRACE_S
        while (
            any(process.poll() is None for process in running)
            and time.monotonic() < deadline
            and not at_once()
        ):
            with contextlib.suppress(OSError):
                self.relay_output(timeout_s=0.1)
            if not self._selector.get_map():
                time.sleep(0.05)

    def end_leftovers(self) -> None:
        """End what a supervisor that was killed has left."""
        process_tree.end_leftovers(self._file)

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        return self.options.home / "children.json"

    def _remember(self) -> None:
        started = [child.process.pid for child in self.all if child.process and child.is_running]
        process_tree.remember(started, file=self._file)

    def _start(self, child: Child) -> None:
        child.started_at, child.start_again_at = time.monotonic(), 0.0
        child.process = subprocess.Popen(  # noqa: S603
            embedded.with_parent(child.command),
            cwd=BASE_DIR,
            env={
                "SOFT_SHUTDOWN_S": str(SOFT_SHUTDOWN_S),
                **os.environ,
                **environment(self.options),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches the supervisor alone, which stops them in order
            start_new_session=True,
        )
        os.set_blocking(child.output.fileno(), False)
        self._selector.register(child.output, selectors.EVENT_READ, child)

    def _plan_restart(self, child: Child, status: int, *, now: float) -> None:
        self._drain(child)
        child.failures = 0 if now - child.started_at > STEADY_S else child.failures + 1
        delay_s = min(BACKOFF_MAX_S, 2.0 ** (child.failures - 1)) if child.failures else 0.5
        child.start_again_at = now + delay_s
        self.output.say(f"{child.name} ended with status {status}; restarting it in {delay_s:g} s")

    def _read(self, child: Child) -> bool:
        """Print what ``child`` wrote, line by line; True while its pipe is open."""
        output = child.output
        try:
            chunk = os.read(output.fileno(), 65536)
        except BlockingIOError:
            return False
        if not chunk:
            self._close(child)
            return False
        *lines, child.unfinished_line = (child.unfinished_line + chunk).split(b"\n")
        if len(child.unfinished_line) > LINE_MAX_BYTES:  # an endless line must not fill the memory
            lines, child.unfinished_line = [*lines, child.unfinished_line], b""
        for line in lines:
            self.output.say(line.decode(errors="replace"), name=child.name, color=child.color)
        return True

    def _drain(self, child: Child) -> None:
        while not child.output.closed and self._read(child):
            pass
        if not child.output.closed:  # a grandchild still holds it
            self._close(child)

    def _close(self, child: Child) -> None:
        self._selector.unregister(child.output)
        child.output.close()


def environment(options: Options) -> dict[str, str]:
    """What the processes' environment has beyond the supervisor's own."""
    env = {"INFRA_MIND_HOME": str(options.home), "PYTHONUNBUFFERED": "1"}
    if not hosts.is_loopback(options.host):
        names = os.environ.get("ALLOWED_HOSTS") or ",".join(hosts.own_names())
        env |= {"HOST": options.host, "ALLOWED_HOSTS": names}
    return env
