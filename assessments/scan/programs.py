"""Programs of the machine, not of our environments, that an engine uses if they are installed."""

from __future__ import annotations

import shutil
from pathlib import Path

OVERLAYS = ("kustomize", "kubectl")


def overlay_programs() -> list[list[str]]:
    """Name and file of each program on the PATH that builds Kustomize overlays, the preferred one
    first."""
    found = ((name, shutil.which(name)) for name in OVERLAYS)
    return [[name, str(Path(path).resolve())] for name, path in found if path]
