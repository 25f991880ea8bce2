"""Which workers are up, according to the rows that they write (``tasks_ui.worker.seen``)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import Count, Q
from django.db.models.functions import Now
from django.utils import timezone

from tasks_ui.models import TaskRun, Worker

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

SHOWN_FOR = timedelta(hours=1)
SHOWN_MAX = 100
KEPT_FOR = timedelta(days=1)

_facts: dict[str, Callable[[], str]] = {}


class NoSuchWorkerError(Exception):
    """No worker of this name was seen within the last day."""


def tell(label: str, fact: Callable[[], str]) -> None:
    """Have each worker publish ``fact()`` once, when it starts; staff see it beside the worker's
    name. Call this from ``AppConfig.ready``."""
    _facts[label] = fact


def facts() -> dict[str, str]:
    """The apps' facts about this process's machine."""
    return {label: fact() for label, fact in _facts.items()}


def seen() -> list[Worker]:
    """The workers that are up or were recently, at most a hundred, the longest silent last."""
    lately = Worker.objects.filter(last_seen_at__gt=timezone.now() - SHOWN_FOR)
    lately = lately.select_related("drain_requested_by").order_by("-last_seen_at")[:SHOWN_MAX]
    return sorted(lately, key=lambda worker: (not worker.is_up, worker.hostname))


def drain(hostname: str, *, by: AbstractBaseUser) -> bool:
    """Have a worker take nothing new and finish what it has, until ``resume``; a restart under the
    same name changes nothing. False where that was asked before.

    The worker reads the wish beside its own row, every five seconds. Raises NoSuchWorkerError.
    """
    wish = {"drain_requested_at": Now(), "drain_requested_by": by.pk}
    return _wish(hostname, Q(drain_requested_at=None), wish, by=by, words="Drain requested.")


def resume(hostname: str, *, by: AbstractBaseUser) -> bool:
    """Let a worker take tasks again. False where it was not asked to drain. Raises
    NoSuchWorkerError."""
    wish = {"drain_requested_at": None, "drain_requested_by": None}
    is_draining = Q(drain_requested_at__isnull=False)
    return _wish(hostname, is_draining, wish, by=by, words="Takes tasks again.")


def is_to_drain(hostname: str) -> bool:
    """Raises one of DATABASE_ERRORS."""
    return Worker.objects.filter(hostname=hostname, drain_requested_at__isnull=False).exists()


def running_by_worker() -> dict[str, int]:
    """How many runs each worker holds now."""
    held = TaskRun.objects.held().order_by().values_list("worker")
    return dict(held.annotate(running=Count("pk")))


def prune() -> int:
    """Delete the rows of workers that have not been seen for a day. Returns how many."""
    return Worker.objects.filter(last_seen_at__lt=timezone.now() - KEPT_FOR).delete()[0]


def _wish(
    hostname: str, when: Q, wish: dict[str, Any], *, by: AbstractBaseUser, words: str
) -> bool:
    with transaction.atomic():
        worker = Worker.objects.filter(pk=hostname).first()
        if worker is None:
            raise NoSuchWorkerError(hostname)
        if not Worker.objects.filter(when, pk=hostname).update(**wish):
            return False
        LogEntry.objects.log_actions(by.pk, [worker], CHANGE, words, single_object=True)
    return True
