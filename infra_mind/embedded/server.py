"""What the embedded servers have in common: a folder, a port, a process."""

from __future__ import annotations

import contextlib
import secrets
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import psutil

from infra_mind.embedded.errors import EmbeddedServerError
from infra_mind.embedded.files import read_json, write_json
from infra_mind.embedded.home import make_home
from infra_mind.embedded.ports import free_port, port_is_free

LOG_MAX_BYTES = 5_000_000
START_TIMEOUT_S = 60.0


class Server(ABC):
    """One embedded server: its files below ``home``, its process, its URL. The port stays the same
    across restarts."""

    name: str
    stop_signal = signal.SIGTERM

    def __init__(self, home: Path) -> None:
        self.home = make_home(home.resolve())
        self.folder = self.home / self.name
        self.log_path = self.home / "logs" / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._place = read_json(self.home / "servers.json").get(self.name) or {
            "port": 0,
            "password": secrets.token_urlsafe(24),
        }

    @property
    @abstractmethod
    def url(self) -> str:
        """What a client connects to."""

    @property
    def pid(self) -> int:
        """The server's process id. Raises EmbeddedServerError if it isn't running."""
        if self.process is None or self.process.poll() is not None:
            raise EmbeddedServerError(f"{self.name} is not running.")
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def port(self) -> int:
        return int(self._place["port"])

    def start(self) -> Self:
        """Start the server and wait until it responds. Processes that a killed supervisor left
        behind are ended first.

        Raises EmbeddedServerError with the end of the server's log.
        """
        if self.running:
            return self
        self._end_leftovers()
        self.keep_place()
        self._prepare()
        self.log_path.parent.mkdir(exist_ok=True)
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_MAX_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            with self.log_path.open("ab") as log:
                self.process = subprocess.Popen(  # noqa: S603
                    self._command(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            if self._wait_until_ready(deadline):
                return self
            # After a kill -9 PostgreSQL's old backends need a moment to notice, and block a start
            # until then.
            if time.monotonic() > deadline - START_TIMEOUT_S + 10:
                raise EmbeddedServerError(
                    f"{self.name} did not start. Its log, {self.log_path}, ends:\n{self.log_tail()}"
                )
            time.sleep(0.2)

    def stop(self) -> None:
        """Shut the server down cleanly; after 20 s, by force."""
        if self.process is None:
            return
        if self.running:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait(20)

    def freeze(self) -> None:
        """SIGSTOP the server and its children: connections stay open, nothing responds."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def log_tail(self, lines: int = 20) -> str:
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _prepare(self) -> None: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _wait_until_ready(self, deadline: float) -> bool:
        while self.running and time.monotonic() < deadline:
            if self._answers():
                return True
            time.sleep(0.05)
        if self.running:
            self.kill()
        return False

    def keep_place(self) -> None:
        """Take the last run's port if it is free, otherwise another, and record it. A restart keeps
        the port."""
        if self.process is None and not port_is_free(self.port):
            self._place["port"] = free_port()
        places = read_json(self.home / "servers.json")
        write_json(self.home / "servers.json", {**places, self.name: self._place})

    def _end_leftovers(self) -> None:
        """End server processes of this folder that no supervisor owns any more (a server's working
        directory is its data folder)."""
        for process in psutil.process_iter(["name"]):
            with contextlib.suppress(psutil.Error, OSError):
                if (
                    process.info["name"] in self._process_names
                    and Path(process.cwd()) == self._data
                ):
                    process.kill()
                    process.wait(10)

    @property
    @abstractmethod
    def _process_names(self) -> Sequence[str]: ...

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _signal_all(self, number: signal.Signals) -> None:
        parent = psutil.Process(self.pid)
        for process in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
