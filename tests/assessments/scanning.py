"""Runs real scans in tests: the real engines, in the real sandbox."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import psutil

from assessments.scan.engines import run_shard
from assessments.scan.intake import InputFile, read_upload
from assessments.scan.merge import ScanResult, merge
from assessments.scan.sandbox import LEVELS, Level, Sandbox, failure
from assessments.scan.shards import Shard, make_shards
from assessments.scan.types import FileCoverage, ShardOutput
from assessments.scan.warm import socket_path

ROOT = Path(__file__).parents[2]
SCANNER_PYTHON = ROOT / ".venv-scanner" / "bin" / "python"
SAMPLE = ROOT / "assessments" / "samples" / "webshop"
WORK = Path(tempfile.mkdtemp(prefix="im-test-"))
WORK.chmod(0o755)
atexit.register(shutil.rmtree, WORK, ignore_errors=True)
# A separate work folder gives these tests a warm server of their own, too.
WARM = Sandbox(scanner_python=SCANNER_PYTHON, work_dir=WORK)
PLAIN = Sandbox(scanner_python=SCANNER_PYTHON, work_dir=WORK, warm=False)


@lru_cache(maxsize=1)
def probe_all() -> dict[Level, str]:
    """Why each level that isn't available here isn't."""
    sandboxes = (replace(PLAIN, level=level) for level in LEVELS[:-1])
    return {s.level: reason for s in sandboxes if s.level and (reason := failure(s))}


def files_of(**contents: str | bytes) -> list[InputFile]:
    """``files_of(**{"a.tf": "..."})``"""
    return read_upload(
        (path, c.encode() if isinstance(c, str) else c) for path, c in contents.items()
    )


def folder_files(folder: Path) -> list[InputFile]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return read_upload((str(path.relative_to(folder)), path.read_bytes()) for path in paths)


def run_quietly(shard: Shard, files: list[InputFile], *, sandbox: Sandbox = WARM) -> ShardOutput:
    return run_shard(shard, files, sandbox=sandbox, on_progress=lambda done, total, message: None)


def scan_outputs(
    files: list[InputFile], *, sandbox: Sandbox = WARM, engines: Iterable[str] = ()
) -> list[ShardOutput]:
    wanted = set(engines)
    return [
        run_quietly(shard, files, sandbox=sandbox)
        for shard in make_shards(files)
        if not wanted or shard.engine in wanted
    ]


def scan(
    files: list[InputFile], *, sandbox: Sandbox = WARM, engines: Iterable[str] = ()
) -> ScanResult:
    outputs = scan_outputs(files, sandbox=sandbox, engines=engines)
    return merge(outputs, files=files)


def coverage_of(result: ScanResult, path: str) -> FileCoverage:
    (entry,) = [entry for entry in result.coverage if entry.path == path]
    return entry


def engine_processes(marker: str = str(WORK)) -> list[psutil.Process]:
    """These tests' running engines: those with ``marker`` on their command line, and the warm
    server's children."""
    found = []
    server = str(socket_path(WARM))
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            line = " ".join(process.cmdline())
            if server in line:
                parent = process.parent()
                if parent is None or server not in " ".join(parent.cmdline()):
                    found += process.children(recursive=True)
            elif marker in line:
                found.append(process)
    return [process for process in found if _runs(process)]


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
