"""``manage.py up``: the whole of Infra Mind as one foreground command.

Starts what isn't named by the environment (PostgreSQL, Valkey), prepares the database, then keeps
the application's processes running: logs prefixed, a process that dies started again with backoff.
Ends with nothing left behind:

- Ctrl-C or SIGTERM: SIGTERM to every process, SIGKILL after the grace, then to whatever they
  started themselves (orphans come to the supervisor, which is their subreaper), the servers last.
- SIGKILL of the supervisor: the kernel signals the children (with_parent.py), the lock is free at
  once, and the next start ends what still runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import FrameType
from typing import IO

import psutil

from assessments.scan import sandbox
from infra_mind import embedded, hosts

BASE_DIR = Path(__file__).resolve().parent.parent
QUEUES = "assessments,reports,default,priority"
# for running tasks to end by themselves; a person waits, and what is cut off goes on at the next
# start
SOFT_SHUTDOWN_S = 4
STOP_GRACE_S = 10.0
BACKOFF_MAX_S = 30.0
LOG_MAX_BYTES, LOG_FILES_KEPT = 10_000_000, 5
LOOK_EVERY_S = 0.5
STEADY_S = 60.0  # a process that lived this long starts its backoff again
PREPARE = "prepare"
COLOURS = (36, 32, 33, 35, 34, 31)
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
ADMIN_USERNAME = "admin"  # the first account where others than this machine's users get in
DEMO_USERNAME = "demo"
DEMO_PASSWORD = "infra-mind-demo"  # noqa: S105  well known on purpose: for the embedded database alone, on loopback


class CannotStartError(Exception):
    """Nothing was started; the message says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What ``manage.py up`` takes from its environment."""

    home: Path
    scanner_python: Path = BASE_DIR / ".venv-scanner" / "bin" / "python"
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 2
    concurrency: int = 2

    @property
    def url(self) -> str:
        """Where this machine reaches it: of all its addresses, loopback."""
        address = hosts.reached_at(self.host)
        return f"http://{address}:{self.port}/"


def process_commands(options: Options) -> dict[str, list[str]]:
    """The application's processes, name to command line. docker-compose.yml and the tests start the
    same ones."""
    worker = [
        "celery",
        "-q",
        "-A",
        "infra_mind",
        "worker",
        "--without-mingle",
        "--without-gossip",
        "-l",
        "INFO",
    ]
    address = ["-b", options.host, "-p", str(options.port)]
    return {
        "web": ["daphne", *address, "--no-server-name", "-v", "0", "infra_mind.asgi:application"],
        **{
            f"worker{n}": [
                *worker,
                "-n",
                f"worker{n}@%h",
                "-Q",
                QUEUES,
                "-c",
                str(options.concurrency),
            ]
            for n in range(1, options.workers + 1)
        },
        "priority": [*worker, "-n", "priority@%h", "-Q", "priority", "-c", "1"],
        "reconciler": ["python", "manage.py", "reconcile", "--forever"],
        "beat": [
            "celery",
            "-q",
            "-A",
            "infra_mind",
            "beat",
            "-l",
            "INFO",
            "--pidfile=",
            "-s",
            str(options.home / "beat"),
        ],
    }


def executable(command: list[str]) -> list[str]:
    """``command`` run by this very interpreter, whatever PATH says."""
    program, *arguments = command
    module = [] if program == "python" else ["-m", program]
    return [sys.executable, *module, *arguments]


def run(options: Options) -> int:
    """Run Infra Mind until it is told to stop; gives the exit status.

    Raises CannotStartError, embedded.AlreadyRunningError, embedded.EmbeddedServerError.
    """
    with embedded.hold(options.home):
        _require_free_port(options)
        return Supervisor(options).run()


@dataclass
class Child:
    name: str
    command: list[str]
    colour: int
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    failures: int = 0
    unfinished_line: bytes = b""


@dataclass
class Supervisor:
    options: Options
    children: list[Child] = field(default_factory=list)
    servers: list[embedded.Server] = field(default_factory=list)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    stop_requests: int = 0
    ready: bool = False
    look_again_at: float = 0.0

    def __post_init__(self) -> None:
        self._log = _log_of(self.options.home)

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        _become_subreaper()
        self._end_leftovers()
        try:
            self._start_servers()
            if not self._prepare_database():
                return 0 if self.stop_requests else 1
            self._start_children()
            while not self.stop_requests:
                self._relay_output(timeout_s=0.25)
                if time.monotonic() >= self.look_again_at:
                    self._restart_the_dead()
                    self._announce_when_ready()
                    self.look_again_at = time.monotonic() + LOOK_EVERY_S
            return 0
        finally:
            self._stop_everything()

    # --- start

    def _start_servers(self) -> None:
        state: dict[str, object] = {
            "pid": os.getpid(),
            "port": self.options.port,
            "url": self.options.url,
        }
        for variable, key, kind in (
            ("DATABASE_URL", "database_url", embedded.PostgresServer),
            ("REDIS_URL", "redis_url", embedded.ValkeyServer),
        ):
            if os.environ.get(variable) or self.stop_requests:
                continue
            server = kind(self.options.home)
            self.servers.append(server)
            server.start()
            state[key] = server.url
            self._say(f"{server.name} runs on 127.0.0.1:{server.port}, log in {server.log_path}")
        embedded.write_state(self.options.home, state)

    def _prepare_database(self) -> bool:
        """Migrate; at the first start make the demo account and its sample. A process of its own:
        it needs Django."""
        (self.options.home / "static").mkdir(exist_ok=True)  # prepare collects into it
        command = executable(["python", "manage.py", "prepare"])
        if not os.environ.get("DATABASE_URL"):
            is_private = hosts.is_loopback(self.options.host)
            command.append("--demo" if is_private else "--admin")
        child = Child(PREPARE, command, COLOURS[0])
        self._start(child)
        while child.process is not None and not self.stop_requests:
            self._relay_output(timeout_s=0.25)
            if child.process.poll() is not None:
                self._drain(child)
                if child.process.returncode:
                    self._say("the database could not be prepared; the lines above say why")
                return child.process.returncode == 0
        self.children.append(child)  # interrupted: stopped with everything else
        return False

    def _start_children(self) -> None:
        for index, (name, command) in enumerate(process_commands(self.options).items()):
            child = Child(name, executable(command), COLOURS[index % len(COLOURS)])
            self.children.append(child)
            self._start(child)
        self._write_children()

    def _start(self, child: Child) -> None:
        child.started_at, child.start_again_at = time.monotonic(), 0.0
        child.process = subprocess.Popen(  # noqa: S603
            embedded.with_parent(child.command),
            cwd=BASE_DIR,
            env={"SOFT_SHUTDOWN_S": str(SOFT_SHUTDOWN_S), **os.environ, **self._environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches the supervisor alone, which stops them in order
            start_new_session=True,
        )
        output = _output(child)
        os.set_blocking(output.fileno(), False)
        self.selector.register(output, selectors.EVENT_READ, child)

    def _environment(self) -> dict[str, str]:
        env = {"INFRA_MIND_HOME": str(self.options.home), "PYTHONUNBUFFERED": "1"}
        if not hosts.is_loopback(self.options.host):
            names = os.environ.get("ALLOWED_HOSTS") or ",".join(hosts.own_names())
            env |= {"HOST": self.options.host, "ALLOWED_HOSTS": names}
        return env

    def _announce_when_ready(self) -> None:
        if self.ready or not _answers(f"{self.options.url}health/ready"):
            return
        self.ready = True
        lines = ["", f"  Infra Mind is ready:  {self.options.url}", ""]
        if not os.environ.get("DATABASE_URL"):
            lines += [f"  Sign in as            {self._account()}"]
        if not hosts.is_loopback(self.options.host):
            lines += [f"  Others reach it at    {', '.join(self._addresses())}"]
        lines += [
            f"  Sandbox               {sandbox.probe(self.options.scanner_python)}",
            f"  Data and logs         {self.options.home}",
            "  Stop                  Ctrl-C",
            "",
        ]
        print("\n".join(lines), flush=True)  # noqa: T201

    def _account(self) -> str:
        if (self.options.home / "demo").exists():
            return f"{DEMO_USERNAME} / {DEMO_PASSWORD}"
        return "an account that you have; a new password: manage.py changepassword NAME"

    def _addresses(self) -> list[str]:
        """What ALLOWED_HOSTS lets in, as addresses."""
        names = self._environment()["ALLOWED_HOSTS"].split(",")
        return [f"http://{name}:{self.options.port}/" for name in names]

    # --- keep running

    def _relay_output(self, *, timeout_s: float) -> None:
        for key, _ in self.selector.select(timeout_s):
            self._read(key.data)

    def _read(self, child: Child) -> bool:
        """Print what ``child`` wrote, line by line; True while its pipe is open."""
        output = _output(child)
        try:
            chunk = os.read(output.fileno(), 65536)
        except BlockingIOError:
            return False
        if not chunk:
            self.selector.unregister(output)
            output.close()
            return False
        *lines, child.unfinished_line = (child.unfinished_line + chunk).split(b"\n")
        if len(child.unfinished_line) > 65536:  # a line without an end must not fill the memory
            lines, child.unfinished_line = [*lines, child.unfinished_line], b""
        for line in lines:
            self._say(line.decode(errors="replace"), name=child.name, colour=child.colour)
        return True

    def _drain(self, child: Child) -> None:
        output = _output(child)
        while not output.closed and self._read(child):
            pass
        if not output.closed:  # a grandchild still holds it
            self.selector.unregister(output)
            output.close()

    def _restart_the_dead(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.process and child.process.poll() is not None and not child.start_again_at:
                self._drain(child)
                child.failures = 0 if now - child.started_at > STEADY_S else child.failures + 1
                delay = min(BACKOFF_MAX_S, 2.0 ** (child.failures - 1)) if child.failures else 0.5
                child.start_again_at = now + delay
                self._say(
                    f"{child.name} ended with status {child.process.returncode}; starting it again"
                    f" in {delay:g} s"
                )
            elif child.start_again_at and now >= child.start_again_at:
                self._start(child)
                self._write_children()
        self._restart_dead_servers()
        _reap_adopted(
            {child.process.pid for child in self.children if child.process}
            | {s.pid for s in self.servers}
        )

    def _restart_dead_servers(self) -> None:
        for server in self.servers:
            if not server.running:
                self._say(f"{server.name} has died; starting it again")
                server.start()

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.stop_requests += 1

    # --- stop

    def _stop_everything(self) -> None:
        with contextlib.suppress(OSError):  # the terminal may be gone
            self._say("stopping (Ctrl-C again: at once)" if self.children else "stopping")
        running = [
            child.process
            for child in self.children
            if child.process and child.process.poll() is None
        ]
        for process in running:
            process.terminate()
        asked, deadline = self.stop_requests, time.monotonic() + STOP_GRACE_S
        while (
            any(p.poll() is None for p in running)
            and time.monotonic() < deadline
            and self.stop_requests <= asked
        ):
            with contextlib.suppress(OSError):
                self._relay_output(timeout_s=0.1)
            if not self.selector.get_map():
                time.sleep(0.05)
        servers = {server.pid for server in self.servers if server.running}
        _kill_descendants(except_for=servers)
        for server in reversed(self.servers):
            server.stop()
        _kill_descendants(except_for=set())
        (self.options.home / "children.json").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._say("stopped; your data is kept")

    def _write_children(self) -> None:
        """Remember who was started, for the start after a SIGKILL of this supervisor."""
        started = [
            child.process.pid
            for child in self.children
            if child.process and child.process.poll() is None
        ]
        known = {}
        for pid in started:
            with contextlib.suppress(psutil.Error):
                known[str(pid)] = psutil.Process(pid).create_time()
        (self.options.home / "children.json").write_text(json.dumps(known))

    def _end_leftovers(self) -> None:
        """SIGKILL the processes of a supervisor that was killed; the creation time tells them from
        strangers."""
        try:
            known = json.loads((self.options.home / "children.json").read_text())
        except (OSError, ValueError):
            return
        for pid, created in known.items():
            with contextlib.suppress(psutil.Error, OSError):
                process = psutil.Process(int(pid))
                if abs(process.create_time() - created) < 1:
                    _kill_tree(process)

    def _say(self, line: str, *, name: str = "infra-mind", colour: int = 0) -> None:
        prefix = f"{name:<10} | "
        if sys.stdout.isatty():
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        if name != PREPARE:  # it may print a new password, once
            self._log.info("%-10s | %s", name, line)
        print(prefix + line, flush=True)  # noqa: T201


class _PatientFile(RotatingFileHandler):
    """A full disk costs lines, and nothing else."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


