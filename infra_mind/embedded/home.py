"""The home folder: who holds it, where its servers are, and its secret key."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra_mind.embedded.errors import AlreadyRunningError, EmbeddedServerError
from infra_mind.embedded.files import open_private, read_json, write_json


def connection_urls(home: Path) -> tuple[str | None, str | None]:
    """The URLs of PostgreSQL and Valkey in ``home``; None for one that isn't running. Only reads
    files."""
    state = running_state(home)
    return state.get("database_url"), state.get("redis_url")


def running_state(home: Path) -> dict[str, Any]:
    """run.json (database_url, redis_url, url, port, pid), or {} if no supervisor holds the lock."""
    if not _is_locked(home):
        return {}
    return read_json(home / "run.json")


def local_secret_key(home: Path) -> str:
    """Django's SECRET_KEY of this home, created at the first call and kept."""
    path = make_home(home) / "secret_key"
    with contextlib.suppress(FileExistsError), open_private(path, os.O_EXCL) as file:
        file.write(secrets.token_urlsafe(50))
    for _ in range(50):  # another process may be between creating and writing it
        if key := path.read_text().strip():
            return key
        time.sleep(0.02)
    raise EmbeddedServerError(f"{path} is empty. Delete it, and a new key will be generated.")


def make_home(home: Path) -> Path:
    """``home``, created if missing, private to its owner."""
    home.mkdir(parents=True, exist_ok=True)
    if home.stat().st_uid == os.geteuid():
        home.chmod(0o700)
    return home


@contextlib.contextmanager
def hold(home: Path) -> Iterator[None]:
    """Own ``home`` until the block ends. The kernel releases the lock with the process, so it is
    never stale.

    Raises AlreadyRunningError.
    """
    with open_private(make_home(home) / "lock") as file:
        for attempt in range(20):  # a reader of running_state holds it for a moment
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == 19:
                    raise AlreadyRunningError(read_json(home / "run.json")) from None
                time.sleep(0.05)
        (home / "run.json").unlink(missing_ok=True)
        try:
            yield
        finally:
            (home / "run.json").unlink(missing_ok=True)


def write_state(home: Path, state: dict[str, Any]) -> None:
    """Publish run.json in one step."""
    write_json(home / "run.json", state)


def _is_locked(home: Path) -> bool:
    try:
        file = (home / "lock").open()
    except OSError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
