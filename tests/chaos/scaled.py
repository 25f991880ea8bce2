"""The storm over processes as deployed on more than one machine: three web processes, four workers,
RabbitMQ with quorum queues, and PgBouncer in front of PostgreSQL. ``make chaos-scaled`` runs it.

RabbitMQ is one node here, so that a quorum is one; the storm shows that the guarantees hold with
its queues, its redeliveries and its restarts. The storm's callers notify RabbitMQ, as the web
processes do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from infra_mind.embedded import with_parent
from tests.chaos.storm import Faults, table
from tests.chaos.test_rabbitmq import RabbitMQ, callers, rabbitmq
from tests.chaos.test_storm import weather
from tests.servers import Servers
from tests.stack import Process, Stack, free_port, new_stack

__all__ = ["callers", "rabbitmq"]

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]

SEEDS = [int(seed) for seed in os.environ.get("SEEDS", "1").split()]
RUNS = int(os.environ.get("STORM_RUNS", "300"))
FAULTS = int(os.environ.get("STORM_FAULTS", "40"))


class PgBouncer:
    """In session mode, in front of the tests' PostgreSQL. It runs as PostgreSQL's user, because it
    refuses to run as root."""

    def __init__(self, servers: Servers, folder: Path, *, database: str) -> None:
        self.port = free_port()
        parts = urlsplit(servers.postgres.url_of(database))
        self.url = f"postgresql://{parts.username}@127.0.0.1:{self.port}/{database}"
        self.folder = folder / "pgbouncer"
        self.folder.mkdir()
        (self.folder / "pgbouncer.ini").write_text(
            f"""[databases]
{database} = host=127.0.0.1 port={parts.port} user={parts.username} password={parts.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = any
pool_mode = session
max_client_conn = 500
default_pool_size = 90
server_login_retry = 1
server_reset_query = DISCARD ALL
"""
        )

    def start(self) -> subprocess.Popen[bytes]:
        command = ["pgbouncer", "-q", str(self.folder / "pgbouncer.ini")]
        if os.geteuid() == 0:
            command[1:1] = ["-u", "nobody"]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                with_parent(command, on_parent_death="KILL"), stdout=log, stderr=log
            )


class ScaledFaults(Faults):
    """What may also happen here: any of the web processes dies, RabbitMQ restarts."""

    rabbitmq: RabbitMQ

    def kill_web(self) -> None:
        webs = [name for name in self.stack.processes if name.startswith("web")]
        self.stack[self.chance.choice(webs)].kill()

    def flush_broker(self) -> None:
        self.rabbitmq.stop()
        self.rabbitmq.start()


@pytest.fixture
def scaled_stack(
    alone: None,
    servers: Servers,
    rabbitmq: RabbitMQ,
    callers: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stack]:
    monkeypatch.delenv("CELERY_BROKER_URL")  # set below for each process of the stack
    if not shutil.which("pgbouncer"):
        pytest.skip("PgBouncer is not installed")
    bouncer = PgBouncer(servers, tmp_path, database=connection.settings_dict["NAME"])
    process = bouncer.start()
    stack = new_stack(servers, tmp_path / "stack", workers=4)
    for name in ("web2", "web3"):
        web = stack["web"]
        command = [str(free_port()) if part == str(stack.port) else part for part in web.command]
        log = web.log_path.with_name(f"{name}.log")
        stack.processes[name] = Process(name, command, env=web.env, log_path=log)
    for each in stack.processes.values():
        each.env = {**each.env, "DATABASE_URL": bouncer.url, "CELERY_BROKER_URL": rabbitmq.url}
    try:
        yield stack
    finally:
        stack.stop()
        process.kill()
        process.wait(10)
        connection.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_storm_over_many_processes_loses_sticks_and_doubles_nothing(
    scaled_stack: Stack,
    rabbitmq: RabbitMQ,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    monkeypatch.setattr(ScaledFaults, "rabbitmq", rabbitmq, raising=False)
    monkeypatch.setattr("tests.chaos.storm.Faults", ScaledFaults)
    tally = weather(scaled_stack, tmp_path, seed=seed, runs=RUNS, assessments=10, faults=FAULTS)
    print("\n" + table([tally]))
    assert tally.holds, table([tally])
    assert tally.accepted == RUNS + 10
