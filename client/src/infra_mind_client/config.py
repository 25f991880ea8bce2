"""``.infra-mind.toml``: the options of a repository, by the names they have on the command line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from infra_mind_client.errors import CannotAssessError

NAME = ".infra-mind.toml"
FILES = {"baseline", "requirements"}


def read(path: Path, *, known: set[str]) -> tuple[dict[str, Any], Path | None]:
    """The options of the nearest ``.infra-mind.toml``, from ``path`` up to the top of its
    repository, with the file; ``known`` are the names that it may use.

    Raises CannotAssessError: an option that is misspelled is a gate that is not there.
    """
    file = _nearest(path)
    if file is None:
        return {}, None
    try:
        found = tomllib.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise CannotAssessError(f"{file} can't be read: {error}") from error
    if unknown := sorted(set(found) - known):
        raise CannotAssessError(
            f"{file} has options that there are not: {', '.join(unknown)}."
            f" It may use {', '.join(sorted(known))}."
        )
    for name in FILES & set(found):
        found[name] = _beside(file, str(found[name]))
    return {name.replace("-", "_"): value for name, value in found.items()}, file


def _beside(file: Path, name: str) -> str:
    """A file that the options name lies in their folder: a repository says what to read of it, and
    of nothing else."""
    path = file.parent / name
    if not path.resolve().is_relative_to(file.parent):
        raise CannotAssessError(f"{file} names {name}, which is outside of its folder.")
    return str(path)


def _nearest(path: Path) -> Path | None:
    """Above the folder itself only within a repository: what lies in /tmp is anybody's."""
    folder = (path if path.is_dir() else path.parent).resolve()
    above = [folder, *folder.parents]
    top = next((n for n, each in enumerate(above) if (each / ".git").exists()), 0)
    files = (each / NAME for each in above[: top + 1])
    return next((file for file in files if file.is_file()), None)
