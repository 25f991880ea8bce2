"""The Infra Mind installed beside this command: used if it is running, otherwise started for as
long as the command runs."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NoReturn

import httpx

from infra_mind_client.errors import CannotAssessError

START_S = 300  # the first start of all makes a database
STOP_S = 60
LOOK_S = 0.5
NOT_RUNNING = 3
"""The exit status of ``manage.py lend_token`` if no server is running."""


def application() -> Path:
    """The folder of the application whose environment this command is part of. Raises
    CannotAssessError."""
    folder = Path(os.environ.get("INFRA_MIND_APP") or Path(sys.prefix).parent)
    if not (folder / "manage.py").is_file() or not (folder / "infra_mind").is_dir():
        raise CannotAssessError(
            "--local needs the application, which is not installed here. Name its folder with"
            " INFRA_MIND_APP, or name a server with --server."
        )
    return folder


@contextlib.contextmanager
def local_server(*, user: str | None, log: IO[str]) -> Iterator[tuple[str, str]]:
    """(URL, token) of a server on this machine. If none is running, it is started, and stopped at
    the end; the token expires with the block. Raises CannotAssessError."""
    folder = application()
    with contextlib.ExitStack() as stack:
        try:
            lent = stack.enter_context(_lent_token(folder, user=user))
        except _NotRunningError:
            words = "Starting Infra Mind. It stops with this command; make run shows what it keeps."
            print(words, file=log)
            stack.enter_context(_server(folder))
            lent = stack.enter_context(_lent_token(folder, user=user))
        yield lent["url"], lent["token"]


class _NotRunningError(Exception):
    pass


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[None]:
    """All of the application's processes, once they respond. On a free port, unless PORT is set."""
    environment = {"PORT": str(_free_port()), **os.environ}
    process = subprocess.Popen(  # noqa: S603
        [_python(folder), "manage.py", "up"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for this command, which then ends it
    )
    try:
        _wait_until_ready(process, port=environment["PORT"])
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=STOP_S)


def _wait_until_ready(process: subprocess.Popen[bytes], *, port: str) -> None:
    give_up_at = time.monotonic() + START_S
    while time.monotonic() < give_up_at:
        if process.poll() is not None:
            raise CannotAssessError(f"Infra Mind did not start. {_last_words(process)}")
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).is_success:
                return
        time.sleep(LOOK_S)
    raise CannotAssessError(f"Infra Mind did not start within {START_S} s.")


@contextlib.contextmanager
def _lent_token(folder: Path, *, user: str | None) -> Iterator[dict[str, Any]]:
    """The lender keeps the token for as long as its standard input is open."""
    lender = subprocess.Popen(  # noqa: S603
        [_python(folder), "manage.py", "lend_token", *(["--user", user] if user else [])],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        line = lender.stdout.readline() if lender.stdout else b""
        if not line:
            _say_why(lender)
        yield json.loads(line)
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            lender.communicate(timeout=STOP_S)


def _say_why(lender: subprocess.Popen[bytes]) -> NoReturn:
    lender.wait(STOP_S)
    if lender.returncode == NOT_RUNNING:
        raise _NotRunningError
    raise CannotAssessError(f"The application returned no token. {_last_words(lender)}")


def _last_words(process: subprocess.Popen[bytes]) -> str:
    text = process.stderr.read() if process.stderr else b""
    lines = [line for line in text.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _python(folder: Path) -> str:
    own = folder / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
