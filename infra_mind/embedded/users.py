"""The user and the lifetime of a server's process."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from infra_mind.embedded.errors import EmbeddedServerError

WITH_PARENT = Path(__file__).parents[1] / "with_parent.py"
UNPRIVILEGED_USERS = ("postgres", "daemon", "bin", "nobody")


def with_parent(command: Sequence[str], *, on_parent_death: str = "TERM") -> list[str]:
    """``command``, wrapped so that the kernel sends it this signal when the process that started it
    dies (Linux)."""
    return [sys.executable, "-IS", str(WITH_PARENT), on_parent_death, *command]


def unprivileged(command: list[str], *, on_parent_death: str) -> list[str]:
    if os.geteuid() != 0:
        return with_parent(command, on_parent_death=on_parent_death)
    setpriv = shutil.which("setpriv")
    if not setpriv:
        raise EmbeddedServerError(
            "PostgreSQL does not run as root, and setpriv (util-linux) is missing. Start as an"
            " ordinary user."
        )
    user = unprivileged_user()
    ids = [
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--pdeathsig",
        on_parent_death,
    ]
    capabilities = [
        f"--{kind}=-all,+dac_override" for kind in ("inh-caps", "ambient-caps", "bounding-set")
    ]
    return [setpriv, *ids, *capabilities, *command]


def unprivileged_user() -> pwd.struct_passwd:
    """Not the user that scans run as (nobody), if the machine has another: then a scan can't even
    signal the database."""
    for name in UNPRIVILEGED_USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise EmbeddedServerError(
        f"PostgreSQL needs a user that isn't root: one of {', '.join(UNPRIVILEGED_USERS)}."
    )


def give(folder: Path, user: pwd.struct_passwd) -> None:
    if folder.stat().st_uid == user.pw_uid:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
