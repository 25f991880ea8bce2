"""What ``make`` reports if no suitable Python is found."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings


def find_python(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """With a PATH and a HOME that contain no Python."""
    script = settings.BASE_DIR / "scripts" / "find-python"
    cat = shutil.which("cat")
    assert cat
    (folder / "cat").symlink_to(cat)
    env = {"PATH": str(folder), "HOME": str(folder), **env}
    return subprocess.run(["/bin/sh", script], env=env, capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(
    bool(list(Path("/opt").glob("homebrew/bin/python3.1[234]"))),
    reason="Homebrew's is found anywhere",
)
def test_a_machine_without_a_python_is_told_how_to_get_one(tmp_path: Path) -> None:
    done = find_python(tmp_path)
    assert done.returncode == 1
    assert not done.stdout
    assert "needs Python 3.12, 3.13 or 3.14" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr
    assert "make run PYTHON=/path/to/python3" in done.stderr


def test_a_python_that_was_named_and_does_not_serve_is_named_in_the_answer(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = find_python(tmp_path, PYTHON=str(old))
    assert done.returncode == 1
    assert done.stderr.startswith(f"PYTHON={old} is no Python 3.12")


def test_a_python_that_serves_is_found_by_its_name(tmp_path: Path) -> None:
    done = find_python(tmp_path, PYTHON=sys.executable)
    assert done.stdout.strip() == sys.executable, done.stderr
