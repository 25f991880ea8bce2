"""A branch is reviewed from an empty environment that contains only the package."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User

from assessments.models import Assessment
from tasks_ui.models import TaskRun
from tests.client.test_analyze import at
from tests.client.test_files import git
from tests.stack import Stack, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).parent / "uv"
GROUP = """\
resource "aws_security_group" "web" {{
  name        = "web"
  description = "web"

  ingress {{
    description = "administration"
    from_port   = {port}
    to_port     = {port}
    protocol    = "tcp"
    cidr_blocks = ["{source}"]
  }}
}}
"""
ANYWHERE, INSIDE = "0.0.0.0/0", "10.0.0.0/8"


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``infra-mind`` in its own environment, from the wheel that the project builds."""
    folder = tmp_path_factory.mktemp("wheel")
    if not UV.exists():
        pytest.skip("uv is not here: the wheel is built by it, without an index")
    built = subprocess.run(
        [UV, "build", "--offline", "--wheel", "-o", folder, ROOT / "client"],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    install = [str(UV), "pip", "install", "-q", "-p", str(python), str(wheel)]
    locked = ["-c", str(ROOT / "requirements.txt")]
    if subprocess.run([*install, *locked, "--offline"], capture_output=True).returncode:
        subprocess.run([*install, *locked], check=True, capture_output=True)
    return python.with_name("infra-mind")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """``main``, and a branch that closes one group and opens another."""
    folder = tmp_path / "shop"
    write(folder, "net", 22, ANYWHERE)
    write(folder, "store", 3389, INSIDE)
    write(folder, "same", 22, ANYWHERE)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "main")
    git(folder, "checkout", "-qb", "feature")
    write(folder, "net", 22, INSIDE)
    write(folder, "store", 3389, ANYWHERE)
    write(folder, "same", 22, ANYWHERE, above="# lines that move\n" * 9)
    git(folder, "commit", "-qam", "feature")
    return folder


def write(folder: Path, name: str, port: int, source: str, *, above: str = "") -> None:
    path = folder / "infra" / name / "main.tf"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(above + GROUP.format(port=port, source=source))


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice", password="a password of alice")


@pytest.fixture(autouse=True)
def all_ends(shared_stack: Stack) -> Iterator[None]:
    yield
    wait_until(
        lambda: not TaskRun.objects.active().exists(), timeout_s=60, what="the end of all runs"
    )


def review(
    command: Path, repository: Path, env: dict[str, str], *more: str
) -> subprocess.CompletedProcess[str]:
    options = ["--assessment", "shop", "--base", "main", "--new-only", "--fail-on", "info"]
    return subprocess.run(
        [command, "analyze", "infra", *options, "--output", "markdown=comment.md", *more],
        cwd=repository,
        env={"PATH": os.environ["PATH"], "HOME": str(repository.parent), **env},
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_a_comment_shows_what_a_branch_improves_and_what_it_worsens_and_nothing_else(
    shared_stack: Stack, alice: User, command: Path, repository: Path
) -> None:
    assert not (command.parent / "django-admin").exists()
    env = at(shared_stack, alice)
    first = review(command, repository, env, "--output", "sarif=1.sarif")
    assert first.returncode == 1, first.stderr
    comment = (repository / "comment.md").read_text()
    new, fixed = re.split(r"\*\*Fixed: \d+\*\*", comment.split("**New: ")[1])
    assert set(re.findall(r"infra/\w+/main\.tf", new)) == {"infra/store/main.tf"}
    assert set(re.findall(r"infra/\w+/main\.tf", fixed)) == {"infra/net/main.tf"}
    assert "CKV\\_AWS\\_25" in new or "CKV_AWS_25" in new

    second = review(command, repository, env, "--output", "sarif=2.sarif", "--format", "json")
    assert second.returncode == 1, second.stderr
    assert Assessment.objects.get().runs.count() == 4  # base and branch, twice
    document = json.loads(second.stdout)
    assert {each["file"] for each in document["new"]} == {"infra/store/main.tf"}
    assert {each["file"] for each in document["persisting"]} >= {"infra/same/main.tf"}
    one, two = (json.loads((repository / f"{n}.sarif").read_text())["runs"][0] for n in (1, 2))
    assert one["automationDetails"] == two["automationDetails"]
    prints = [[each["partialFingerprints"] for each in run["results"]] for run in (one, two)]
    assert prints[0] == prints[1] and prints[0]

    write(repository, "store", 3389, INSIDE)
    fine = review(command, repository, env, "--max-increase", "0")
    assert fine.returncode == 2  # nothing here has a price: a rise can't be ruled out
    assert "The change in cost is unknown" in fine.stdout
    assert "**New: " not in (repository / "comment.md").read_text()


def test_what_a_broken_file_hides_is_not_fixed(
    shared_stack: Stack, alice: User, command: Path, repository: Path
) -> None:
    (repository / "infra" / "same" / "main.tf").write_text('resource "aws_security_group" {')
    ended = review(command, repository, at(shared_stack, alice), "--format", "json")
    assert ended.returncode == 1, ended.stderr
    document = json.loads(ended.stdout)
    assert {each["file"] for each in document["fixed"]} == {"infra/net/main.tf"}
    assert {each["file"] for each in document["unchecked"]} == {"infra/same/main.tf"}
    assert [each["path"] for each in document["unread"]] == ["infra/same/main.tf"]


def test_a_change_is_compared_with_a_folder_and_with_a_run(
    shared_stack: Stack, alice: User, command: Path, repository: Path
) -> None:
    env = at(shared_stack, alice)
    before = repository.parent / "before"
    shutil.copytree(repository, before)
    git(before, "checkout", "-q", "main")
    found = review(command, repository, env, "--base", "../before/infra", "--format", "json")
    assert found.returncode == 1, found.stderr
    document = json.loads(found.stdout)
    assert {each["file"] for each in document["new"]} == {"infra/store/main.tf"}
    assert document["base"] == "../before/infra"
    again = review(command, repository, env, "--base", "2", "--format", "json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["new"] == []
