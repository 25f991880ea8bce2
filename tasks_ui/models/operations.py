"""What operators see: paused queues, workers, counts for the metrics and the charts."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone


class PausedQueue(models.Model):
    """A queue in which nothing starts for now. The row is the pause, so it survives every
    process."""

    name = models.CharField(max_length=40, primary_key=True)
    paused_at = models.DateTimeField(default=timezone.now)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )

    def __str__(self) -> str:
        return self.name

    @classmethod
    def of_run(cls) -> models.Exists:
        """In a query of runs: the run's queue is paused."""
        return models.Exists(cls.objects.filter(name=models.OuterRef("queue")))


class Drain(models.TextChoices):
    """The state of a worker's drain, as the worker itself reports it."""

    NONE = "", "Takes tasks"
    REQUESTED = "requested", "Drain requested"
    DRAINING = "draining", "Draining"
    DRAINED = "drained", "Drained"
    RESUMING = "resuming", "Resuming"


class Worker(models.Model):
    """A known worker process. ``last_seen_at`` is when its message loop last turned.

    The worker writes its own row (``tasks_ui.worker.seen``); if it is killed, the row goes stale.
    """

    LOST_AFTER_S = 30
    """Above the drain of a worker that stops, in which its loop does not turn."""

    hostname = models.CharField(max_length=120, primary_key=True)
    pid = models.PositiveIntegerField()
    queues = models.JSONField(default=list)
    concurrency = models.PositiveSmallIntegerField(default=1)
    facts = models.JSONField(default=dict)
    """What apps report about a worker's machine (``runs.workers.tell``), by label."""
    started_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now, db_index=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    unfinished = models.PositiveSmallIntegerField(default=0)
    """Messages that it has taken and not yet finished."""
    drain_requested_at = models.DateTimeField(null=True, blank=True)
    """When an operator asked it to take nothing new; the worker never writes this."""
    drain_requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ("hostname",)

    def __str__(self) -> str:
        return self.hostname

    @property
    def is_up(self) -> bool:
        """It has not announced that it is stopping, and was seen recently."""
        return self.stopped_at is None and timezone.now() - self.last_seen_at < timedelta(
            seconds=self.LOST_AFTER_S
        )

    @property
    def drain(self) -> Drain:
        """The progress of a drain, or of its end. ``queues`` are those that it takes from now."""
        if self.drain_requested_at is None:
            return Drain.NONE if self.queues else Drain.RESUMING
        if self.queues:
            return Drain.REQUESTED
        return Drain.DRAINING if self.unfinished else Drain.DRAINED


class Tally(models.Model):
    """A count that no other row keeps (``tasks_ui.runs.tallies``), for the metrics: how often
    ``name`` happened to ``label``, and when it last did."""

    name = models.CharField(max_length=40)
    label = models.CharField(max_length=100, blank=True)
    value = models.FloatField(default=0)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "label"], name="one_tally_per_label")
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.label}".strip()


class TimeSlot(models.Model):
    """A count over a span of time (``tasks_ui.runs.trends``), for the operators' charts: how often
    ``name`` happened to ``label`` in the ``slot_s`` seconds from ``at`` on."""

    slot_s = models.PositiveIntegerField()
    at = models.DateTimeField()
    name = models.CharField(max_length=40)
    label = models.CharField(max_length=100, blank=True)
    value = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["slot_s", "name", "at", "label"], name="one_count_per_slot"
            )
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.name} {self.label}".strip()
