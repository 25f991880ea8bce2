"""Task runs, their events, and the tokens that let programs in.

The row is the truth: the broker's messages and the socket's frames only say "look again". Every
write to ``TaskRun.state`` goes through ``tasks_ui.runs.transitions``.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone
from uuid_utils.compat import uuid7

from tasks_ui.querysets import OwnedQuerySet, RunQuerySet
from tasks_ui.states import ACTIVE, FINAL, RUNNING, State

__all__ = [
    "ACTIVE",
    "FINAL",
    "RUNNING",
    "ApiToken",
    "AuditEntry",
    "PausedQueue",
    "SavedFilter",
    "SocketTicket",
    "State",
    "Tally",
    "TaskEvent",
    "TaskRun",
    "TaskRunQuerySet",
    "Worker",
    "digest",
]


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
    ``weight`` (percent of the parent) x their own share done.
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
        permissions = [("operate_taskrun", "Can cancel, retry and forget everyone's tasks")]
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
        """The part of the known work that is done, 0..1."""
        if self.state == State.SUCCESS:
            return 1.0
        return min(1.0, self.current / self.total) if self.total else 0.0

    @property
    def percent(self) -> int:
        """Whole percent, rounded down; 100 is said of a success only."""
        if self.state == State.SUCCESS:
            return 100
        return min(99, 100 * self.current // self.total) if self.total else 0


class TaskEventQuerySet(OwnedQuerySet["TaskEvent"]):
    owner_id = "task__owner_id"


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


class TaskEvent(models.Model):
    """One durable thing that happened to a run. ``seq`` counts 1, 2, 3 ... without a gap within the
    run."""

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


class PausedQueue(models.Model):
    """A queue in which nothing starts for now. The row is the pause: it outlasts every process."""

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


class Worker(models.Model):
    """A worker process that was seen. ``last_seen_at`` is when the loop that takes its messages
    last turned.

    The worker writes its row itself (``tasks_ui.worker.seen``); one that was killed leaves a row
    that grows old.
    """

    LOST_AFTER_S = 30
    """Above the drain of a worker that stops, in which its loop does not turn."""

    hostname = models.CharField(max_length=120, primary_key=True)
    pid = models.PositiveIntegerField()
    queues = models.JSONField(default=list)
    concurrency = models.PositiveSmallIntegerField(default=1)
    facts = models.JSONField(default=dict)
    """What apps tell of a worker's machine (``runs.workers.tell``), by label."""
    started_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now, db_index=True)
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("hostname",)

    def __str__(self) -> str:
        return self.hostname

    @property
    def is_up(self) -> bool:
        """It takes work: it has not said that it stops, and was heard of lately."""
        return self.stopped_at is None and timezone.now() - self.last_seen_at < timedelta(
            seconds=self.LOST_AFTER_S
        )


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


def digest(secret: str) -> str:
    """SHA-256 as hex. Our secrets are 256 random bits, which need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiTokenQuerySet(OwnedQuerySet["ApiToken"]):
    def unrevoked(self) -> Self:
        return self.filter(revoked_at=None)


class ApiToken(models.Model):
    """A program's key to the APIs. Only its SHA-256 is kept; the key is shown once, when it is
    made."""

    class Scope(models.TextChoices):
        READ = "read", "Read"
        WRITE = "write", "Read and write"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scope = models.CharField(max_length=5, choices=Scope, default=Scope.WRITE)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @classmethod
    def issue(
        cls, *, owner: Any, name: str, scope: str = Scope.WRITE, expires_at: Any = None
    ) -> tuple[ApiToken, str]:
        """Make a token. Returns the row and the key itself, which can't be read again."""
        key = f"im_{secrets.token_urlsafe(32)}"
        row = cls.objects.create(
            owner=owner,
            name=name,
            prefix=key[:9],
            digest=digest(key),
            scope=scope,
            expires_at=expires_at,
        )
        return row, key

    @classmethod
    def find(cls, key: str) -> ApiToken | None:
        """The live token of ``key``, with its owner, or None when unknown, revoked, expired or the
        owner inactive."""
        now = timezone.now()
        return (
            cls.objects.select_related("owner")
            .filter(digest=digest(key), revoked_at=None, owner__is_active=True)
            .exclude(expires_at__lte=now)
            .first()
        )

    def touch(self) -> None:
        """Note the use, at most once a minute."""
        now = timezone.now()
        ApiToken.objects.filter(pk=self.pk).exclude(
            last_used_at__gt=now - timedelta(minutes=1)
        ).update(last_used_at=now)


