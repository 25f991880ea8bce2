"""``python container.py FILE``: become a command as Docker would start it for Compose.

FILE is JSON: ``command``, ``env``, ``app`` (this clone, which is /app inside), ``user`` (an id),
``tmpfs`` (writable folders), ``hosts`` (the text of /etc/hosts) and ``folder`` (a place for the
layers). The root file system and /app are read-only; there are no capabilities, no new privileges,
and no namespaces, as under Docker's default seccomp profile. Needs root.
"""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG, SIGKILL, PR_SET_NO_NEW_PRIVS = 1, 9, 38  # linux/prctl.h


def main(spec: dict[str, Any]) -> None:
    sys.path.insert(0, f"{spec['app']}/assessments/scan/scanner")
    import seccomp  # type: ignore[import-not-found]  # noqa: PLC0415  (from the path above)

    root = file_system(spec)
    os.chroot(root)
    os.chdir("/app")
    os.setgroups([])
    os.setresgid(spec["user"], spec["user"], spec["user"])
    os.setresuid(spec["user"], spec["user"], spec["user"])
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)  # changing the user clears the first one
    seccomp.refuse_namespaces()
    os.execve(spec["command"][0], spec["command"], spec["env"])  # noqa: S606


def file_system(spec: dict[str, Any]) -> Path:
    """Mount this machine's files as layers, in a namespace of our own."""
    os.unshare(os.CLONE_NEWNS)
    mount("--make-rprivate", "/")
    layers = Path(spec["folder"])
    mount("-t", "tmpfs", "tmpfs", layers)
    upper, work, root = (layers / name for name in ("upper", "work", "root"))
    for folder in (upper, work, root):
        folder.mkdir()
    mount("-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", root)
    for place in ("/app", *spec["tmpfs"]):
        (root / place[1:]).mkdir(exist_ok=True)
    (root / "etc" / "hosts").write_text(spec["hosts"])
    for place in Path(sys.base_prefix).parents:  # the image's interpreter is not under /root
        inside = root / place.relative_to("/")
        inside.chmod(inside.stat().st_mode | 0o001)
    mount("--rbind", "/proc", root / "proc")
    mount("--rbind", "/dev", root / "dev")
    mount("--rbind", spec["app"], root / "app")
    mount("-o", "remount,bind,ro", root / "app")
    mount("-o", "remount,ro", root)
    for place in spec["tmpfs"]:
        owner = f"uid={spec['user']},mode=0700" if place == "/data" else "mode=1777"
        mount("-t", "tmpfs", "-o", owner, "tmpfs", root / place[1:])
    return root


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
