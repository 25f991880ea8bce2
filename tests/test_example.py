"""The second project in ``examples/`` runs on just tasks_ui: actually started, and driven."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from infra_mind.supervisor import BASE_DIR
from tests.servers import Servers
from tests.stack import Process, free_port, wait_until
from tests.tasks_ui.sockets import Conversation

EXAMPLES = BASE_DIR / "examples"
PASSWORD = "a password of alice"
PRIMES_BELOW = {50_000_000: 3_001_134}  # OEIS A006880 and tables of pi(x)
WORKER = ["celery", "-A", "mailroom", "worker", "-l", "INFO", "-c", "2", "-Q", "default,priority"]


class Mailroom:
    """Web, worker and reconciler of the example, and a signed-in browser's client."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.port, self.webhook_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        _create_database(servers.postgres.url_of("postgres"))
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.env = {
            **keep,
            "PYTHONPATH": os.pathsep.join([str(EXAMPLES), str(BASE_DIR)]),
            "DJANGO_SETTINGS_MODULE": "mailroom.settings",
            "SECRET_KEY": "for the example's test alone",
            "DATABASE_URL": servers.postgres.url_of("mailroom"),
            "REDIS_URL": re.sub(r"/\d*$", "/7", servers.valkey.url),
            "WEBHOOK_URL": f"http://127.0.0.1:{self.webhook_port}/",
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "PYTHONUNBUFFERED": "1",
        }
        self.web = ["daphne", "-b", "127.0.0.1", "-p", str(self.port), "mailroom.asgi:application"]
        commands = {
            "web": self.web,
            "worker": WORKER,
            "reconciler": ["python", "examples/manage.py", "reconcile", "--forever"],
        }
        self.processes = [
            Process(name, command, env=self.env, log_path=folder / f"{name}.log")
            for name, command in commands.items()
        ]
        self.http = httpx.Client(base_url=self.url, timeout=30)

    def manage(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "examples/manage.py", *arguments],
            cwd=BASE_DIR,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        self.manage("check")
        self.manage("migrate", "--verbosity", "0")
        self.manage("createsuperuser", "--noinput", "--username=alice", "--email=a@example.org")
        for process in self.processes:
            process.start()
        wait_until(self._is_ready, timeout_s=90, what="the example", details=self.logs)
        self.http.get("/admin/login/")
        form = {"username": "alice", "password": PASSWORD, "next": "/tasks/"}
        assert self.post("/admin/login/", **form).status_code == 302

    def post(self, path: str, **form: str) -> httpx.Response:
        headers = {"X-CSRFToken": self.http.cookies["csrftoken"], "Referer": self.url}
        return self.http.post(path, data=form, headers=headers)

    def task(self, task_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/api/v1/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def wait_for(self, task_id: str, *states: str) -> dict[str, Any]:
        wait_until(
            lambda: self.task(task_id)["state"] in states,
            timeout_s=60,
            what=f"{task_id} in {states}",
            details=lambda: f"{self.task(task_id)}\n{self.logs()}",
        )
        return self.task(task_id)

    def socket(self) -> Conversation:
        cookie = f"sessionid={self.http.cookies['sessionid']}"
        address = f"ws://127.0.0.1:{self.port}/ws/v1/"
        headers = {"Cookie": cookie}
        return Conversation(
            connect(
                address,
                additional_headers=headers,
                origin=Origin(self.url),
                proxy=None,
                legacy=True,
            )
        )

    def logs(self) -> str:
        return "\n".join(f"--- {each.name}\n{each.log()[-3000:]}" for each in self.processes)

    def _is_ready(self) -> bool:
        try:
            is_up = httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False
        return is_up and " ready." in self.processes[1].log()


@pytest.fixture(scope="module")
def mailroom(
    running_servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mailroom]:
    project = Mailroom(running_servers, tmp_path_factory.mktemp("mailroom"))
    try:
        project.start()
        yield project
    finally:
        for process in project.processes:
            process.kill()


def _create_database(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS mailroom WITH (FORCE)")
        connection.execute("CREATE DATABASE mailroom")


@contextmanager
def webhook(port: int) -> Iterator[list[bytes]]:
    """A webhook server that collects the letters it receives."""
    taken: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

    server = HTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield taken
    finally:
        server.shutdown()
        server.server_close()


def test_a_task_is_followed_live_to_its_result(mailroom: Mailroom) -> None:
    limit, primes = next(iter(PRIMES_BELOW.items()))
    started = mailroom.post("/letters/count/", limit=str(limit))
    assert started.status_code == 202, started.text
    task_id = started.json()["task_id"]
    with mailroom.socket() as socket:
        socket.subscribe(task_id)
        assert "primes so far" in socket.hear_until("progress", timeout_s=60)["message"]
        socket.hear_until("event", event="task.succeeded", timeout_s=60)
    result = mailroom.http.get(f"/api/v1/tasks/{task_id}/result").json()
    assert result["result"] == {"primes": primes}


def test_a_task_is_cancelled_from_the_dashboard(mailroom: Mailroom) -> None:
    task_id = mailroom.post("/letters/count/", limit="9000000000").json()["task_id"]
    mailroom.wait_for(task_id, "PROGRESS")
    assert mailroom.post(f"/tasks/tasks/{task_id}/cancel/").status_code == 302
    mailroom.wait_for(task_id, "REVOKED")


def test_a_task_that_fails_is_tried_again(mailroom: Mailroom) -> None:
    task_id = mailroom.post("/letters/deliver/", text="Dear Bob").json()["task_id"]
    failed = mailroom.wait_for(task_id, "RETRY")
    assert "refused" in failed["error"]
    with webhook(mailroom.webhook_port) as taken:
        assert mailroom.wait_for(task_id, "SUCCESS")["attempt"] > 1
    assert taken == [b'{"text": "Dear Bob"}']


def test_the_pages_are_the_projects_own(mailroom: Mailroom) -> None:
    task_id = mailroom.post("/letters/count/", limit="1000").json()["task_id"]
    mailroom.wait_for(task_id, "SUCCESS")
    page = mailroom.http.get("/tasks/").text
    assert "Count primes" in page
    assert "Mailroom" in page
    for path in (
        "/tasks/",
        "/tasks/tokens/",
        "/tasks/connection/",
        "/tasks/api/v1/docs",
        "/tasks/api/v1/docs/socket",
        f"/tasks/tasks/{task_id}/toast/",
        "/admin/tasks_ui/taskrun/",
        f"/admin/tasks_ui/taskrun/{task_id}/change/",
    ):
        answer = mailroom.http.get(path, follow_redirects=True)
        assert answer.status_code == 200, path
        assert "Infra Mind" not in answer.text, path
        assert "ssessment" not in answer.text or "/docs" in path, path


def test_the_worker_of_the_guide_takes_what_beat_schedules(mailroom: Mailroom) -> None:
    mailroom.manage("shell", "-c", "from tasks_ui.tasks import prune_tasks; prune_tasks.delay()")
    worker = mailroom.processes[1]
    wait_until(
        lambda: "Task tasks_ui.prune_tasks" in worker.log(),
        timeout_s=20,
        what="housekeeping",
        details=mailroom.logs,
    )


def test_a_stranger_sees_nothing(mailroom: Mailroom) -> None:
    task_id = mailroom.post("/letters/count/", limit="1000").json()["task_id"]
    stranger = httpx.Client(base_url=mailroom.url)
    assert stranger.get(f"/api/v1/tasks/{task_id}").status_code == 401
    assert stranger.get("/tasks/").headers["Location"].startswith("/admin/login/")


def test_the_guide_shows_the_settings_of_the_example() -> None:
    settings = (EXAMPLES / "mailroom" / "settings.py").read_text()
    ours = settings.split("begins here.\n")[1].split("# What tasks_ui needs ends")[0]
    guide = (BASE_DIR / "docs" / "tasks_ui.md").read_text()
    assert ours.strip() in guide
    for name in ("celery.py", "asgi.py", "urls.py"):
        assert (EXAMPLES / "mailroom" / name).read_text().strip() in guide
