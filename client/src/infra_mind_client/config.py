"""``.infra-mind.toml``: a repository's options, named as on the command line."""

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

    Raises CannotAssessError: a misspelled option would be a missing gate.
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
            f"{file} has unknown options: {', '.join(unknown)}."
            f" It may use {', '.join(sorted(known))}."
        )
    for name in FILES & set(found):
        found[name] = _beside(file, str(found[name]))
    return {name.replace("-", "_"): value for name, value in found.items()}, file


def _beside(file: Path, name: str) -> str:
    """A file that the options name must be in their folder: a repository may only name its own
    files."""
    path = file.parent / name
    if not path.resolve().is_relative_to(file.parent):
        raise CannotAssessError(f"{file} names {name}, which is outside its folder.")
    return str(path)


def _nearest(path: Path) -> Path | None:
    """Parent folders count only within a repository: files in /tmp could be anybody's."""
    folder = (path if path.is_dir() else path.parent).resolve()
    above = [folder, *folder.parents]
    top = next((n for n, each in enumerate(above) if (each / ".git").exists()), 0)
    files = (each / NAME for each in above[: top + 1])
    return next((file for file in files if file.is_file()), None)
