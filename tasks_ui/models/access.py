"""Keys that let programs in: API tokens, and tickets for one WebSocket."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from tasks_ui.models.querysets import OwnedQuerySet


def digest(secret: str) -> str:
    """SHA-256 as hex. Our secrets are 256 random bits, which need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiTokenQuerySet(OwnedQuerySet["ApiToken"]):
    def unrevoked(self) -> Self:
        return self.filter(revoked_at=None)


class ApiToken(models.Model):
    """A program's key to the APIs. Only its SHA-256 is stored; the key is shown once, when it is
    created."""

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
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @classmethod
    def issue(
        cls, *, owner: Any, name: str, scope: str = Scope.WRITE, expires_at: Any = None
    ) -> tuple[ApiToken, str]:
        """Create a token. Returns the row and the key itself, which can't be recovered later."""
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
        """The valid token with this ``key``, and its owner; None if it is unknown, revoked or
        expired, or its owner inactive."""
        now = timezone.now()
        return (
            cls.objects.select_related("owner")
            .filter(digest=digest(key), revoked_at=None, owner__is_active=True)
            .exclude(expires_at__lte=now)
            .first()
        )

    def touch(self) -> None:
        """Record the use, at most once a minute."""
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
        """Create a ticket for a caller who signed in with ``token`` or with a session. Returns the
        row and the key itself."""
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
        """Invalidate the ticket and return it, or None. If two callers race, the DELETE's row count
        decides."""
        found = cls.objects.select_related("owner", "token").filter(digest=digest(key)).first()
        if found is None or not cls.objects.filter(pk=found.pk).delete()[0]:
            return None
        return found if found.expires_at > timezone.now() and found.owner.is_active else None
