"""``infra-mind``, as a person and a pipeline use it: through the real web process, workers and
scanner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from django.contrib.auth.models import User

from assessments.models import Assessment, VersionFile
from infra_mind import embedded, supervisor
from infra_mind_client.cli import cli
from infra_mind_client.files import MARKER
from tasks_ui.models import ApiToken, TaskRun
from tests.stack import Stack, wait_until

COMMAND = Path(sys.executable).parent / "infra-mind"
OPEN_SSH = """\
resource "aws_security_group" "web" {
  name = "web"

  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
"""


BROKEN = """\
resource "aws_s3_bucket" "logs" {
  bucket = "logs"

module "network" {
  source = "../network"
}
"""
CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    "chart/templates/web.yaml": '{{ required "an image is needed" .Values.image }}\n',
}
MODULE = 'module "network" {\n  source = "git::https://example.org/network.git"\n}\n'


def put(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path, {"net/main.tf": OPEN_SSH, "readme.txt": "not infrastructure"})
    return tmp_path


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_superuser("alice", password="a password of alice")


@pytest.fixture(autouse=True)
def all_ends(
    shared_stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """No run outlives its test: the database is emptied under it. No existing login is used."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield
    wait_until(
        lambda: not TaskRun.objects.active().exists(), timeout_s=60, what="the end of all runs"
    )


def at(stack: Stack, user: User) -> dict[str, str]:
    key = ApiToken.issue(owner=user, name="test")[1]
    return {"INFRA_MIND_URL": stack.url, "INFRA_MIND_TOKEN": key}


def run(*arguments: Any, **options: Any) -> Result:
    """The command in this process."""
    return CliRunner().invoke(cli, [*map(str, arguments)], **options)


def test_a_pipeline_fails_by_the_severity_that_it_names(
    shared_stack: Stack, folder: Path, alice: User
) -> None:
    (folder / ".infra-mind.toml").write_text('fail-on = "info"\n')
    (folder / "requirements.json").write_text('{"uptime_target_percent": 99.9}')
    files = {"sarif": "out.sarif", "json": "out.json", "markdown": "out.md"}
    outputs = [f"--output={format}={folder / name}" for format, name in files.items()]
    ended = subprocess.run(
        [
            COMMAND,
            "analyze",
            folder / "net",
            "--requirements",
            folder / "requirements.json",
            *outputs,
        ],
        cwd=folder,
        env={**os.environ, **at(shared_stack, alice), "FORCE_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert ended.returncode == 0, ended.stderr  # the file above net/ is in no repository: not read
    assert "main.tf:" in ended.stdout and "CKV_AWS_24" in ended.stdout and "of 100" in ended.stdout
    assert "Scan: done\n" in ended.stderr  # no terminal: a line for each step
    assert "\x1b" not in ended.stdout
    assert list(VersionFile.objects.values_list("path", flat=True)) == [MARKER, "main.tf"]
    assert Assessment.objects.get().requirements == {"uptime_target_percent": 99.9}
    (found,) = json.loads((folder / "out.sarif").read_text())["runs"]
    uris = {
        each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for each in found["results"]
    }
    assert uris == {"main.tf"}
    document = json.loads((folder / "out.json").read_text())
    assert document["exit_status"] == 0 and document["base"] == ""
    assert "main.tf:8" in (folder / "out.md").read_text()


def test_options_of_the_file_count_and_the_baseline_accepts(
    shared_stack: Stack, folder: Path, alice: User
) -> None:
    (folder / ".infra-mind.toml").write_text('fail-on = "info"\n')
    env = at(shared_stack, alice)
    failed = run("analyze", folder, "--write-baseline", folder / "accepted", env=env)
    assert failed.exit_code == 1, failed.output
    assert "Failed: " in failed.stdout
    (folder / ".infra-mind.toml").write_text('fail-on = "info"\nbaseline = "accepted"\n')
    accepted = run("analyze", folder, "--format", "json", env=env)
    assert accepted.exit_code == 0, accepted.output
    document = json.loads(accepted.stdout)
    assert document["new"] == [] and len(document["accepted"]) > 3
    assert {each["accepted"] for each in document["accepted"]} == {"in the baseline"}


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"a/main.tf": BROKEN, "b/main.tf": OPEN_SSH}, "a/main.tf:"),
        ({**CHART, "b/main.tf": OPEN_SSH}, "chart/Chart.yaml: "),
        ({"a/main.tf": MODULE, "b/main.tf": OPEN_SSH}, "a/main.tf:2: "),
        ({"a/main.tf": BROKEN}, "a/main.tf:"),
    ],
    ids=[
        "invalid HCL",
        "a chart that needs a value",
        "a module that is not there",
        "nothing readable",
    ],
)
def test_what_was_not_read_ends_with_two_and_is_named(
    shared_stack: Stack, tmp_path: Path, alice: User, files: dict[str, str], named: str
) -> None:
    put(tmp_path / "infra", files)
    ended = run("analyze", tmp_path / "infra", "--format", "json", env=at(shared_stack, alice))
    assert ended.exit_code == 2, ended.output
    assert named in ended.stderr


