"""docker-compose.yml running, as far as possible on a machine without Docker: each service's
command with its environment and user, on a read-only file system, without capabilities or
namespaces, behind Caddy with a domain name and a certificate from Caddy's own authority.

PostgreSQL and Valkey are the tests' own, in place of their images.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
import yaml
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import connection
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from accounts.hashing import BoundedHasher
from assessments.services import create_sample
from tasks_ui.models import Worker
from tests.servers import Servers
from tests.stack import Process, free_port, wait_until
from tests.tasks_ui.sockets import Conversation

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[1]
DOMAIN = "infra.example"
WEBS = ("127.77.0.2", "127.77.0.3")  # loopback, too
USER_ID = 10001
SETTINGS = {
    "SECRET_KEY": "for-compose-alone-" * 4,
    "POSTGRES_PASSWORD": "in-place-of",
    "POSTGRES_ADMIN_PASSWORD": "in-place-of",
    "VALKEY_PASSWORD": "in-place-of",
    "FLOWER_BASIC_AUTH": "admin:flower-password",
    "ALLOWED_HOSTS": DOMAIN,
    "HTTPS": "1",
    "METRICS_TOKEN": "a-token-for-prometheus",
    "CADDY_OPTIONS": "local_certs",
}
PASSWORD = "a password of alice"


def services() -> dict[str, Any]:
    """The services, with variables filled in from SETTINGS as Compose does."""

    def value(found: re.Match[str]) -> str:
        name, how, rest = found[1], found[2], found[3]
        assert SETTINGS.get(name) or how != ":?", f"{name} is required: {rest}"
        return SETTINGS.get(name) or (rest if how == ":-" else "")

    text = re.sub(r"\$\{(\w+)(:-|:\?)?([^}]*)\}", value, (ROOT / "docker-compose.yml").read_text())
    loaded: dict[str, Any] = yaml.safe_load(text)
    return dict(loaded["services"])


class Compose:
    """The application's containers, and the proxy in front."""

    def __init__(self, servers: Servers, folder: Path, *, database: str) -> None:
        self.folder = folder
        self.services = services()
        self.port = free_port()
        self.flower_port = free_port()
        self.addresses = {
            "DATABASE_URL": servers.postgres.url_of(database),
            "REDIS_URL": servers.valkey.url,
        }
        self.processes: dict[str, Process] = {}

    def start(self) -> None:
        done = self.container("migrate")
        done.start()
        assert done.process and done.process.wait(120) == 0, done.log()
        for service in ("worker", "worker-priority", "reconciler", "beat", "flower"):
            self.container(service).start()
        for address in WEBS:
            self.container("web", address=address).start()
        wait_until(self.webs_are_healthy, timeout_s=60, what="healthy webs", details=self.logs)
        self.proxy().start()
        wait_until(self.is_reached, timeout_s=30, what="the proxy", details=self.logs)

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()

    def container(self, service: str, *, address: str = "") -> Process:
        """A process as Compose would start it, with the same addresses except the test's own."""
        declared = self.services[service]
        assert declared["cap_drop"] == ["ALL"] and declared["read_only"] is True
        assert declared["security_opt"] == ["no-new-privileges:true"]
        command = [address if part == "0.0.0.0" else part for part in declared["command"]]  # noqa: S104
        env = {**image_environment(), **declared["environment"], **self.addresses}
        if service == "flower":
            env |= {"FLOWER_ADDRESS": "127.0.0.1", "FLOWER_PORT": str(self.flower_port)}
        name = f"{service}-{address}" if address else service
        place = self.folder / name
        place.mkdir()
        program, *arguments = command
        run = [] if program == "python" else ["-m", program]
        spec = {
            "command": ["/app/.venv/bin/python", *run, *arguments],
            "env": {key: "" if value is None else str(value) for key, value in env.items()},
            "app": str(ROOT),
            "user": USER_ID,
            "tmpfs": [each.split(":")[0] for each in declared["tmpfs"]],
            "hosts": "127.0.0.1 localhost\n",
            "folder": str(place),
        }
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps(spec))
        return self.keep(name, ["python", str(ROOT / "tests" / "container.py"), str(file)])

    def proxy(self) -> Process:
        """Caddy with Compose's file. Its two web processes are in a hosts file, as they are in
        Docker's name server."""
        config = self.folder / "caddy"
        config.mkdir()
        text = (ROOT / "deploy" / "Caddyfile").read_text()
        # Ports 2019 and 80, and this machine's trust store, are not for the test to take.
        spared = "admin off", "auto_https disable_redirects", "skip_install_trust"
        options = "".join(f"\t{option}\n" for option in spared)
        (config / "Caddyfile").write_text(text.replace("{\n", f"{{\n{options}", 1))
        hosts = config / "hosts"
        hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{web} web\n" for web in WEBS))
        caddy = shutil.which("caddy", path=str(Path(sys.executable).parent))
        assert caddy
        script = (
            f"mount --make-rprivate / && mount --bind {hosts} /etc/hosts"
            f" && exec {caddy} run --config {config}/Caddyfile --adapter caddyfile"
        )
        process = self.keep("proxy", ["python", "-c", BECOME, "unshare", "-m", "sh", "-c", script])
        process.env |= {
            "SITE_ADDRESS": self.origin,
            "CADDY_OPTIONS": SETTINGS["CADDY_OPTIONS"],
            "XDG_DATA_HOME": str(config / "data"),
            "XDG_CONFIG_HOME": str(config / "config"),
        }
        return process

    def keep(self, name: str, command: list[str]) -> Process:
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        log = self.folder / f"{name}.log"
        self.processes[name] = Process(name, command, env=env, log_path=log)
        return self.processes[name]

    def webs_are_healthy(self) -> bool:
        """As the health check in each container requests it; the test does so from outside."""
        return all(_answers(f"http://{address}:8000/health/serving") for address in WEBS)

    def is_reached(self) -> bool:
        try:
            return self.client().get("/health/ready").status_code == 200
        except (httpx.HTTPError, FileNotFoundError):
            return False

    def trust(self) -> ssl.SSLContext:
        data = self.folder / "caddy" / "data" / "caddy"
        return ssl.create_default_context(
            cafile=str(data / "pki" / "authorities" / "local" / "root.crt")
        )

    @property
    def origin(self) -> str:
        return f"https://{DOMAIN}:{self.port}"

    def client(self) -> httpx.Client:
        """Reaches the domain over HTTPS, and trusts only Caddy's authority."""
        transport = ToDomain(verify=self.trust())
        return httpx.Client(transport=transport, base_url=self.origin, timeout=30)

    def socket(self, cookie: str) -> Conversation:
        return Conversation(
            connect(
                f"wss://{DOMAIN}:{self.port}/ws/v1/",
                sock=socket.create_connection(("127.0.0.1", self.port), timeout=10),
                ssl=self.trust(),
                server_hostname=DOMAIN,
                additional_headers={"Cookie": f"sessionid={cookie}"},
                origin=Origin(self.origin),
                proxy=None,
            )
        )

    def logs(self) -> str:
        return "\n".join(f"--- {p.name}\n{p.log()[-1500:]}" for p in self.processes.values())


