"""Ending whole trees of processes, orphans included."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def become_subreaper() -> None:
    """Adopt descendants that lose their parent (an engine whose worker was killed), so that they
    can be ended too."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_adopted(own: set[int]) -> None:
    """Collect the exit status of adopted processes, which would stay as zombies otherwise."""
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.Error, ChildProcessError):
            if process.pid not in own and process.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(process.pid, os.WNOHANG)


def kill_descendants(*, except_for: set[int]) -> None:
    """SIGKILL everything that this process started or adopted, ``except_for`` and its children
    excluded, until nothing else is left."""
    for _ in range(100):
        alive = [p for p in psutil.Process().children() if p.pid not in except_for]
        if not alive:
            return
        for process in alive:
            _kill_tree(process)
        time.sleep(0.02)


def remember(pids: Iterable[int], *, file: Path) -> None:
    """Write down which processes were started, for the start after a SIGKILL of this one."""
    known = {}
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            known[str(pid)] = psutil.Process(pid).create_time()
    file.write_text(json.dumps(known))


def end_leftovers(file: Path) -> None:
    """SIGKILL the remembered processes. A process with the same id but another creation time is
    somebody else's."""
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError):
        return
    for pid, created in known.items():
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(int(pid))
            if abs(process.create_time() - created) < 1:
                _kill_tree(process)


def _kill_tree(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.Error):
        family = [process, *process.children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.Error):
                member.kill()
        psutil.wait_procs(family, timeout=5)
