"""A short storm in each test run; ``make chaos`` runs the long ones, and proves the oracle."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from django.db import connection

from tests.chaos.storm import Storm, Tally, table
from tests.servers import Servers
from tests.stack import Stack, new_stack

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(1200)]


@pytest.fixture
def storm_stack(alone: None, servers: Servers, tmp_path: Path) -> Iterator[Stack]:
    """Three workers, not started: the storm sets their environment first."""
    stack = new_stack(servers, tmp_path / "stack", workers=3)
    try:
        yield stack
    finally:
        stack.stop()
        connection.close()


def weather(
    stack: Stack,
    folder: Path,
    *,
    seed: int,
    runs: int,
    assessments: int,
    faults: int,
    sabotage: str = "",
) -> Tally:
    """One storm over a stack that is started for it."""
    with short_folder() as temporary:
        more = {
            **Storm.environment(folder, temporary=temporary, sabotage=sabotage),
            "SOFT_SHUTDOWN_S": "2",
        }
        for process in stack.processes.values():
            process.env = {**process.env, **more}
        stack.start()
        name = f"without {sabotage}" if sabotage else f"seed {seed}"
        storm = Storm(
            stack, seed=seed, runs=runs, assessments=assessments, folder=folder, name=name
        )
        tally = storm.blow(faults=faults, quiet_s=30 if sabotage else 90)
        stack.stop()
    return tally


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a short path. A scan server that was left frozen in it, without a parent, is
    killed."""
    folder = Path(tempfile.mkdtemp(prefix="im-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for process in psutil.process_iter(["cmdline"]):
            if any(str(folder) in argument for argument in process.info["cmdline"] or []):
                with contextlib.suppress(psutil.Error):
                    process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_short_storm_loses_sticks_and_doubles_nothing(storm_stack: Stack, tmp_path: Path) -> None:
    tally = weather(storm_stack, tmp_path, seed=1, runs=60, assessments=2, faults=8)
    print("\n" + table([tally]))
    assert tally.holds, table([tally])
    assert tally.refused
