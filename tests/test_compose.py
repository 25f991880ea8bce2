"""docker-compose.yml starts what ``make run`` starts, and contains no secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from infra_mind import supervisor
from infra_mind.settings import env

ROOT = Path(__file__).parents[1]
SERVICES = {  # Compose service: the supervisor's name for the same process
    "web": "web",
    "worker": "worker1",
    "worker-priority": "priority",
    "reconciler": "reconciler",
    "beat": "beat",
}
DECIDED_HERE = {
    *("PORT", "HOST", "INFRA_MIND_HOME", "SCANNER_PYTHON", "STATIC_ROOT", "SECRETS_DIR"),  # image
    *("WORKERS", "CONCURRENCY", "SOFT_SHUTDOWN_S"),  # commands, replicas and stop_grace_period
    *("DEBUG", "EXTRA_APPS"),  # no server has the first, and this image none of the second
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return dict(loaded["services"])


def test_compose_passes_on_the_settings_of_the_readme(services: dict[str, Any]) -> None:
    rows = re.findall(r"^\| (`[A-Z].+?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    assert len(named) > 50
    for service in (*SERVICES, "migrate"):
        assert named - DECIDED_HERE - services[service]["environment"].keys() == set(), service


@pytest.mark.parametrize(("service", "process"), SERVICES.items())
def test_compose_runs_the_commands_of_make_run(
    services: dict[str, Any], service: str, process: str
) -> None:
    options = supervisor.Options(
        home=Path("/data"),
        host="0.0.0.0",  # noqa: S104  (inside a container)
        port=8000,
        workers=1,
        concurrency=2,
    )
    assert services[service]["command"] == supervisor.process_commands(options)[process]


def test_compose_leaves_out_none_of_the_processes_of_make_run() -> None:
    assert set(SERVICES.values()) == set(
        supervisor.process_commands(supervisor.Options(home=ROOT, workers=1))
    )


def test_the_image_starts_as_web_when_nothing_else_is_said(services: dict[str, Any]) -> None:
    command = re.search(r"^CMD (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert command
    assert yaml.safe_load(command[1]) == services["web"]["command"]


def test_three_workers_have_two_processors_and_two_gigabytes_each(services: dict[str, Any]) -> None:
    assert services["worker"]["deploy"] == {
        "replicas": 3,
        "resources": {"limits": {"cpus": "${WORKER_CPUS:-2}", "memory": "2G"}},
    }


def test_no_service_fills_the_disk_or_the_memory_or_fails_unseen(services: dict[str, Any]) -> None:
    for name, service in services.items():
        size = service["logging"]["options"]
        assert (size["max-size"], size["max-file"]) == ("10m", "5"), name
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert "healthcheck" in service or name == "migrate", name


def test_every_secret_must_come_from_the_environment() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for name in (
        "SECRET_KEY",
        "POSTGRES_PASSWORD",
        "POSTGRES_ADMIN_PASSWORD",
        "VALKEY_PASSWORD",
        "FLOWER_BASIC_AUTH",
    ):
        uses = re.findall(r"\$\{" + name + r"(?!\w)[^}]*\}", text)
        assert uses, name
        assert all(f"{name}:?" in use for use in uses), f"{name} has a default"


def test_secrets_can_be_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "SOME_KEY").write_text("from-the-file\n")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    assert (env("SOME_KEY"), env("NO_KEY", "none")) == ("from-the-file", "none")
    monkeypatch.setenv("SOME_KEY", "from-the-environment")
    assert env("SOME_KEY") == "from-the-environment"


def test_containers_stop_later_than_a_worker_drains(services: dict[str, Any]) -> None:
    grace = int(services["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace > settings.CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT
    assert supervisor.STOP_GRACE_S > supervisor.SOFT_SHUTDOWN_S


def test_the_application_runs_without_privileges(services: dict[str, Any]) -> None:
    assert re.search(r"^USER (?!root|0$)\S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for name in (*SERVICES, "flower", "migrate"):
        assert services[name]["cap_drop"] == ["ALL"], name
        assert services[name]["read_only"] is True, name


def test_the_queue_of_compose_survives_a_crash(services: dict[str, Any]) -> None:
    command = " ".join(services["valkey"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_the_applications_role_in_composes_database_is_no_superuser(
    services: dict[str, Any],
) -> None:
    """``POSTGRES_USER`` would be a superuser, whatever its name."""
    environment = services["postgres"]["environment"]
    assert "POSTGRES_USER" not in environment
    assert "POSTGRES_ADMIN_PASSWORD" in environment["POSTGRES_PASSWORD"]
    script = (ROOT / "deploy" / "postgres-role.sh").read_text()
    assert "CREATE ROLE infra_mind WITH LOGIN NOSUPERUSER" in script
    assert "CREATE DATABASE infra_mind OWNER infra_mind" in script