class SocketTicketQuerySet(OwnedQuerySet["SocketTicket"]):
    pass


class SocketTicket(models.Model):
    """A single-use key to open one WebSocket, for clients that can't send a header. It lives for 60
    s."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    token = models.ForeignKey(ApiToken, models.CASCADE, null=True, blank=True, related_name="+")
    session_key = models.CharField(max_length=40, blank=True, editable=False)
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(db_index=True)

    LIFETIME_S = 60

    objects = SocketTicketQuerySet.as_manager()

    def __str__(self) -> str:
        return f"ticket of {self.owner_id}"

    @classmethod
    def issue(
        cls, *, owner: Any, token: ApiToken | None = None, session_key: str = ""
    ) -> tuple[SocketTicket, str]:
        """Make a ticket for who came by ``token`` or by the session. Returns the row and the key
        itself."""
        key = secrets.token_urlsafe(32)
        expires_at = timezone.now() + timedelta(seconds=cls.LIFETIME_S)
        row = cls.objects.create(
            owner=owner,
            token=token,
            session_key=session_key,
            digest=digest(key),
            expires_at=expires_at,
        )
        return row, key

    @classmethod
    def redeem(cls, key: str) -> SocketTicket | None:
        """Take the ticket out of use and return it, or None. Two redeemers race; the DELETE's row
        count decides."""
        found = cls.objects.select_related("owner", "token").filter(digest=digest(key)).first()
        if found is None or not cls.objects.filter(pk=found.pk).delete()[0]:
            return None
        return found if found.expires_at > timezone.now() and found.owner.is_active else None


class SavedFilterQuerySet(OwnedQuerySet["SavedFilter"]):
    pass


class SavedFilter(models.Model):
    """A list with its filters, under a name of its owner's. ``query`` is the address's query
    string."""

    MAX_PER_OWNER = 40
    MAX_QUERY_CHARS = 500

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, related_name="saved_filters"
    )
    path = models.CharField(max_length=100)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=MAX_QUERY_CHARS)

    objects = SavedFilterQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint(fields=["owner", "path", "name"], name="one_filter_per_name"),
        ]

    def __str__(self) -> str:
        return self.name


class AuditEntry(models.Model):
    """Who did what, when and from where. Written once by ``tasks_ui.access.audit``, and deleted
    only past its retention. It holds no secret: no password, key, code or content."""

    class Event(models.TextChoices):
        SIGNED_IN = "session.started", "signed in"
        REFUSED = "session.refused", "was refused"
        THROTTLED = "session.throttled", "tried too often"
        SIGNED_OUT = "session.ended", "signed out"
        JOINED = "account.created", "signed up"
        PASSWORD = "password.changed", "changed the password"
        RESET = "password.reset", "reset the password"
        FACTOR_ON = "second_factor.added", "added a second factor"
        FACTOR_OFF = "second_factor.removed", "removed a second factor"
        CODES = "second_factor.renewed", "made new recovery codes"
        EMAIL = "email.changed", "changed mail addresses"
        TOKEN = "token.created", "created a token"
        REVOKED = "token.revoked", "revoked a token"
        INVITED = "invitation.created", "invited somebody"
        INVITATION_USED = "invitation.used", "used an invitation"
        DELETED = "assessment.deleted", "deleted an assessment"
        DOWNLOADED = "report.downloaded", "downloaded a report"
        ADMIN = "admin.acted", "acted in the admin"

    at = models.DateTimeField(default=timezone.now)
    event = models.CharField(max_length=40, choices=Event)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, db_index=False, related_name="+"
    )
    actor_name = models.CharField(max_length=150, blank=True)  # outlives the account
    address = models.GenericIPAddressField(null=True)
    about = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("-at", "-pk")
        verbose_name_plural = "audit log"
        indexes = [
            models.Index(fields=["-at", "-id"], name="audit_newest"),
            models.Index(fields=["event", "-at"], name="audit_what"),
            models.Index(fields=["actor", "-at"], name="audit_who"),
            models.Index(fields=["actor_name", "-at"], name="audit_name"),
            models.Index(fields=["address", "-at"], name="audit_where"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name or 'somebody'} {self.get_event_display()}"