BECOME = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"


class ToDomain(httpx.HTTPTransport):
    """Resolves the domain to this machine, whatever the name server says."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        here = httpx.Request(
            request.method,
            request.url.copy_with(host="127.0.0.1"),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": DOMAIN},
        )
        return super().handle_request(here)


def image_environment() -> dict[str, str]:
    """What the Dockerfile sets; the rest of the environment is not passed on."""
    text = (ROOT / "Dockerfile").read_text()
    line = re.findall(r"^ENV (.+)$", text, re.MULTILINE)[-1]
    declared = dict(part.split("=", 1) for part in line.split())
    return {**declared, "PATH": "/app/.venv/bin:/usr/local/bin:/usr/bin:/bin", "HOME": "/data"}


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture
def compose(alone: None, servers: Servers, tmp_path: Path) -> Iterator[Compose]:
    if os.geteuid() or subprocess.run(["unshare", "-m", "true"]).returncode:
        pytest.skip("only root lays out containers")
    tmp_path.chmod(0o755)
    running = Compose(servers, tmp_path, database=connection.settings_dict["NAME"])
    try:
        running.start()
        yield running
    finally:
        running.stop()


def sign_in(client: httpx.Client, *, origin: str) -> str:
    """Through the page, like a browser; returns the session's cookie."""
    page = client.get("/sign-in/")
    assert page.status_code == 200 and page.headers["Strict-Transport-Security"]
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token
    answer = client.post(
        "/sign-in/",
        data={"csrfmiddlewaretoken": token[1], "login": "alice", "password": PASSWORD},
        headers={"Referer": f"{origin}/sign-in/", "Origin": origin},
    )
    assert answer.status_code == 302, answer.text
    cookie = answer.headers["set-cookie"]
    assert "Secure" in cookie and "HttpOnly" in cookie
    return client.cookies["sessionid"]


