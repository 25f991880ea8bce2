"""Invitations, for servers where not everyone may sign up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.core import signing
from django.db import models
from django.urls import reverse
from django.utils import timezone

SALT = "accounts.invitation"
LIFETIME = timedelta(days=7)


def in_a_week() -> datetime:
    return timezone.now() + LIFETIME


class UsedUpError(Exception):
    """The invitation was used by somebody else in the meantime, or has expired."""


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> InvitationQuerySet:
        return self.filter(used_at=None, expires_at__gt=timezone.now())

    def of(self, token: str) -> Invitation | None:
        """The open invitation that ``token`` was signed for."""
        try:
            key = UUID(signing.Signer(salt=SALT).unsign(token))
        except (signing.BadSignature, ValueError):
            return None
        return self.open().filter(pk=key).first()


class Invitation(models.Model):
    """A link with which one person can sign up, once. The link is the signed id: the database alone
    lets nobody in."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    note = models.CharField(max_length=120, blank=True, help_text="Whom it is for")
    expires_at = models.DateTimeField(default=in_a_week)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    used_at = models.DateTimeField(null=True, blank=True, editable=False)
    used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.note or f"invitation {str(self.pk)[:8]}"

    @property
    def path(self) -> str:
        return reverse("invitation", args=[signing.Signer(salt=SALT).sign(self.pk.hex)])

    def use(self, *, by: Any) -> None:
        """Use it up. If two people do so at the same time, one UPDATE wins. Raises UsedUpError."""
        open_now = Invitation.objects.open().filter(pk=self.pk)
        if not open_now.update(used_at=timezone.now(), used_by=by):
            raise UsedUpError
