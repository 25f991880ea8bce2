"""Uploads and programs that try to read what is not theirs, as three kinds of user: no canary from
outside the upload comes back, and the scan of a harmless upload is the same for each."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.assessments import attackers

SETTINGS = ("root", "user", "bare")
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("attacks")]
_told: dict[str, dict[str, Any]] = {}


@pytest.fixture(params=SETTINGS)
def told(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The output of ``attackers.scan`` in that setting; each is run once."""
    return _tell(request.param)


def _tell(setting: str) -> dict[str, Any]:
    if setting not in _told:
        if setting == "root" and os.geteuid() != 0:
            pytest.skip("these tests do not run as root")
        folder = Path(tempfile.mkdtemp(prefix="im-attack-"))
        try:
            _told[setting] = _run(setting, folder)
        finally:
            shutil.rmtree(folder)
    return _told[setting]


def _run(setting: str, folder: Path) -> dict[str, Any]:
    folder.chmod(0o755)
    attackers.prepare(folder)
    (folder / "work").mkdir()
    if setting != "root" and os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
    done = subprocess.run(
        [sys.executable, str(Path(attackers.__file__)), setting, str(folder)],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout)
    assert isinstance(said, dict)
    return said


def test_no_engine_brings_back_what_lies_outside_of_its_upload(told: dict[str, Any]) -> None:
    assert "aws_eip" in told["product"]  # the hostile files were looked at
    assert attackers.leaks(told["product"]) == []


def test_a_program_in_the_sandbox_reads_nothing_of_the_user_or_its_processes(
    told: dict[str, Any],
) -> None:
    assert "Error" in told["by_hand"]
    assert attackers.leaks(told["by_hand"]) == []


def test_the_same_program_reads_all_of_it_where_nothing_shuts_it_in() -> None:
    """The attack is real: it is the sandbox that stops it."""
    assert set(attackers.leaks(_tell("bare")["open"])) == {"key", "password", "sibling", "passwd"}


def test_a_scan_leaves_no_file_behind(told: dict[str, Any]) -> None:
    assert told["left"] == []


def test_a_user_without_namespaces_gets_landlock_and_the_reason_is_said() -> None:
    told = _tell("bare")
    assert told["level"] == "confined"
    assert "unshare" in told["failures"]["isolated"]
    assert told["uid"] != 0


def test_a_mixed_upload_scans_alike_in_each_setting_and_at_the_open_level(
    told: dict[str, Any],
) -> None:
    """Under root the engines of the open level run as an unprivileged user that can't reach the
    interpreter: that combination is left out."""
    assert told["sample"] == _tell("bare")["sample"]
    assert told["open_sample"] in {"", told["sample"]}
    assert _tell("bare")["open_sample"]
