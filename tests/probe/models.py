from __future__ import annotations

from django.db import models
from uuid_utils.compat import uuid7


class Job(models.Model):
    """What a probe is to do: take ``duration_s`` in steps of 50 ms, and behave as ``manner`` says.

    ok; fail (every attempt raises); flaky (the first attempt raises); poison (kills its own
    process); stubborn (never checks whether it is cancelled); engine (starts a long process);
    query (runs one long statement in PostgreSQL); grow (takes 200 MB for a moment).
    """

    id = models.UUIDField(primary_key=True, default=uuid7)
    duration_s = models.FloatField(default=0)
    manner = models.CharField(max_length=20, default="ok")
    children = models.PositiveIntegerField(default=0)
    engine_pid = models.IntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.manner} {self.duration_s} s"


class Start(models.Model):
    """A body that started to run, whatever became of it."""

    run_id = models.UUIDField(db_index=True)
    attempt = models.PositiveSmallIntegerField()
    worker = models.CharField(max_length=120)

    def __str__(self) -> str:
        return f"start {self.attempt} of {self.run_id}"


class Effect(models.Model):
    """The effect of a run, which must exist once for each success and never otherwise."""

    run_id = models.UUIDField(db_index=True)
    attempt = models.PositiveSmallIntegerField()
    worker = models.CharField(max_length=120)

    def __str__(self) -> str:
        return f"effect of {self.run_id}"