def test_local_speaks_to_the_one_of_this_home_and_leaves_no_token(
    shared_stack: Stack, folder: Path, alice: User
) -> None:
    home = shared_stack.servers.home
    env = {"INFRA_MIND_APP": str(supervisor.BASE_DIR)}
    for name in ("DATABASE_URL", "INFRA_MIND_HOME"):
        env[name] = shared_stack.env[name]
    with embedded.hold(home):
        embedded.write_state(home, {"url": f"{shared_stack.url}/"})
        refused = run("analyze", folder, "--local", "--user", "nobody", env=env)
        assert refused.exit_code == 2 and "no active user 'nobody'" in refused.stderr
        ended = run("analyze", folder, "--local", env=env)
        assert ended.exit_code == 0, ended.output
    assert Assessment.objects.get().owner == alice
    assert not ApiToken.objects.exists()


def test_what_can_not_be_assessed_ends_with_two(
    shared_stack: Stack, folder: Path, alice: User, tmp_path_factory: pytest.TempPathFactory
) -> None:
    env = at(shared_stack, alice)
    assert run("analyze", folder / "nothing", env=env).exit_code == 2
    assert run("analyze", tmp_path_factory.mktemp("empty"), env=env).exit_code == 2
    assert run("analyze", folder, "--server", shared_stack.url).exit_code == 2
    assert run("analyze", folder, "--token", "im_wrong", env=env).exit_code == 2
    assert run("analyze", folder, "--new-only", env=env).exit_code == 2
    assert run("analyze", folder, "--base", "no-such-ref", env=env).exit_code == 2
    (folder / "requirements.json").write_text('{"replicas": 0}')
    refused = run("analyze", folder, "--requirements", folder / "requirements.json", env=env)
    assert refused.exit_code == 2 and "replicas" in refused.stderr
    assert not Assessment.objects.exists()


def test_a_token_goes_to_no_server_that_a_file_of_the_repository_names(
    shared_stack: Stack, folder: Path, alice: User
) -> None:
    token = at(shared_stack, alice)["INFRA_MIND_TOKEN"]
    (folder / ".infra-mind.toml").write_text(f'server = "{shared_stack.url}"\n')
    refused = run("analyze", folder, env={"INFRA_MIND_TOKEN": token})
    assert refused.exit_code == 2 and "is not given a token" in refused.stderr
    assert run("login", shared_stack.url, input=f"{token}\n").exit_code == 0
    assert run("analyze", folder).exit_code == 0


def test_watch_follows_a_task_to_its_end(shared_stack: Stack, folder: Path, alice: User) -> None:
    env = at(shared_stack, alice)
    assert run("analyze", folder, env=env).exit_code == 0
    task = TaskRun.objects.roots().order_by("created_at").first()
    assert task is not None
    watched = run("watch", task.pk, env=env)
    assert watched.exit_code == 0 and watched.stdout.startswith("SUCCESS")


def test_shells_complete_commands_and_options() -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_INFRA_MIND_COMPLETE" in run("completion", shell).stdout
    asked = {
        "_INFRA_MIND_COMPLETE": "bash_complete",
        "COMP_WORDS": "infra-mind analyze --fail-on ",
        "COMP_CWORD": "3",
    }
    done = subprocess.run(
        [COMMAND],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
    )
    assert "plain,critical" in done.stdout
