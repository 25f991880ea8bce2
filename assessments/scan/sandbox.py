"""Runs an engine on an upload so that nothing outside the upload is read and nothing outlives the
scan.

``run_confined`` executes a program in a fresh job folder by way of ``scanner/confine.py``;
``probe`` determines, once per process, which confinement this machine allows, and why not a
stronger one. If it allows no real confinement, nothing is scanned unless the operator permits it.
The warm way (``warm.py``) shares the folder, limits and line protocol.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from assessments.scan.intake import InputFile
from assessments.scan.own_rules import RuleText
from assessments.scan.programs import overlay_programs

SCANNER = Path(__file__).parent / "scanner"
JOB_UID_FIRST, JOB_UID_COUNT = 64_100, 1_000
MAX_LINE_BYTES = 128 * 1024 * 1024
MAX_STDERR_BYTES = 16 * 1024
TERM_GRACE_S = 0.5
PROBE_AGAIN_S = 60.0

CANNOT_CONFINE = 97
"""Exit status of confine.py if the level isn't available."""
CANNOT_START = (126, 127)
"""A shell's exit status if the program is missing or can't be run."""

Level = Literal["isolated", "confined", "open"]
LEVELS: tuple[Level, ...] = ("isolated", "confined", "open")
"""Strongest first."""
REASONS = {
    int(signal.SIGKILL): "killed; the server may be short of memory",
    int(signal.SIGXCPU): "it used up its processor time",
}
"""Why a signal ended an engine."""
OnLine = Callable[[bytes], None]
Kill = Callable[[], None]
Register = Callable[[Kill], None]
"""``register(kill)``: ``kill`` may be called from any thread, at any time, to end the scan's
processes at once."""


class ScanError(Exception):
    """A scan that produced no result."""


class ScanCancelled(ScanError):
    """Someone asked the scan to stop; its processes are gone."""


class ScanTimeout(ScanError):
    """The wall limit was reached; its processes are gone."""


class ScanFailed(ScanError):
    """The engine ended without an answer. ``str()`` is a message for people, without the upload's
    content."""


class EngineKilled(ScanFailed):
    """SIGKILL ended the engine. None of our limits sends it: the system was short of memory, or
    somebody killed the process. Another try may succeed."""


class OpenSandbox(ScanError):
    """Engines can't be confined here, and the operator has not allowed running them anyway.
    Nothing was scanned; retrying won't help."""


class EngineCrashed(ScanFailed):
    """The engine itself raised on some file: retrying won't help, retrying without that file
    will.

    ``is_of_a_file`` is false if a limit was reached: half of the files may well reach it too.
    """

    def __init__(self, words: str, *, is_of_a_file: bool = True) -> None:
        super().__init__(words)
        self.is_of_a_file = is_of_a_file


@dataclass(frozen=True, kw_only=True)
class ProcessLimits:
    """Limits of one engine process. Measured need: Checkov uses 180-270 MB resident, and maps about
    four times that."""

    memory_bytes: int = 3 * 1024**3
    cpu_s: int = 240
    wall_s: float = 300.0
    file_bytes: int = 64 * 1024**2
    processes: int = 512
    open_files: int = 1024


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """Where and how engines run.

    ``scanner_python`` is the interpreter of the scanner's environment. ``work_dir`` holds job
    folders and the warm server's socket; None means the system's temporary folder. ``warm`` allows
    the fork server. ``lifeline_pid`` is the process whose end also ends a fork server that this one
    starts (a worker's parent process, say). ``level`` forces one, for tests and for odd platforms.
    ``allow_open`` is the operator's permission to scan uploads even if nothing confines engines.
    ``own_rules`` are the operator's, which Checkov runs alongside its own. ``kubernetes_version``
    (``1.33``) is what manifests are compared with; empty for the newest that the schemas know.
    """

    scanner_python: Path
    work_dir: Path | None = None
    limits: ProcessLimits = field(default_factory=ProcessLimits)
    warm: bool = True
    lifeline_pid: int = field(default_factory=os.getpid)
    level: Level | None = None
    allow_open: bool = False
    own_rules: tuple[RuleText, ...] = ()
    kubernetes_version: str = ""

    def confinement(self) -> Level:
        """The level that engines run at. Raises OpenSandbox if that is ``open`` and not
        allowed."""
        level = self.level or probe(self.scanner_python).level
        if level == "open" and not self.allow_open:
            raise OpenSandbox(refusal(probe(self.scanner_python)))
        return level


