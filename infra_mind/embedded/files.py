"""Private files, written whole."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, Any


def open_private(path: Path, flags: int = 0) -> IO[str]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600), "w")


def read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    draft = path.with_name(path.name + ".new")
    with open_private(draft, os.O_TRUNC) as file:
        json.dump(content, file)
    draft.replace(path)
