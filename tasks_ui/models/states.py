"""The states of a run."""

from __future__ import annotations

from django.db import models


class State(models.TextChoices):
    """A run's state, in Celery's words; the label is what people read."""

    PENDING = "PENDING", "Queued"
    STARTED = "STARTED", "Starting"
    PROGRESS = "PROGRESS", "Running"
    RETRY = "RETRY", "Retrying"
    CANCELLING = "CANCELLING", "Cancelling"
    REVOKED = "REVOKED", "Cancelled"
    SUCCESS = "SUCCESS", "Done"
    FAILURE = "FAILURE", "Failed"


FINAL = frozenset({State.SUCCESS, State.FAILURE, State.REVOKED})
ACTIVE = frozenset(State) - FINAL
RUNNING = frozenset({State.STARTED, State.PROGRESS})

VERBS = {
    State.PENDING: "queued",
    State.STARTED: "started",
    State.PROGRESS: "progressing",
    State.RETRY: "retrying",
    State.CANCELLING: "cancelling",
    State.REVOKED: "revoked",
    State.SUCCESS: "succeeded",
    State.FAILURE: "failed",
}
"""What a run does as it enters a state; the second word of an event's name."""
