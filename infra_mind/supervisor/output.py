"""What the processes print: in the terminal with their names, and in the home folder's log."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

PREPARE = "prepare"
COLORS = (36, 32, 33, 35, 34, 31)
LOG_MAX_BYTES, LOG_FILES_KEPT = 10_000_000, 5


class Output:
    def __init__(self, home: Path) -> None:
        self._log = _log_in(home / "logs")

    def say(self, line: str, *, name: str = "infra-mind", color: int = 0) -> None:
        prefix = f"{name:<10} | "
        if sys.stdout.isatty():
            prefix = f"\x1b[{color}m{prefix}\x1b[0m"
        if name != PREPARE:  # it may print a new password, once
            self._log.info("%-10s | %s", name, line)
        print(prefix + line, flush=True)  # noqa: T201


def _log_in(folder: Path) -> logging.Logger:
    """Rotating files, 60 MB at most."""
    folder.mkdir(parents=True, exist_ok=True)
    file = _PatientFile(
        folder / "infra-mind.log", maxBytes=LOG_MAX_BYTES, backupCount=LOG_FILES_KEPT, delay=True
    )
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.Logger("infra_mind.relay")  # outside the hierarchy: no other settings apply to it
    log.addHandler(file)
    return log


class _PatientFile(RotatingFileHandler):
    """A full disk costs log lines, and nothing else."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass
