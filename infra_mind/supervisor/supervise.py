"""The supervisor's life: servers, database, processes, and the way back."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from types import FrameType

from assessments.scan import sandbox
from infra_mind import embedded, hosts
from infra_mind.supervisor import process_tree
from infra_mind.supervisor.children import Children, environment
from infra_mind.supervisor.options import DEMO_PASSWORD, DEMO_USERNAME, Options
from infra_mind.supervisor.output import Output

LOOK_EVERY_S = 0.5


class CannotStartError(Exception):
    """Nothing was started; the message says why, and what to do."""


def run(options: Options) -> int:
    """Run Infra Mind until it is asked to stop; returns the exit status.

    Raises CannotStartError, embedded.AlreadyRunningError, embedded.EmbeddedServerError.
    """
    with embedded.hold(options.home):
        _require_free_port(options)
        return Supervisor(options).run()


class Supervisor:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.output = Output(options.home)
        self.children = Children(options, self.output)
        self.servers: list[embedded.Server] = []
        self.stop_requests = 0
        self.ready = False

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        process_tree.become_subreaper()
        self.children.end_leftovers()
        try:
            self._start_servers()
            status = self.children.prepare(is_stopping=lambda: bool(self.stop_requests))
            if status:
                self.output.say("the database could not be prepared; see the lines above")
                return 0 if self.stop_requests else 1
            if status == 0:
                self.children.start()
                self._keep_running()
            return 0
        finally:
            self._stop_everything()

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.stop_requests += 1

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
            self.output.say(
                f"{server.name} runs on 127.0.0.1:{server.port}, log in {server.log_path}"
            )
        embedded.write_state(self.options.home, state)

    def _keep_running(self) -> None:
        look_again_at = 0.0
        while not self.stop_requests:
            self.children.relay_output(timeout_s=0.25)
            if time.monotonic() >= look_again_at:
                self.children.restart_the_dead()
                self._restart_dead_servers()
                process_tree.reap_adopted(self.children.pids | {s.pid for s in self.servers})
                self._announce_when_ready()
                look_again_at = time.monotonic() + LOOK_EVERY_S

    def _restart_dead_servers(self) -> None:
        for server in self.servers:
            if not server.running:
                self.output.say(f"{server.name} has died; restarting it")
                server.start()

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
        return "your own account; to set a new password: manage.py changepassword NAME"

    def _addresses(self) -> list[str]:
        """What ALLOWED_HOSTS lets in, as addresses."""
        names = environment(self.options)["ALLOWED_HOSTS"].split(",")
        return [f"http://{name}:{self.options.port}/" for name in names]

    def _stop_everything(self) -> None:
        with contextlib.suppress(OSError):  # the terminal may be gone
            hint = " (Ctrl-C again: at once)" if self.children.all else ""
            self.output.say(f"stopping{hint}")
        asked = self.stop_requests
        self.children.stop(at_once=lambda: self.stop_requests > asked)
        process_tree.kill_descendants(except_for={s.pid for s in self.servers if s.running})
        for server in reversed(self.servers):
            server.stop()
        process_tree.kill_descendants(except_for=set())
        self.children.forget()
        with contextlib.suppress(OSError):
            self.output.say("stopped; your data is kept")


def _require_free_port(options: Options) -> None:
    other = options.port + 1
    try:
        family, _, _, _, address = hosts.address_to_bind(options.host, options.port)
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        raise CannotStartError(
            f"HOST={options.host} is not an address of this machine ({error.strerror})."
        ) from None
    except OSError as error:
        raise CannotStartError(
            f"Port {options.port} can't be used ({error.strerror}). Choose another: make run"
            f" PORT={other}"
        ) from None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
