"""Task runs, their events, and what they call."""

from __future__ import annotations

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone
from uuid_utils.compat import uuid7

from tasks_ui.models.querysets import OwnedQuerySet, RunQuerySet
from tasks_ui.models.states import FINAL, State


class TaskRunQuerySet(RunQuerySet["TaskRun"]):
    pass


class TaskRun(models.Model):
    """One run of one task, from the click to the final state. Its id is the Celery task id too.

    ::

        PENDING -> STARTED -> PROGRESS -> SUCCESS | FAILURE
           |          |-> RETRY -> STARTED ...     (backoff with jitter; attempt n of m)
           |          '-> CANCELLING -> REVOKED    (written only when the work has stopped)
           '-> REVOKED                          (cancelled before it started: its body never runs)

    ``attempt`` is the fence: a claim raises it, every later write of that worker carries it, and a
    write with an older one is refused. ``lease_until`` is set while a worker holds the run; a run
    in PROGRESS without a lease waits for its children. ``current`` of ``total`` are finished and
    known units of work; for a run with children they are percent, the sum over the children of
    ``weight`` (percent of the parent) x the share that each has done.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    parent = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="children"
    )
    again_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="run_again_as"
    )
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="task_runs")
    kind = models.CharField(max_length=60)
    title = models.CharField(max_length=200)
    stage = models.CharField(max_length=40, blank=True)
    subject_type = models.ForeignKey(ContentType, models.SET_NULL, null=True, blank=True)
    subject_id = models.UUIDField(null=True, blank=True)
    subject = GenericForeignKey("subject_type", "subject_id")
    queue = models.CharField(max_length=40)

    state = models.CharField(max_length=12, choices=State, default=State.PENDING)
    partial = models.BooleanField(default=False, help_text="Done, but a part of it failed")
    attempt = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=4)
    weight = models.FloatField(default=0, help_text="Percent of the parent's work")
    current = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=100)
    message = models.CharField(max_length=300, blank=True)
    worker = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    next_retry_at = models.DateTimeField(null=True, blank=True)
    rings = models.PositiveSmallIntegerField(
        default=0, help_text="Messages sent for the present wait"
    )
    rung_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    last_seq = models.PositiveIntegerField(default=0)
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001  (NULL is not unique)
    created_at = models.DateTimeField(default=timezone.now)
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)

    objects = TaskRunQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        permissions = [
            ("operate_taskrun", "Can cancel, retry and forget everyone's tasks"),
            ("view_all_runs", "Can read the pages of everyone's runs"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "idempotency_key"], name="one_run_per_idempotency_key"
            ),
        ]
        indexes = [
            models.Index(
                fields=["owner", "-id"], name="run_owner", condition=models.Q(parent=None)
            ),
            models.Index(
                fields=["owner", "state", "-id"],
                name="run_owner_state",
                condition=models.Q(parent=None),
            ),
            models.Index(
                fields=["owner", "kind", "state", "-id"],
                name="run_owner_kind",
                condition=models.Q(parent=None),
            ),
            models.Index(
                fields=["owner", "-id"],
                name="run_owner_partial",
                condition=models.Q(parent=None, partial=True),
            ),
            models.Index(
                fields=["queue", "id"],
                name="run_place",
                condition=models.Q(parent=None, state="PENDING"),
            ),
            models.Index(fields=["state", "-id"], name="run_state"),
            models.Index(fields=["kind", "-id"], name="run_kind"),
            models.Index(fields=["queue", "-id"], name="run_queue"),
            models.Index(fields=["worker", "-id"], name="run_worker"),
            models.Index(fields=["-created_at"], name="run_created"),
            models.Index(
                fields=["finished_at"],
                name="run_finished",
                condition=models.Q(finished_at__isnull=False),
            ),
            models.Index(
                fields=["kind", "-finished_at"],
                name="run_failed",
                condition=models.Q(state="FAILURE"),
            ),
            models.Index(fields=["subject_type", "subject_id", "-id"], name="run_subject"),
            models.Index(
                "owner",
                "queue",
                Coalesce("parent_id", "id"),
                "id",
                name="run_waiting",
                condition=models.Q(state__in=["PENDING", "RETRY"], rung_at__isnull=True),
            ),
            models.Index(
                fields=["owner", "queue"],
                name="run_sent",
                condition=models.Q(state__in=["PENDING", "RETRY"], rung_at__isnull=False),
            ),
            models.Index(fields=["queue", "-queued_at"], name="run_queue_queued"),
            models.Index(
                fields=["owner", "queue", "lease_until"],
                name="run_lease",
                condition=models.Q(state__in=["STARTED", "PROGRESS", "CANCELLING"]),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def share(self) -> float:
        """The share of the known work that is done, 0..1."""
        if self.state == State.SUCCESS:
            return 1.0
        return min(1.0, self.current / self.total) if self.total else 0.0

    @property
    def percent(self) -> int:
        """Whole percent, rounded down; only a success is at 100."""
        if self.state == State.SUCCESS:
            return 100
        return min(99, 100 * self.current // self.total) if self.total else 0


class TaskEventQuerySet(OwnedQuerySet["TaskEvent"]):
    owner_id = "task__owner_id"


class TaskEvent(models.Model):
    """A durable event of a run. ``seq`` counts 1, 2, 3 ... without a gap within the run."""

    task = models.ForeignKey(TaskRun, models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    type = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    attempt = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    objects = TaskEventQuerySet.as_manager()

    class Meta:
        ordering = ("task", "seq")
        constraints = [models.UniqueConstraint(fields=["task", "seq"], name="one_event_per_seq")]

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"


class TaskCallQuerySet(OwnedQuerySet["TaskCall"]):
    owner_id = "run__owner_id"


class TaskCall(models.Model):
    """What a run of ``django.tasks`` calls: the function's module path, and its arguments as JSON.

    ``errors`` are those of its attempts: ``{"attempt": 1, "class": path, "traceback": text}``.
    """

    run = models.OneToOneField(TaskRun, models.CASCADE, primary_key=True, related_name="call")
    path = models.CharField(max_length=300)
    args = models.JSONField(default=list)
    kwargs = models.JSONField(default=dict)
    backend = models.CharField(max_length=60)
    run_after = models.DateTimeField(null=True, blank=True)
    errors = models.JSONField(default=list)

    objects = TaskCallQuerySet.as_manager()

    def __str__(self) -> str:
        return self.path