def _log_of(home: Path) -> logging.Logger:
    """What is printed goes to files in the home folder, too, of at most 60 MB together."""
    folder = home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    file = _PatientFile(
        folder / "infra-mind.log", maxBytes=LOG_MAX_BYTES, backupCount=LOG_FILES_KEPT, delay=True
    )
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.Logger("infra_mind.relay")  # of its own: no other logger's settings hold here
    log.addHandler(file)
    return log


def _require_free_port(options: Options) -> None:
    other = options.port + 1
    try:
        family, _, _, _, address = hosts.address_to_bind(options.host, options.port)
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        raise CannotStartError(
            f"HOST={options.host} is no address of this machine ({error.strerror})."
        ) from None
    except OSError as error:
        raise CannotStartError(
            f"Port {options.port} can't be used ({error.strerror}). Choose another: make run"
            f" PORT={other}"
        ) from None


def _output(child: Child) -> IO[bytes]:
    if child.process is None or child.process.stdout is None:
        raise RuntimeError(f"{child.name} was never started.")
    return child.process.stdout


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _become_subreaper() -> None:
    """Processes that lose their parent (an engine whose worker was killed) become the supervisor's
    to end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap_adopted(own: set[int]) -> None:
    """Collect the exit status of adopted processes, or they stay as zombies."""
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.Error, ChildProcessError):
            if process.pid not in own and process.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(process.pid, os.WNOHANG)


def _kill_descendants(*, except_for: set[int]) -> None:
    """SIGKILL all that this process started or adopted, until none is left but the servers, with
    their children."""
    for _ in range(100):
        alive = [p for p in psutil.Process().children() if p.pid not in except_for]
        if not alive:
            return
        for process in alive:
            _kill_tree(process)
        time.sleep(0.02)


def _kill_tree(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.Error):
        family = [process, *process.children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.Error):
                member.kill()
        psutil.wait_procs(family, timeout=5)
