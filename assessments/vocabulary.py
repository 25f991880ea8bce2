"""What assessments add to the vocabulary of tasks: their events and error codes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from tasks_ui.runs.vocabulary import register_error_codes, register_events


class AgentFinished(BaseModel):
    """An agent has answered. ``severities`` counts its findings; ``score`` is 0 to 100, null if
    there is none; ``reason`` says why it could not assess."""

    agent: str
    label: str
    status: Literal["assessed", "not_assessed"]
    score: int | None
    reason: str
    severities: dict[Literal["critical", "high", "medium", "low", "info"], int]


class FindingsFound(BaseModel):
    """How many findings an agent has just stored."""

    agent: str
    count: int


def register_vocabulary() -> None:
    """Called once, when the application is ready."""
    register_events({"agent.finished": AgentFinished, "findings.found": FindingsFound})
    register_error_codes(
        {
            "engine_failed": "A scanner ended with an error.",
            "engine_time_limit": "A scanner exceeded its time limit.",
            "open_sandbox": "The machine can't confine the scanners, and the server does not allow"
            " them to run unconfined.",
            "own_rules": "The server's own rules can't be used.",
            "nothing_read": "No file of the upload could be read.",
            "no_agent": "No agent could finish.",
        }
    )