def test_people_sign_in_by_https_and_watch_on_when_a_web_process_stops(compose: Compose) -> None:
    hashed = make_password(PASSWORD, hasher=BoundedHasher())  # ours, not that of the tests
    alice = User.objects.create(username="alice", password=hashed)
    assessment = create_sample(owner=alice)
    with compose.client() as client:
        cookie = sign_in(client, origin=compose.origin)
        started = client.post(
            f"/api/v1/assessments/{assessment.pk}/analyze",
            headers={
                "X-CSRFToken": client.cookies["csrftoken"],
                "Referer": f"{compose.origin}/",
            },
        )
        assert started.status_code == 202, started.text
        task_id = UUID(started.json()["task_id"])
        sockets = [compose.socket(cookie) for _ in range(2)]
        for each in sockets:
            assert each.hear()["type"] == "welcome"
            each.subscribe(task_id)
            each.hear_until("caught_up")
        assert all(scraped(address, "tasks_sockets_open") == 1 for address in WEBS)

        compose.processes[f"web-{WEBS[0]}"].stop()  # one of the two goes down
        ends = [watch_to_the_end(each, task_id) for each in sockets]
        assert sorted(ends) == [False, True], "one socket lives on, the other was cut"
        cut = sockets[ends.index(False)]
        with compose.socket(cookie) as again:
            again.hear()
            again.subscribe(task_id, after_seq=max(cut.seqs(task_id), default=0))
            again.hear_until("event", event="task.succeeded", timeout_s=120)
            seen = cut.seqs(task_id) + again.seqs(task_id)
        assert seen == list(range(1, len(seen) + 1))
        page = client.get(f"/assessments/{assessment.pk}/", follow_redirects=True)
        assert page.status_code == 200
        assert client.get("/metrics").status_code == 404  # not public
    assert {worker.facts["Sandbox"] for worker in Worker.objects.all()} == {"confined"}
    assert healthy(compose) == {"worker", "worker-priority", "reconciler", "beat", "flower"}
    assert_flower_changes_nothing(compose)
    assert_flower_shows_no_password(compose)


def watch_to_the_end(watcher: Conversation, task_id: UUID) -> bool:
    """False if the connection is cut before."""
    try:
        watcher.hear_until("event", event="task.succeeded", timeout_s=120)
    except ConnectionClosed:
        return False
    return True


def scraped(address: str, name: str) -> float:
    token = {"Authorization": f"Bearer {SETTINGS['METRICS_TOKEN']}"}
    answer = httpx.get(f"http://{address}:8000/metrics", headers=token)
    found = re.search(rf"^{name} (\S+)$", answer.text, re.MULTILINE)
    assert found, answer.text
    return float(found[1])


def healthy(compose: Compose) -> set[str]:
    """The services whose health check passes inside their container; that of the web processes uses
    an address that is not theirs here, and was requested from outside."""
    env = {**image_environment(), "FLOWER_PORT": str(compose.flower_port)}
    found = set()
    for name in ("worker", "worker-priority", "reconciler", "beat", "flower"):
        check = compose.services[name]["healthcheck"]["test"]
        assert check[:2] == ["CMD", "python"]
        enter = ["nsenter", "-t", str(compose.processes[name].pid), "-m", "-r", "-w"]
        done = subprocess.run([*enter, "/app/.venv/bin/python", *check[2:]], env=env)
        if done.returncode == 0:
            found.add(name)
    return found


def assert_flower_changes_nothing(compose: Compose) -> None:
    url, login = f"http://127.0.0.1:{compose.flower_port}", ("admin", "flower-password")
    assert httpx.get(f"{url}/workers", auth=login).status_code == 200
    for path in (
        "task/revoke/x",
        "task/send-task/tests.noop",
        "worker/shutdown/worker1",
        "worker/pool/grow/worker1",
    ):
        answer = httpx.post(f"{url}/api/{path}", auth=login)
        assert (answer.status_code, "read-only" in answer.text) == (403, True), path


def assert_flower_shows_no_password(compose: Compose) -> None:
    """A worker that is asked for its settings returns the broker's URL as it is."""
    url, login = f"http://127.0.0.1:{compose.flower_port}", ("admin", "flower-password")
    told = httpx.get(f"{url}/api/workers", auth=login, params={"refresh": "1"}, timeout=30)
    assert all(worker["stats"] for worker in told.json().values()), told.text[:1000]
    password = urlsplit(compose.addresses["REDIS_URL"]).password
    assert password and password not in told.text