@dataclass(frozen=True)
class Job:
    """A job's folder: ``upload`` (read-only copy of the shard's files), ``home`` (scratch),
    ``root`` (mount point)."""

    folder: Path
    uid: int | None

    def spec(self, *, sandbox: Sandbox, parent: int) -> dict[str, Any]:
        limits = sandbox.limits
        return {
            "level": sandbox.confinement(),
            "job": str(self.folder),
            "read_only": visible_paths(sandbox.scanner_python),
            "uid": self.uid,
            "parent": parent,
            "limits": {
                "memory_bytes": limits.memory_bytes,
                "cpu_s": limits.cpu_s,
                "file_bytes": limits.file_bytes,
                # Counted for the whole user unless we are root, so the limit can't be as low there.
                "processes": limits.processes if self.uid is not None else 8192,
                "open_files": limits.open_files,
            },
        }

    def env(self) -> dict[str, str]:
        return clean_environment(home=self.folder / "home")


@lru_cache(maxsize=1)
def can_change_users() -> bool:
    """Root with full capabilities, not one whose container dropped them."""
    with Path("/proc/self/status").open() as lines:
        held = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)
    needed = 1 << 0 | 1 << 6 | 1 << 7  # CHOWN, SETGID, SETUID
    return os.geteuid() == 0 and held & needed == needed


@contextlib.contextmanager
def job_folder(files: Sequence[InputFile], *, sandbox: Sandbox) -> Iterator[Job]:
    """A folder that contains only the files, owned by the job's user, removed afterwards."""
    if sandbox.work_dir is not None:
        sandbox.work_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="im-scan-", dir=sandbox.work_dir)).resolve()
    try:
        uid = (
            JOB_UID_FIRST + int.from_bytes(os.urandom(2)) % JOB_UID_COUNT
            if can_change_users()
            else None
        )
        for name in ("upload", "home", "root"):
            (folder / name).mkdir(mode=0o700)
        for file in files:
            _write(folder / "upload", file)
        if uid is not None:
            _give(folder, uid)
        yield Job(folder=folder, uid=uid)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_confined(
    argv: Sequence[str],
    *,
    job: Job,
    sandbox: Sandbox,
    on_line: OnLine,
    should_stop: Callable[[], bool],
    register: Register | None = None,
) -> int:
    """Run ``argv`` confined in ``job`` and pass each line of its standard output to ``on_line``.

    Returns the exit status. Raises ScanCancelled, ScanTimeout, ScanFailed; however it ends, none of
    its processes remain. ``should_stop`` is called five times a second. The calling thread must
    live as long as the call (it does), because the kernel ends the engine when the thread that
    started it ends.
    """
    status, errors = _run(
        argv,
        job=job,
        sandbox=sandbox,
        on_line=on_line,
        should_stop=should_stop,
        register=register,
    )
    if status != 0 and should_stop():
        raise ScanCancelled("The scan was cancelled.")
    if status == CANNOT_CONFINE:
        raise ScanFailed("The engine could not be confined, so it was not started.")
    if status in CANNOT_START:
        raise ScanFailed(f"The engine could not be started. {_last_line(errors)}".strip())
    if signal_of(status):
        raise ended_by_signal(status, _last_line(errors))
    return status


def signal_of(status: int) -> int:
    """The signal that ended a process with this exit status, or 0: a shell's form (128 + signal)
    counts, as that is what confine.py exits with."""
    return -status if status < 0 else max(0, status - 128)


