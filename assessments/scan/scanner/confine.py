"""Confine the calling process before it touches an upload. Standard library only; Linux.

Run as a program, ``python -I confine.py SPEC`` confines itself and then executes ``spec["argv"]``.
The scan server imports it and calls ``enter`` in a freshly forked child.

Levels, strongest first:

``isolated``
    Own mount, network, process and IPC namespaces. The file tree contains the system's libraries,
    the interpreter and the engines, read-only, and this one job's folder: nothing else exists. The
    network has no interface.
``confined``
    Landlock: the same files and no others can be opened. Needs no privilege.
``open``
    Neither.

At every level: the system calls in ``seccomp.py`` are refused (at ``open``, if the kernel has
seccomp), resource limits, a scrubbed environment, no new privileges and, for root, an unprivileged
user specific to the job.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import struct
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120

import landlock
import seccomp

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1,
    2,
    4,
    32,
    4096,
    16384,
    1 << 18,
)
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS = 1, 4, 8, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
CAP_DAC_OVERRIDE, CAPABILITY_VERSION_3 = 1, 0x20080522
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/alternatives")
DEVICES = ("/dev/null", "/dev/urandom", "/dev/zero")
JOB_UIDS = range(64_100, 65_100)
"""Unprivileged ids, one per running job, so that jobs can't signal or read each other."""
CANNOT_CONFINE = 97
"""Exit status of the program if the level isn't available; standard error then says why."""

_libc = ctypes.CDLL(None, use_errno=True)


