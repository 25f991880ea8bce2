"""Which files of a folder are worth sending to be assessed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

SUFFIXES = (
    ".tf",
    ".tf.json",
    ".tfvars",
    ".tftpl",
    ".tpl",
    ".hcl",
    ".yaml",
    ".yml",
    ".json",
    ".template",
    ".sh",
)
NAMES = ("dockerfile", "containerfile")
LEFT_OUT = {
    ".git",
    ".terraform",
    "node_modules",
    "__MACOSX",
    "__pycache__",
    ".venv",
    "venv",
    ".infra_mind",
}


class NothingToSendError(Exception):
    """There is no file to assess; the message says where and what to do."""


@dataclass
class LocalFiles:
    """``files`` are (path with forward slashes, content); ``skipped`` says of a file why it stays
    here."""

    files: list[tuple[str, bytes]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def read(path: Path) -> LocalFiles:
    """One file as it is, or a folder's infrastructure code: by name, links not followed, within an
    upload's bounds.

    Raises NothingToSendError.
    """
    if path.is_file():
        return LocalFiles(files=[(path.name, _content(path))])
    if not path.is_dir():
        raise NothingToSendError(f"There is no file or folder {path}.")
    found = LocalFiles()
    total = 0
    for each in _candidates(path):
        name = each.relative_to(path).as_posix()
        size = each.stat().st_size
        if size > settings.UPLOAD_MAX_FILE_BYTES:
            found.skipped[name] = "larger than a file may be"
        elif (
            total + size > settings.UPLOAD_MAX_BYTES
            or len(found.files) >= settings.UPLOAD_MAX_FILES
        ):
            found.skipped[name] = "past the limits of one upload"
        else:
            found.files.append((name, _content(each)))
            total += size
    if not found.files:
        raise NothingToSendError(
            f"{path} holds no file to assess: Terraform, YAML, JSON or a Dockerfile."
        )
    return found


def _candidates(folder: Path) -> list[Path]:
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        paths = (Path(parent, name) for name in sorted(names) if _is_wanted(name))
        found += [path for path in paths if path.is_file() and not path.is_symlink()]
    return found


def _is_wanted(name: str) -> bool:
    lower = name.lower()
    return (
        lower.endswith(SUFFIXES)
        or lower.startswith(NAMES)
        or lower.endswith(tuple(f".{name}" for name in NAMES))
    )


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NothingToSendError(f"{path} can't be read: {error.strerror}.") from error