def ended_by_signal(status: int, error: str) -> ScanFailed:
    """EngineKilled for SIGKILL, else ScanFailed. ``error`` is what the engine said last."""
    number = signal_of(status)
    reason = REASONS.get(number, f"signal {number}")
    failure = EngineKilled if number == signal.SIGKILL else ScanFailed
    return failure(f"The system ended the engine ({reason}). {error}".strip())


def _run(
    argv: Sequence[str],
    *,
    job: Job,
    sandbox: Sandbox,
    on_line: OnLine,
    should_stop: Callable[[], bool],
    register: Register | None = None,
) -> tuple[int, bytes]:
    """Exit status and the end of standard error; see ``run_confined``."""
    spec = {**job.spec(sandbox=sandbox, parent=os.getpid()), "argv": list(argv), "env": job.env()}
    process = subprocess.Popen(  # noqa: S603
        [str(sandbox.scanner_python), "-I", str(SCANNER / "confine.py"), json.dumps(spec)],
        cwd=job.folder,
        env=job.env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    if register is not None:
        register(lambda: end_group(process.pid, alive=lambda: process.returncode is None))
    try:
        assert process.stdout is not None and process.stderr is not None  # noqa: S101
        errors = read_lines(
            process.stdout.fileno(),
            on_line=on_line,
            should_stop=should_stop,
            wall_s=sandbox.limits.wall_s,
            errors_fd=process.stderr.fileno(),
        )
        status = process.wait(timeout=10)
    except subprocess.TimeoutExpired as error:
        raise ScanTimeout("The engine closed its output but kept running.") from error
    finally:
        _sweep(process)
    return status, errors


def read_lines(
    fd: int,
    *,
    on_line: OnLine,
    should_stop: Callable[[], bool],
    wall_s: float,
    errors_fd: int | None = None,
) -> bytes:
    """Feed lines from ``fd`` to ``on_line`` until it closes; returns the last bytes of
    ``errors_fd``.

    Raises ScanCancelled, ScanTimeout, and ScanFailed for a line longer than MAX_LINE_BYTES.
    """
    deadline = time.monotonic() + wall_s
    pending = bytearray()
    errors = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        if errors_fd is not None:
            selector.register(errors_fd, selectors.EVENT_READ)
        while selector.get_map():
            if should_stop():
                raise ScanCancelled("The scan was cancelled.")
            if time.monotonic() > deadline:
                raise ScanTimeout(f"The scan took longer than {wall_s:.0f} s.")
            for key, _ in selector.select(timeout=0.2):
                data = os.read(key.fd, 1 << 18)
                if not data:
                    selector.unregister(key.fd)
                elif key.fd == errors_fd:
                    errors = (errors + data)[-MAX_STDERR_BYTES:]
                else:
                    pending = _feed(pending, data, on_line)
    if pending:
        on_line(bytes(pending))
    return bytes(errors)


def end_group(pid: int, *, alive: Callable[[], bool]) -> None:
    """SIGTERM to the process group, and SIGKILL after the grace if its leader is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if not alive():
            return
        os.killpg(pid, signal.SIGTERM)
        deadline = time.monotonic() + TERM_GRACE_S
        while alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        if alive():
            os.killpg(pid, signal.SIGKILL)


def clean_environment(*, home: Path) -> dict[str, str]:
    """The engine's complete environment: no database, no broker, no key, nothing of ours."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }


@lru_cache(maxsize=8)
def visible_paths(scanner_python: Path) -> list[str]:
    """What an engine may see besides its job: both environments, their interpreters, the scanner's
    own code, and the program that builds overlays."""
    paths = {str(SCANNER), sys.prefix, sys.base_prefix}
    environment = scanner_python.absolute().parent.parent
    paths.add(str(environment))
    paths.add(str(scanner_python.resolve().parent.parent))
    paths.update(file for _, file in overlay_programs())
    return sorted(path for path in paths if path not in {"/", "/usr"})


@dataclass(frozen=True)
class Probe:
    """``level`` works on this machine; ``failures`` gives the reason why each stronger one does
    not."""

    level: Level
    failures: dict[Level, str]

    def __str__(self) -> str:
        reasons = "; ".join(f"not {level}: {reason}" for level, reason in self.failures.items())
        return f"{self.level} ({reasons})" if reasons else self.level


def probe(scanner_python: Path) -> Probe:
    """The strongest level that works here, determined once per process. ``open`` is rechecked after
    a minute: the failure may have been a lack of memory."""
    at, found = _probed.get(scanner_python, (0.0, None))
    if found is None or (found.level == "open" and time.monotonic() - at > PROBE_AGAIN_S):
        found = _strongest(scanner_python)
        _probed[scanner_python] = (time.monotonic(), found)
    return found


_probed: dict[Path, tuple[float, Probe]] = {}


def _strongest(scanner_python: Path) -> Probe:
    """Try the levels, strongest first: an engine must start, and must be unable to open a file
    outside its job or a socket."""
    failures: dict[Level, str] = {}
    for level in LEVELS[:-1]:
        if reason := failure(Sandbox(scanner_python=scanner_python, level=level)):
            failures[level] = reason
        else:
            return Probe(level=level, failures=failures)
    return Probe(level="open", failures=failures)


def refusal(found: Probe) -> str:
    """Why nothing is scanned at ``open``, and what the operator can do."""
    reasons = "; ".join(f"{level}: {reason}" for level, reason in found.failures.items())
    return (
        "Nothing was scanned: this server can't sandbox the engines, so an uploaded file could make"
        f" one read the server's own files and passwords ({reasons}). Let the workers use Landlock"
        " and seccomp (Linux 5.13 or later) or user namespaces. Only where every user is trusted:"
        " set ALLOW_OPEN_SANDBOX=1."
    )


LOOK_OUTSIDE = """
import socket, sys
def refused(act):
    try:
        act()
    except OSError:
        return True
sys.exit(not (refused(lambda: open(sys.argv[1])) and refused(socket.socket)))
"""


def failure(sandbox: Sandbox) -> str:
    """Why this level does not work, in a few words; empty if it does."""
    argv = [str(sandbox.scanner_python), "-I", "-c", LOOK_OUTSIDE]
    try:
        with tempfile.NamedTemporaryFile(prefix="im-probe-") as outside:
            Path(outside.name).chmod(0o644)
            with job_folder([], sandbox=sandbox) as job:
                status, errors = _run(
                    [*argv, outside.name],
                    job=job,
                    sandbox=sandbox,
                    on_line=lambda line: None,
                    should_stop=lambda: False,
                )
    except (ScanError, OSError) as error:
        return str(error)
    if status == 0:
        return ""
    last = (errors.decode(errors="replace").strip().splitlines() or [f"status {status}"])[-1]
    return last[:200] if status == CANNOT_CONFINE else f"it does not hold ({last[:200]})"


def _feed(pending: bytearray, data: bytes, on_line: OnLine) -> bytearray:
    *lines, rest = data.split(b"\n")
    for line in lines:
        on_line(bytes(pending) + line)
        pending = bytearray()
    pending += rest
    if len(pending) > MAX_LINE_BYTES:
        raise ScanFailed("The engine's answer is too large to keep. Upload fewer files.")
    return pending


def _write(upload: Path, file: InputFile) -> None:
    target = upload / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(file.content)


def _give(folder: Path, uid: int) -> None:
    os.chown(folder, 0, uid)
    folder.chmod(0o750)
    for path in folder.rglob("*"):
        os.chown(path, uid, uid, follow_symlinks=False)


def _sweep(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the group, reap the leader, close the pipes."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _last_line(errors: bytes) -> str:
    """Only the class of the last error: its text could quote the upload."""
    lines = errors.decode(errors="replace").strip().splitlines()
    return lines[-1].split(":", 1)[0][:80] if lines else ""
