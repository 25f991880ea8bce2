"""The audit log."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class AuditEntry(models.Model):
    """Who did what, when and from where. Written once by ``tasks_ui.access.audit``, and deleted
    only past its retention. It holds no secret: no password, key, code or content."""

    class Event(models.TextChoices):
        SIGNED_IN = "session.started", "signed in"
        REFUSED = "session.refused", "was refused at sign-in"
        THROTTLED = "session.throttled", "was blocked after too many attempts"
        SIGNED_OUT = "session.ended", "signed out"
        JOINED = "account.created", "signed up"
        PASSWORD = "password.changed", "changed the password"
        RESET = "password.reset", "reset the password"
        FACTOR_ON = "second_factor.added", "added a second factor"
        FACTOR_OFF = "second_factor.removed", "removed a second factor"
        CODES = "second_factor.renewed", "created new recovery codes"
        EMAIL = "email.changed", "changed email addresses"
        TOKEN = "token.created", "created a token"
        REVOKED = "token.revoked", "revoked a token"
        INVITED = "invitation.created", "invited someone"
        INVITATION_USED = "invitation.used", "used an invitation"
        DELETED = "assessment.deleted", "deleted an assessment"
        DOWNLOADED = "report.downloaded", "downloaded a report"
        OPENED = "run.opened", "opened someone else's run"
        ADMIN = "admin.acted", "made a change in the admin"

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
        return f"{self.actor_name or 'someone'} {self.get_event_display()}"
