"""``manage.py analyze``, as a person and a pipeline use it: through the real web process, workers
and scanner."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command

from assessments.models import Assessment, SourceFile
from infra_mind import embedded, supervisor
from tasks_ui.models import ApiToken, TaskRun
from tests.stack import Stack, wait_until

if TYPE_CHECKING:
    from django.contrib.auth.models import User

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "main.tf").write_text(OPEN_SSH)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config.json").write_text("{}")
    (tmp_path / "readme.txt").write_text("not infrastructure")
    (tmp_path / "link.tf").symlink_to("/etc/passwd")
    return tmp_path


@pytest.fixture
def alice(db: None) -> User:
    from django.contrib.auth.models import User

    return User.objects.create_superuser("alice", password="a password of alice")


@pytest.fixture(autouse=True)
def all_ends(shared_stack: Stack) -> Iterator[None]:
    """No run outlives its test: the database is emptied under it."""
    yield
    wait_until(
        lambda: not TaskRun.objects.active().exists(), timeout_s=60, what="the end of all runs"
    )


def at(stack: Stack, user: User) -> list[str]:
    return ["--server", stack.url, "--token", ApiToken.issue(owner=user, name="test")[1]]


def status_of(*arguments: Any) -> int:
    """The command's exit status, run in this process."""
    try:
        call_command("analyze", *map(str, arguments))
    except SystemExit as end:
        return int(end.code or 0)
    except CommandError as error:
        return error.returncode
    return 0


def test_a_pipeline_fails_by_the_severity_that_it_names(
    shared_stack: Stack, folder: Path, alice: User
) -> None:
    command = [
        sys.executable,
        "manage.py",
        "analyze",
        str(folder),
        "--fail-on",
        "info",
        *at(shared_stack, alice),
    ]
    ended = subprocess.run(
        command, cwd=supervisor.BASE_DIR, capture_output=True, text=True, timeout=150
    )
    assert ended.returncode == 1, ended.stderr
    assert "net/main.tf:1" in ended.stdout
    assert "of 100" in ended.stdout
    assert "stage.finished scan" in ended.stderr  # no terminal: a line for each step
    assert "task.succeeded" in ended.stderr
    assert list(SourceFile.objects.values_list("path", flat=True)) == ["net/main.tf"]


def test_the_json_report_goes_to_standard_output_alone(
    shared_stack: Stack, folder: Path, alice: User, capfd: pytest.CaptureFixture[str]
) -> None:
    stated = folder / "requirements.json"
    stated.write_text('{"uptime_target_percent": 99.9}')
    assert (
        status_of(
            folder / "net", "--requirements", stated, "--format", "json", *at(shared_stack, alice)
        )
        == 0
    )
    assert json.loads(capfd.readouterr().out)
    assert Assessment.objects.get().requirements == {"uptime_target_percent": 99.9}


@pytest.mark.parametrize("format", ["sarif", "markdown"])
def test_a_report_for_other_programs_goes_to_standard_output_alone(
    shared_stack: Stack, folder: Path, alice: User, capfd: pytest.CaptureFixture[str], format: str
) -> None:
    assert status_of(folder / "net", "--format", format, *at(shared_stack, alice)) == 0
    out = capfd.readouterr().out
    if format == "sarif":
        (run,) = json.loads(out)["runs"]
        files = {
            r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]
        }
        assert files == {"main.tf"}
    else:
        assert out.startswith("# ")
        assert "main.tf:1" in out


def test_without_a_server_it_speaks_to_the_one_of_this_home_and_leaves_no_token(
    shared_stack: Stack, folder: Path, alice: User, capfd: pytest.CaptureFixture[str]
) -> None:
    home = shared_stack.servers.home
    assert status_of(folder) == 2  # nothing runs in this home
    with embedded.hold(home):
        embedded.write_state(home, {"url": f"{shared_stack.url}/"})
        assert status_of(folder, "--user", "nobody") == 2
        assert status_of(folder) == 0
    assert Assessment.objects.get().owner == alice
    assert not ApiToken.objects.exists()
    assert "findings" in capfd.readouterr().out


def test_what_can_not_be_assessed_ends_with_two(
    shared_stack: Stack, folder: Path, alice: User, tmp_path_factory: pytest.TempPathFactory
) -> None:
    here = at(shared_stack, alice)
    assert status_of(folder / "nothing", *here) == 2
    assert status_of(tmp_path_factory.mktemp("empty"), *here) == 2
    assert status_of(folder, "--server", shared_stack.url) == 2
    assert status_of(folder, "--server", shared_stack.url, "--token", "im_wrong") == 2
    stated = folder / "requirements.json"
    stated.write_text('{"replicas": 0}')
    assert status_of(folder, "--requirements", stated, *here) == 2
    assert not Assessment.objects.exists()
