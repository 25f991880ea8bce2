"""What git knows about a folder: its repository, its files, and the files of another commit.

Nothing here runs a hook or a program that the repository names.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 120
LINK, REGULAR = "120000", "100"
_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=off")


class GitError(Exception):
    """Git failed; the message is git's own."""


@dataclass(frozen=True)
class Entry:
    """A file of a commit. ``path`` is relative to the top of the repository; ``size`` is in
    bytes."""

    path: str
    blob: str
    size: int
    is_link: bool


@dataclass(frozen=True)
class Repository:
    top: Path

    def files(self, below: str) -> list[str]:
        """Paths, relative to the top, of what is tracked or would be: not what git ignores."""
        found = self._run("ls-files", "-z", "-co", "--exclude-standard", "--", below or ".")
        return sorted(set(filter(None, os.fsdecode(found).split("\0"))))

    def resolve(self, ref: str) -> str | None:
        """The commit of ``ref``, or None if there is none."""
        if ref.startswith("-"):
            return None
        try:
            found = self._run("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        except GitError:
            return None
        return found.decode().strip() or None

    def fork_point(self, commit: str) -> str:
        """The point where HEAD left ``commit``'s history, so that later commits there don't count
        as changes of this branch. ``commit`` itself if the history is incomplete (a shallow
        clone)."""
        try:
            return self._run("merge-base", commit, "HEAD").decode().strip() or commit
        except GitError:
            return commit

    def tree(self, commit: str) -> Iterator[Entry]:
        listed = self._run("ls-tree", "-r", "-z", "--long", "--full-tree", commit)
        for row in filter(None, os.fsdecode(listed).split("\0")):
            head, _, path = row.partition("\t")
            mode, kind, blob, size = head.split()
            if kind == "blob":
                yield Entry(path=path, blob=blob, size=int(size), is_link=mode == LINK)

    def contents(self, blobs: list[str]) -> list[bytes]:
        """The contents of the blobs, in order."""
        if not blobs:
            return []
        out = self._run("cat-file", "--batch", stdin="\n".join(blobs).encode() + b"\n")
        found, at = [], 0
        for _ in blobs:
            end = out.index(b"\n", at)
            size = int(out[at:end].split()[-1])
            found.append(out[end + 1 : end + 1 + size])
            at = end + 1 + size + 1
        return found

    def _run(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        return _git(self.top, *arguments, stdin=stdin)


def repository_of(path: Path) -> Repository | None:
    """The repository that ``path`` is in; None if there is none. Raises GitError if git can't or
    won't read it."""
    folder = path if path.is_dir() else path.parent
    folder = folder.resolve()
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return None
    top = _git(folder, "rev-parse", "--show-toplevel")
    return Repository(Path(os.fsdecode(top).rstrip("\n")))


def _git(folder: Path, *arguments: str, stdin: bytes | None = None) -> bytes:
    command = ["git", *_SAFE, "-C", str(folder), *arguments]
    try:
        done = subprocess.run(  # noqa: S603
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=TIMEOUT_S,
        )
    except FileNotFoundError as error:
        raise GitError("git is not installed.") from error
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git {arguments[0]} took longer than {TIMEOUT_S} s.") from error
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise GitError(words[0] if words else f"git {arguments[0]} failed.")
    return done.stdout