def enter(spec: dict[str, Any]) -> None:
    """Confine this process according to ``spec``; on return the caller may read the upload.

    Keys: level, job (folder), read_only (paths kept visible), uid (or None), limits {memory_bytes,
    cpu_s, file_bytes, processes, open_files}, parent (process id that must still live). Raises
    OSError when the level isn't available.
    """
    _die_with_parent(int(spec["parent"]))
    level, rules = spec["level"], None
    if level == "isolated":
        _unshare()
        _be_first_process(cpu_s=spec["limits"]["cpu_s"])
        _build_tree(job=spec["job"], read_only=spec["read_only"])
    if level != "open":
        # Inside namespaces it is a second lock, if the kernel has it.
        with contextlib.suppress(*([OSError] if level == "isolated" else [])):
            rules = landlock.ruleset(_files(job=spec["job"], read_only=spec["read_only"]))
    os.chdir(os.path.join(spec["job"], "upload"))  # noqa: PTH118
    _set_limits(spec["limits"])
    if spec["uid"] is not None:
        out_of_reach = level != "isolated" and not _everybody_reaches(spec["read_only"])
        _become(spec["uid"], keep_reach=out_of_reach and level == "confined")
    _call("prctl", _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    # Changing the user id clears the death signal, so it is set again.
    _call("prctl", _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    _call("prctl", _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
    if rules is not None:
        landlock.restrict(rules)
    with contextlib.suppress(*([OSError] if level == "open" else [])):
        seccomp.guard()


def keep_to_itself() -> None:
    """Only root may read this process's memory and environment, or trace it."""
    _call("prctl", _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))


def _die_with_parent(parent: int) -> None:
    _call("prctl", _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != parent:
        os._exit(1)


def _files(*, job: str, read_only: list[str]) -> list[tuple[str, int]]:
    """What may be opened, and how: the same paths that ``_build_tree`` shows."""
    return [
        *((path, landlock.USE) for path in (*SYSTEM_FOLDERS, *read_only)),
        *((path, landlock.READ_FILE | landlock.WRITE_FILE) for path in DEVICES),
        (os.path.join(job, "upload"), landlock.READ),  # noqa: PTH118
        (os.path.join(job, "home"), landlock.ALL_OF_A_HOME),  # noqa: PTH118
    ]


def _everybody_reaches(paths: list[str]) -> bool:
    """Whether an unprivileged user may enter each folder on the way to ``paths``."""
    for path in paths:
        folder = os.path.realpath(path)
        while folder != "/":
            if os.path.isdir(folder) and not os.stat(folder).st_mode & 0o001:  # noqa: PTH112, PTH116
                return False
            folder = os.path.dirname(folder)  # noqa: PTH120
    return True


def _become(uid: int, *, keep_reach: bool) -> None:
    """Drop root. ``keep_reach`` keeps the one capability needed to pass through folders that only
    root may enter (an interpreter under /root): then Landlock, rather than the folders' modes,
    decides what may be opened."""
    _call("prctl", _libc.prctl(PR_SET_KEEPCAPS, int(keep_reach), 0, 0, 0))
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if keep_reach:
        kept = 1 << CAP_DAC_OVERRIDE
        header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
        number = SYS_CAPSET[os.uname().machine]
        _call("capset", _libc.syscall(number, header, struct.pack("6I", *[kept] * 3, 0, 0, 0)))
        raised = _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)
        _call("prctl", raised)


def _unshare() -> None:
    uid, gid = os.getuid(), os.getgid()
    flags = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWPID
    if uid != 0:
        # Files in /proc/self belong to root while the process is not dumpable.
        _call("prctl", _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
        flags |= CLONE_NEWUSER
    _call("unshare", _libc.unshare(flags))
    if uid != 0:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as stream:  # noqa: PTH123
                stream.write(text)


def _be_first_process(*, cpu_s: int) -> None:
    """Fork into the new process namespace. When its first process ends, the kernel ends all others
    in it.

    A namespace's first process gets no SIGXCPU from its limit, only SIGKILL a second later. Its
    time shows which limit it was."""
    pid = os.fork()
    if pid:
        _, status, used = os.wait4(pid, 0)
        if os.WIFEXITED(status):
            os._exit(os.WEXITSTATUS(status))
        out_of_time = used.ru_utime + used.ru_stime >= cpu_s
        os._exit(128 + (signal.SIGXCPU if out_of_time else os.WTERMSIG(status)))
    _call("prctl", _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def _build_tree(*, job: str, read_only: list[str]) -> None:
    root = os.path.join(job, "root")  # noqa: PTH118
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    _mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "size=64m,mode=755")
    for path in _outermost([*SYSTEM_FOLDERS, *read_only]):
        _show(path, root=root, read_only=True)
    for path in DEVICES:
        _show(path, root=root, read_only=False)
    for name in ("upload", "home"):
        _show(os.path.join(job, name), root=root, read_only=name == "upload")  # noqa: PTH118
    os.makedirs(root + "/tmp", exist_ok=True)  # noqa: PTH103, S108
    os.chmod(root + "/tmp", 0o1777)  # noqa: PTH101, S103, S108
    old = os.path.join(root, ".old")  # noqa: PTH118
    os.mkdir(old)  # noqa: PTH102
    _call(
        "pivot_root", _libc.syscall(SYS_PIVOT_ROOT[os.uname().machine], root.encode(), old.encode())
    )
    os.chdir("/")
    _call("umount2", _libc.umount2(b"/.old", MNT_DETACH))
    os.rmdir("/.old")  # noqa: PTH106
    _mount(None, "/", None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


def _show(path: str, *, root: str, read_only: bool) -> None:
    """Bind ``path`` at the same place under ``root``. Top-level symlinks (``/lib``) are
    recreated."""
    target = root + path
    if not os.path.lexists(path):
        return
    os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)  # noqa: PTH103, PTH120
    if os.path.islink(path):  # noqa: PTH114
        os.symlink(os.readlink(path), target)  # noqa: PTH115, PTH211
        return
    if os.path.isdir(path):  # noqa: PTH112
        os.makedirs(target, mode=0o755, exist_ok=True)  # noqa: PTH103
    else:
        with open(target, "w"):  # noqa: PTH123
            pass
    _mount(path, target, None, MS_BIND | MS_REC)
    if read_only:
        _mount(None, target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)


def _outermost(paths: list[str]) -> list[str]:
    """``paths`` without those that lie inside another one."""
    kept: list[str] = []
    for path in sorted({os.path.normpath(path) for path in paths}):
        if not any(path.startswith(other + "/") for other in kept):
            kept.append(path)
    return kept


def _set_limits(limits: dict[str, int]) -> None:
    _limit(resource.RLIMIT_AS, limits["memory_bytes"])
    _limit(resource.RLIMIT_CPU, limits["cpu_s"], hard=limits["cpu_s"] + 1)
    _limit(resource.RLIMIT_FSIZE, limits["file_bytes"])
    _limit(resource.RLIMIT_NPROC, limits["processes"])
    _limit(resource.RLIMIT_NOFILE, limits["open_files"])
    _limit(resource.RLIMIT_CORE, 0)


def _limit(which: int, value: int, *, hard: int | None = None) -> None:
    """Never above the limit there is. SIGXCPU comes at the soft one, SIGKILL at the hard one."""
    hard = value if hard is None else hard
    _, present = resource.getrlimit(which)
    if present != resource.RLIM_INFINITY:
        value, hard = min(value, present), min(hard, present)
    with contextlib.suppress(ValueError):
        resource.setrlimit(which, (value, hard))


def _mount(
    source: str | None, target: str, kind: str | None, flags: int, data: str | None = None
) -> None:
    def raw(text: str | None) -> bytes | None:
        return None if text is None else text.encode()

    _call(
        f"mount {target}",
        _libc.mount(raw(source), raw(target), raw(kind), ctypes.c_ulong(flags), raw(data)),
    )


def _call(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def main() -> None:
    spec = json.loads(sys.argv[1])
    try:
        enter(spec)
    except OSError as error:
        print(error.strerror or error, file=sys.stderr)  # noqa: T201
        sys.exit(CANNOT_CONFINE)
    os.execve(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606


if __name__ == "__main__":
    main()
