"""Backup and restore: all lasting data is in PostgreSQL, so one dump is enough.

Valkey holds messages that the reconciler sends again, and channel messages that are hints. Sessions
and socket tickets would grant access for hours, so they are left out: after a restore everyone
signs in again. ``pg_dump`` reads one snapshot, so that a backup of a busy system is as consistent
as one of an idle one; https://www.postgresql.org/docs/18/app-pgdump.html.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg

from infra_mind.embedded.postgres import postgres_binary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEFT_OUT = ("django_session", "tasks_ui_socketticket")
MAGIC = b"PGDMP"


class BackupError(Exception):
    """The backup or restore did not happen; the message says why and what to do."""


def write_backup(url: str, to: IO[bytes]) -> None:
    """Write the database of ``url`` to a file, in PostgreSQL's custom format, compressed.

    Raises BackupError.
    """
    without = [f"--exclude-table-data=public.{table}" for table in LEFT_OUT]
    _run(["pg_dump", "--format=custom", "--no-owner", "--no-privileges", *without], url, stdout=to)


def restore_backup(url: str, source: IO[bytes]) -> None:
    """Fill the empty database at ``url`` from a backup, completely or not at all.

    Raises BackupError, also if the database has tables or the file is not a backup.
    """
    _require_empty(url)
    options = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    database = _environment(url)["PGDATABASE"]
    _run(["pg_restore", *options, f"--dbname={database}"], url, stdin=source)


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """``path``, readable only by its owner; it appears only after the block has succeeded.

    Raises BackupError if it exists.
    """
    if path.exists():
        raise BackupError(f"{path} already exists. Choose another name, or move it.")
    draft = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise BackupError(f"{draft} can't be written: {error.strerror}.") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def backup_file(path: Path) -> Iterator[IO[bytes]]:
    """A backup, open for reading. Raises BackupError if there is none."""
    try:
        with path.open("rb", buffering=0) as file:  # a program reads on from where this one is
            if file.read(len(MAGIC)) != MAGIC:
                raise BackupError(f"{path} is not a backup of Infra Mind.")
            file.seek(0)
            yield file
    except OSError as error:
        raise BackupError(f"{path} can't be read: {error.strerror}.") from None


def _require_empty(url: str) -> None:
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            row = connection.execute(
                "select count(*) from pg_tables where schemaname = 'public'"
            ).fetchone()
    except psycopg.OperationalError as error:
        raise BackupError(f"The database can't be reached: {error}") from None
    if row and row[0]:
        raise BackupError(
            f"The database holds {row[0]} tables, and a restore overwrites nothing. Set"
            " INFRA_MIND_HOME to a new folder, or DATABASE_URL to an empty database."
        )


def _run(command: list[str], url: str, **streams: Any) -> None:
    program, *options = command
    done = subprocess.run(  # noqa: S603
        [postgres_binary(program), *options],
        env=os.environ | _environment(url),
        stderr=subprocess.PIPE,
        check=False,
        **streams,
    )
    if done.returncode:
        raise BackupError(f"{program} failed:\n{done.stderr.decode(errors='replace').strip()}")


def _environment(url: str) -> dict[str, str]:
    """libpq's variables, because every user of the machine can read command lines."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    values = {
        "PGHOST": options.pop("host", "") or unquote(parts.hostname or ""),
        "PGPORT": str(parts.port or ""),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path.lstrip("/")) or "infra_mind",
        **{f"PG{name.upper()}": value for name, value in options.items()},
    }
    return {name: value for name, value in values.items() if value}
