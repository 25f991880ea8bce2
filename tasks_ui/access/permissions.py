"""Who may read everyone's tasks, and how losing access ends live subscriptions.

A signal only asks the sockets of one user to look again: whether a session, a token or a user is
still valid is read from the database, which every web process does once a second anyway
(``tasks_ui.live.poll``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_out
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from tasks_ui import groups
from tasks_ui.models import ApiToken
from tasks_ui.publisher import publisher

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser, AnonymousUser


VIEW = "tasks_ui.view_taskrun"
OPERATE = "tasks_ui.operate_taskrun"
VIEW_ALL = "tasks_ui.view_all_runs"


def may_read(user: AbstractUser | AnonymousUser) -> bool:
    """Operators can read everyone's tasks and act on them; other staff only see that they exist."""
    return bool(user.is_authenticated and user.has_perm(OPERATE))


def may_open(user: AbstractUser | AnonymousUser) -> bool:
    """Staff who may read what everyone's runs found, page by page, each of which is logged."""
    return bool(user.is_authenticated and user.is_staff and user.has_perm(VIEW_ALL))


def look_again(user_id: Any) -> None:
    """Ask a user's sockets, in all processes, to check their access once this transaction is
    committed."""
    message = {"type": "access.changed"}
    transaction.on_commit(lambda: publisher().send([groups.user(user_id)], message), robust=True)


@receiver(user_logged_out)
def _signed_out(sender: Any, user: Any, **kwargs: Any) -> None:
    if user is not None:
        look_again(user.pk)


@receiver(post_save, sender=settings.AUTH_USER_MODEL)
@receiver(post_delete, sender=settings.AUTH_USER_MODEL)
def _user_changed(sender: Any, instance: Any, **kwargs: Any) -> None:
    if kwargs.get("created") or set(kwargs.get("update_fields") or ()) == {"last_login"}:
        return
    look_again(instance.pk)


@receiver(post_save, sender=ApiToken)
@receiver(post_delete, sender=ApiToken)
def _token_changed(sender: Any, instance: ApiToken, **kwargs: Any) -> None:
    if not kwargs.get("created"):
        look_again(instance.owner_id)
