"""The warm way: a fork server in the scanner's environment with the engines already imported.

The first job that finds no server starts one and waits for it, which takes as long as a plain
start. An unavailable server is not an error: the caller falls back to the plain way.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assessments.scan.sandbox import (
    SCANNER,
    Job,
    OnLine,
    Register,
    Sandbox,
    ScanCancelled,
    ScanFailed,
    clean_environment,
    end_group,
    ended_by_signal,
    read_lines,
    signal_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_S = 60.0
ANSWER_S = 20.0
"""A server that has not forked a job's process after this long is considered hung: it normally does
so within milliseconds."""


class NoServer(Exception):
    """No warm scanner is available here, or it went away before it gave an answer."""


def run_warm(
    request: dict[str, Any],
    *,
    job: Job,
    sandbox: Sandbox,
    on_line: OnLine,
    should_stop: Callable[[], bool],
    register: Register | None = None,
) -> None:
    """Run ``request`` (see scanner/jobs.py) in a forked child. Raises NoServer, and what
    ``run_confined`` raises."""
    spec = job.spec(sandbox=sandbox, parent=0)
    with _connection(sandbox, should_stop=should_stop) as connection:
        _send(connection, {"spec": spec, "job": request, "env": job.env()})
        frame = _Frames(on_line)
        frame.on_pid = lambda pid: (
            None
            if register is None
            else register(lambda: end_group(pid, alive=lambda: frame.exit is None))
        )
        hung_at = time.monotonic() + ANSWER_S

        def stop() -> bool:
            if frame.pid is None and time.monotonic() > hung_at:
                socket_path(sandbox).unlink(missing_ok=True)  # the next job starts another server
                raise NoServer
            return should_stop()

        try:
            read_lines(
                connection.fileno(),
                on_line=frame.feed,
                should_stop=stop,
                wall_s=sandbox.limits.wall_s,
            )
        except ConnectionError as error:
            raise NoServer from error
        finally:
            _await_end(connection, frame)
    if frame.exit is None:
        raise NoServer
    if frame.exit != 0:
        if should_stop():
            raise ScanCancelled("The scan was cancelled.")
        if signal_of(frame.exit):
            raise ended_by_signal(frame.exit, frame.error)
        raise ScanFailed(f"The engine ended without an answer. {frame.error}".strip())


class _Frames:
    """Separates the server's own lines from the child's."""

    def __init__(self, on_line: OnLine) -> None:
        self.on_line = on_line
        self.on_pid: Callable[[int], None] = lambda pid: None
        self.exit: int | None = None
        self.error = ""
        self.pid: int | None = None

    def feed(self, line: bytes) -> None:
        if line.startswith(b'{"pid": ') and self.pid is None:
            self.pid = int(json.loads(line)["pid"])
            self.on_pid(self.pid)
        elif line.startswith(b'{"exit": '):
            self.exit = int(json.loads(line)["exit"])
        elif line.startswith(b'{"error": '):
            self.error = str(json.loads(line)["error"])[:80]
        else:
            self.on_line(line)


def _await_end(connection: socket.socket, frame: _Frames) -> None:
    """Shut down our side, which ends the job if it is still running, and read on until the server
    has reaped it."""
    if frame.exit is not None:
        return
    frame.on_line = lambda line: None
    with contextlib.suppress(Exception):
        connection.shutdown(socket.SHUT_WR)
        read_lines(connection.fileno(), on_line=frame.feed, should_stop=lambda: False, wall_s=5)


@contextlib.contextmanager
def _connection(sandbox: Sandbox, *, should_stop: Callable[[], bool]) -> Iterator[socket.socket]:
    path = socket_path(sandbox)
    connection = _connect(path) or _start_and_connect(path, sandbox, should_stop=should_stop)
    with connection:
        yield connection


def _connect(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(5)  # a hung server's queue is soon full
        connection.connect(str(path))
        connection.settimeout(None)
    except OSError:
        connection.close()
        return None
    return connection


def _start_and_connect(
    path: Path, sandbox: Sandbox, *, should_stop: Callable[[], bool]
) -> socket.socket:
    """Under a lock, so that many workers start one server. Waits until it responds."""
    deadline = time.monotonic() + START_S
    with path.with_suffix(".lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                _pause(deadline, should_stop)
        if connection := _connect(path):
            return connection
        server = _start(path, sandbox)
        while server.poll() is None:
            if connection := _connect(path):
                return connection
            try:
                _pause(deadline, should_stop)
            except BaseException:
                server.kill()
                server.wait()
                raise
    raise NoServer


def _pause(deadline: float, should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise ScanCancelled("The scan was cancelled.")
    if time.monotonic() > deadline:
        raise NoServer
    time.sleep(0.05)


def _start(path: Path, sandbox: Sandbox) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        [
            str(sandbox.scanner_python),
            "-I",
            str(SCANNER / "server.py"),
            str(path),
            str(sandbox.lifeline_pid),
        ],
        cwd="/",
        env={**clean_environment(home=path.parent), "PYTHONDONTWRITEBYTECODE": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def socket_path(sandbox: Sandbox) -> Path:
    """A short path in a folder that only we can access: socket paths are limited to about 107
    bytes.

    Its name depends on the interpreter, the scanner's code and the work folder, so that another
    installation, or an updated one, gets a server of its own.
    """
    code = b"".join(path.read_bytes() for path in sorted(SCANNER.glob("*.py")))
    key = f"{sandbox.scanner_python.absolute()}|{sandbox.work_dir}|".encode() + code
    folder = Path(tempfile.gettempdir()) / f"im-scanner-{os.getuid()}"
    if len(str(folder)) > 70:
        folder = Path("/tmp") / f"im-scanner-{os.getuid()}"  # noqa: S108
    folder.mkdir(mode=0o700, exist_ok=True)
    info = folder.lstat()
    if info.st_uid != os.getuid() or info.st_mode & 0o077 or folder.is_symlink():
        raise NoServer
    return folder / f"{hashlib.sha256(key).hexdigest()[:16]}.sock"


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    try:
        connection.sendall((json.dumps(message) + "\n").encode())
    except OSError as error:
        raise NoServer from error
