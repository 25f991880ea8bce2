"""``manage.py up``: one command that starts everything, prints its URL, and leaves nothing
behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from infra_mind import hosts, supervisor
from infra_mind.embedded import connection_urls
from tests.stack import free_port, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Up:
    """``manage.py up`` in its own home, with one worker."""

    def __init__(self, home: Path, port: int, **env: str) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{port}/"
        self.log_path = home.parent / f"up-{home.name}-{port}.log"
        self.env = {
            name: value
            for name, value in os.environ.items()
            if name not in {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "EXTRA_APPS"}
        }
        self.env |= {
            "INFRA_MIND_HOME": str(home),
            "PORT": str(port),
            "WORKERS": "1",
            "CONCURRENCY": "1",
            **env,
        }
        with self.log_path.open("wb") as log:
            command = [sys.executable, "manage.py", "up"]
            self.process = subprocess.Popen(
                command,
                cwd=supervisor.BASE_DIR,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_until_ready(self) -> Up:
        wait_until(
            self._is_ready_or_over, timeout_s=120, what="manage.py up", details=self.log, step_s=0.2
        )
        assert self.process.poll() is None, self.log()
        return self

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, words: str) -> psutil.Process | None:
        """The direct child whose command line contains ``words``, if it is running."""
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):
                if words in " ".join(child.cmdline()):
                    return child
        return None

    def replaces(self, old: psutil.Process, words: str) -> bool:
        new = self.child(words)
        return new is not None and new.pid != old.pid

    def manage(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=supervisor.BASE_DIR,
            env=self.env | env,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def analyze(self, path: Path) -> subprocess.CompletedProcess[str]:
        """``infra-mind analyze --local``, which finds this instance by its home."""
        script = str(Path(sys.executable).parent / "infra-mind")
        command = [script, "analyze", str(path), "--local"]
        return subprocess.run(
            command, cwd=path.parent, env=self.env, capture_output=True, text=True, timeout=120
        )

    def end(self) -> None:
        if self.process.poll() is not None:
            return
        with suppress(psutil.NoSuchProcess):
            family = self.family()
            self.process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(40)
            for process in [*family, psutil.Process(self.process.pid)]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self.process.wait(10)

    def _is_ready_or_over(self) -> bool:
        return "Infra Mind is ready" in self.log() or self.process.poll() is not None


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="infra-mind-up-") as folder:
        yield Path(folder) / "home"


@pytest.fixture(scope="module")
def shared_up() -> Iterator[Up]:
    """One for the tests that only look at it, and finally for the one that kills it."""
    with tempfile.TemporaryDirectory(prefix="infra-mind-up-") as folder:
        up = Up(Path(folder) / "home", free_port())
        yield up
        up.end()


def living(processes: list[psutil.Process]) -> list[str]:
    alive = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(" ".join(process.cmdline()))
    return alive


def test_static_files_are_compressed_and_kept_for_ever_by_their_hash(shared_up: Up) -> None:
    page = httpx.get(f"{shared_up.wait_until_ready().url}sign-in/").text
    addresses = re.findall(r'(?:href|src)="/(static/[^"#]+)', page)
    assert any("inter-latin" in address for address in addresses)
    module = re.search(r"static/tasks_ui/page\.\w+\.js", modules_of(shared_up))
    assert module
    for address in {*addresses, module[0]}:
        answer = httpx.get(shared_up.url + address)
        assert "immutable" in answer.headers["Cache-Control"], address
        if address.endswith((".css", ".js")):
            assert answer.headers["Content-Encoding"] == "gzip", address
    imports = re.findall(r'from "\./(.+?)"', httpx.get(shared_up.url + module[0]).text)
    assert imports and all(re.fullmatch(r"\w+\.\w{12}\.js", name) for name in imports), imports


def modules_of(up: Up) -> str:
    """The names of the collected files, according to the manifest."""
    return "\n".join(
        f"static/{name}"
        for name in json.loads((up.home / "static/staticfiles.json").read_text())["paths"].values()
    )


def test_a_second_up_says_that_one_is_running(shared_up: Up) -> None:
    up = shared_up.wait_until_ready()
    second = up.manage("up", PORT=str(free_port()))
    assert second.returncode != 0
    assert f"already running in {up.home}" in second.stderr
    assert up.url in second.stderr
    assert str(up.process.pid) in second.stderr
    assert "Traceback" not in second.stderr
    assert httpx.get(f"{up.url}health/ready").status_code == 200


def test_up_says_where_it_is_and_whom_it_lets_in(shared_up: Up) -> None:
    up = shared_up.wait_until_ready()
    told = up.log()
    assert up.url in told
    assert re.search(r"Sandbox +(isolated|confined)", told)
    assert f"{supervisor.DEMO_USERNAME} / {supervisor.DEMO_PASSWORD}" in told
    assert httpx.get(up.url, follow_redirects=True).status_code == 200
    commands = "\n".join(" ".join(p.cmdline()) for p in up.family())
    for process in (
        "daphne",
        "worker1@%h",
        "priority@%h",
        "reconcile --forever",
        "celery -q -A infra_mind beat",
        "postgres",
        "valkey",
    ):
        assert process in commands, process
    assert "superuser privileges" not in told  # Celery's warning to root
    assert "[queues]" not in told  # nor its banner
    kept = (up.home / "logs" / "infra-mind.log").read_text()
    assert re.search(r"worker1 +\| .* ready\.", kept)


def test_up_starts_again_what_dies_and_after_a_kill_of_its_own_lets_others_in(
    shared_up: Up,
) -> None:
    """The second start ends what the first has left, finds its data, and gives the account, whose
    password everyone knew, another one, shown once. Ctrl-C leaves no process."""
    first = shared_up.wait_until_ready()
    home = first.home
    (home.parent / "Dockerfile").write_text("FROM alpine:3.20\nUSER nobody\n")
    assert first.analyze(home.parent / "Dockerfile").returncode in {0, 1, 2}
    restarts_what_dies(first)
    left = first.family()
    first.process.kill()
    first.process.wait()
    port = free_port()
    second = Up(home, port, HOST="::")
    try:
        log = second.wait_until_ready().log()
        assert living(left) == []
        name = supervisor.DEMO_USERNAME
        password = re.search(rf"Sign in as {name} with the password (\S{{16}})\n", log)
        assert password and log.count(password[1]) == 1
        assert supervisor.DEMO_PASSWORD not in log
        assert f"ready:  http://[::1]:{port}/" in log
        assert httpx.get(f"http://[::1]:{port}/health/ready").status_code == 200
        other = next(name for name in hosts.own_names() if name not in {"localhost", "127.0.0.1"})
        page = httpx.get(f"http://[::1]:{port}/sign-in/", headers={"Host": f"{other}:{port}"})
        assert page.status_code == 200
        assert "infra-mind-demo" not in page.text and "Sign up" not in page.text
        assert names_of_users(second) == [name]
        family = second.family()
        second.process.send_signal(signal.SIGINT)
        assert second.process.wait(40) == 0
        assert living(family) == []
    finally:
        second.end()


def restarts_what_dies(up: Up) -> None:
    reconciler, valkey = up.child("reconcile --forever"), up.child("valkey-server")
    assert reconciler and valkey
    reconciler.kill()
    valkey.kill()
    wait_until(
        lambda: up.replaces(reconciler, "reconcile --forever"),
        timeout_s=20,
        what="a new reconciler",
    )
    wait_until(lambda: up.replaces(valkey, "valkey-server"), timeout_s=20, what="a new Valkey")


def names_of_users(up: Up) -> list[str]:
    """Straight from its database."""
    address, _ = connection_urls(up.home)
    assert address
    with psycopg.connect(address) as connection:
        return [name for (name,) in connection.execute("SELECT username FROM auth_user")]


def test_a_taken_port_is_named_and_nothing_is_started(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        up = Up(home, port)
        assert up.process.wait(60) != 0
    assert re.search(rf"Port {port} can't be used .* make run PORT={port + 1}", up.log())
    assert "Traceback" not in up.log()
    assert not (home / "postgres").exists()


def test_a_command_without_a_running_infra_mind_says_how_to_start_it(home: Path) -> None:
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL"}
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "prune_tasks"],
        cwd=supervisor.BASE_DIR,
        env=env | {"INFRA_MIND_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert done.stderr.strip() == "Infra Mind is not running here. Start it with: make run"


def test_the_log_in_the_home_folder_does_not_outgrow_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor.output, "LOG_MAX_BYTES", 10_000)
    output = supervisor.Output(tmp_path)
    for number in range(2_000):
        output.say(f"line {number}", name="web")
    output.say("the password is canary", name=supervisor.PREPARE)
    files = list((tmp_path / "logs").iterdir())
    assert len(files) == 1 + supervisor.LOG_FILES_KEPT
    assert sum(file.stat().st_size for file in files) < 80_000
    newest = (tmp_path / "logs" / "infra-mind.log").read_text()
    assert "web        | line 1999" in newest
    assert "canary" not in newest and "canary" in capsys.readouterr().out
