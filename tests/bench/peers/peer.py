"""The peers: how each is started and given work, in its own environment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from infra_mind import embedded
from infra_mind.supervisor import BASE_DIR
from tests.servers import Servers
from tests.stack import Process

APPS = Path(__file__).parent / "apps"
BIN = BASE_DIR / ".venv-peers" / "bin"
WORKERS: dict[str, list[str]] = {
    "plain_celery": ["celery", "-A", "plain_celery", "worker", "-c", "1", "-n", "{n}@%h"],
    "procrastinate_app": [
        *("procrastinate", "--app=procrastinate_app.app", "worker", "--concurrency", "1")
    ],
    "tasks_db": ["django-admin", "db_worker", "--no-startup-delay"],
    "dramatiq_app": ["dramatiq", "dramatiq_app", "--processes", "1", "--threads", "1"],
}
"""By module in ``apps``: the command for one worker that runs one task at a time."""
PREPARE = {
    "procrastinate_app": ["procrastinate", "--app=procrastinate_app.app", "schema", "--apply"],
    "tasks_db": ["django-admin", "migrate", "--verbosity", "0"],
}
TABLES = ("queued", "started", "effect")


class PeerProcess(Process):
    def start(self) -> None:
        if self.running:
            return
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                embedded.with_parent(self.command, on_parent_death="KILL"),
                cwd=APPS,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


class Peer:
    """A peer's two workers, and its tables on the same PostgreSQL."""

    def __init__(self, name: str, servers: Servers, folder: Path) -> None:
        self.name = name
        self.url = servers.postgres.url_of("peers")
        self.env = {
            "PATH": f"{BIN}:/usr/bin:/bin",
            "HOME": str(folder),
            "PYTHONPATH": str(APPS),
            "PEERS_DATABASE_URL": self.url,
            "PEERS_REDIS_URL": servers.valkey.url.rsplit("/", 1)[0] + "/9",
            "DJANGO_SETTINGS_MODULE": "tasks_db_settings",
        }
        self.workers = [
            PeerProcess(
                f"{name}{n}",
                [str(BIN / WORKERS[name][0]), *(p.format(n=n) for p in WORKERS[name][1:])],
                env=self.env,
                log_path=folder / f"{name}{n}.log",
            )
            for n in (1, 2)
        ]

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            cwd=APPS,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def enqueue(self, count: int, *, duration_s: float = 0, pause_s: float = 0) -> None:
        self.run("python", "enqueue.py", self.name, str(count), str(duration_s), str(pause_s))

    def rows(self, query: str) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query).fetchall()

    def effects(self) -> dict[int, int]:
        """How many effects each task has left."""
        return dict(
            self.rows("SELECT number, count(*) FROM effect WHERE number > 0 GROUP BY number")
        )


@contextmanager
def working(name: str, servers: Servers, folder: Path) -> Iterator[Peer]:
    """The peer on an empty database, its workers running."""
    with psycopg.connect(servers.postgres.url_of("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS peers WITH (FORCE)")
        connection.execute("CREATE DATABASE peers")
    peer = Peer(name, servers, folder)
    for table in TABLES:
        with psycopg.connect(peer.url, autocommit=True) as connection:
            connection.execute(
                f"CREATE TABLE {table} (peer text, number int,"
                " at timestamptz DEFAULT clock_timestamp())"
            )
    if name in PREPARE:
        peer.run(*PREPARE[name])
    try:
        for process in peer.workers:
            process.start()
        yield peer
    finally:
        for process in peer.workers:
            if sys.exc_info()[0]:
                print(f"--- {process.name}\n{process.log()[-1500:]}")
            process.kill()
