"""The warm scanner: imports the engines once, then forks a child for each job.

``python -I server.py SOCKET LIFELINE_PID`` listens on a Unix socket. One connection is one job: the
client sends one JSON line ``{"spec": ..., "job": ...}``; the child's output lines come back, framed
by ``{"pid": N}`` and ``{"exit": STATUS}``. The parent never opens an upload. When a client
disconnects, its job's process group is ended.

The server ends when its lifeline process has ended, after MAX_JOBS jobs, or after IDLE_S without
any; running jobs are always finished first.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import confine
import jobs

IDLE_S = 300.0
MAX_JOBS = 500
MAX_JOBS_AT_ONCE = 32
MAX_REQUEST_BYTES = 8 * 1024 * 1024


class Server:
    """``running`` maps a child's pidfd to its connection and process id."""

    def __init__(self, listener: socket.socket, lifeline: int) -> None:
        self.listener = listener
        self.inode = Path(listener.getsockname()).stat().st_ino
        self.selector = selectors.DefaultSelector()
        self.running: dict[int, tuple[socket.socket, int]] = {}
        self.jobs_done = 0
        self.accepting = True
        self.selector.register(listener, selectors.EVENT_READ, self._accept)
        self.selector.register(lifeline, selectors.EVENT_READ, self._stop_accepting)

    def serve(self) -> None:
        while self.accepting or self.running:
            ready = self.selector.select(timeout=IDLE_S)
            if not ready and not self.running:
                self._stop_accepting(None)
            for key, _ in ready:
                # An earlier handler may have closed this one's file.
                if key.fd in self.selector.get_map():
                    key.data(key.fileobj)
            if self.jobs_done >= MAX_JOBS:
                self._stop_accepting(None)

    def _stop_accepting(self, lifeline: object) -> None:
        if self.accepting:
            self.accepting = False
            self.selector.unregister(self.listener)
            self._take_away_socket()
            self.listener.close()
        if isinstance(lifeline, int) and lifeline in self.selector.get_map():
            self.selector.unregister(lifeline)

    def _take_away_socket(self) -> None:
        """Unlink our socket, but never that of a successor at the same path."""
        path = Path(self.listener.getsockname())
        with contextlib.suppress(OSError):
            if path.stat().st_ino == self.inode:
                path.unlink()

    def _accept(self, _: object) -> None:
        connection, _address = self.listener.accept()
        try:
            connection.settimeout(5)
            request = _read_request(connection)
            if len(self.running) >= MAX_JOBS_AT_ONCE:
                raise ValueError("busy")
        except (OSError, ValueError):
            connection.close()
            return
        pid = os.fork()
        if pid == 0:
            self._be_child(connection, request)
        self.jobs_done += 1
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        pidfd = os.pidfd_open(pid)
        self.running[pidfd] = (connection, pid)
        self.selector.register(pidfd, selectors.EVENT_READ, self._child_ended)
        # A client sends nothing after its request: readable means gone.
        self.selector.register(
            connection, selectors.EVENT_READ, lambda _: _kill_group(pid, self, connection)
        )
        _send(connection, {"pid": pid})

    def _child_ended(self, pidfd: object) -> None:
        assert isinstance(pidfd, int)  # noqa: S101
        connection, pid = self.running.pop(pidfd)
        self.selector.unregister(pidfd)
        os.close(pidfd)
        _kill_group(pid, self, connection)
        _, status = os.waitpid(pid, 0)
        _send(connection, {"exit": os.waitstatus_to_exitcode(status)})
        connection.close()

    def _be_child(self, connection: socket.socket, request: dict[str, Any]) -> None:
        status = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            with contextlib.suppress(OSError):
                os.setpgid(0, 0)
            self._close_all_but(connection)
            errors = os.open(
                request["spec"]["job"] + "/home/stderr", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644
            )
            os.dup2(errors, 1)
            os.dup2(errors, 2)
            confine.enter({**request["spec"], "parent": os.getppid()})
            os.environ.clear()
            os.environ.update(request["env"] | jobs.OFFLINE)
            # The parent's own temporary folder is cached, and does not exist in here.
            tempfile.tempdir = None
            connection.settimeout(None)
            jobs.run(request["job"], jobs.emit_to(connection.fileno()))
            status = 0
        except BaseException as error:
            with contextlib.suppress(OSError):
                _send(connection, {"error": type(error).__name__})
        finally:
            os._exit(status)

    def _close_all_but(self, connection: socket.socket) -> None:
        for other, _ in self.running.values():
            other.close()
        self.listener.close()
        self.selector.close()
        keep = {0, 1, 2, connection.fileno()}
        for fd in [int(name) for name in os.listdir("/proc/self/fd")]:  # noqa: PTH208
            if fd not in keep:
                with contextlib.suppress(OSError):
                    os.close(fd)


def _kill_group(pid: int, server: Server, connection: socket.socket) -> None:
    if connection in server.selector.get_map():
        server.selector.unregister(connection)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _read_request(connection: socket.socket) -> dict[str, Any]:
    data = bytearray()
    while not data.endswith(b"\n"):
        chunk = connection.recv(1 << 16)
        data += chunk
        if not chunk or len(data) > MAX_REQUEST_BYTES:
            raise ValueError("no whole request")
    return dict(json.loads(data))


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        connection.sendall((json.dumps(message) + "\n").encode())


def main() -> None:
    path, lifeline_pid = sys.argv[1], int(sys.argv[2])
    confine.keep_to_itself()
    os.environ.update(jobs.OFFLINE)
    lifeline = os.pidfd_open(lifeline_pid)
    jobs.preload()
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Path(path).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    Path(path).chmod(0o600)
    listener.listen(64)
    Server(listener, lifeline).serve()


if __name__ == "__main__":
    main()
