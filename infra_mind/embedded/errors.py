"""Why an embedded server does not start."""

from __future__ import annotations

from typing import Any


class EmbeddedServerError(Exception):
    """An embedded server can't be started; the message says why, and what to do."""


class AlreadyRunningError(Exception):
    """Another supervisor holds the home folder. ``state`` is its run.json, empty while it is still
    starting."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        super().__init__("Infra Mind is already running here.")
