"""Which workers are up, from the rows that they write of themselves (``tasks_ui.worker.seen``)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.db.models import Count
from django.utils import timezone

from tasks_ui.models import TaskRun, Worker

SHOWN_FOR = timedelta(hours=1)
SHOWN_MAX = 100
KEPT_FOR = timedelta(days=1)

_facts: dict[str, Callable[[], str]] = {}


def tell(label: str, fact: Callable[[], str]) -> None:
    """Have each worker say ``fact()`` of itself, once, when it starts: staff read it beside its
    name. Called from an ``AppConfig.ready``."""
    _facts[label] = fact


def facts() -> dict[str, str]:
    """What the apps tell of this very process's machine."""
    return {label: fact() for label, fact in _facts.items()}


def seen() -> list[Worker]:
    """The workers that are up or were lately, at most a hundred, the longest silent last."""
    lately = Worker.objects.filter(last_seen_at__gt=timezone.now() - SHOWN_FOR).order_by(
        "-last_seen_at"
    )[:SHOWN_MAX]
    return sorted(lately, key=lambda worker: (not worker.is_up, worker.hostname))


def running_by_worker() -> dict[str, int]:
    """How many runs each worker holds now."""
    held = TaskRun.objects.held().order_by().values_list("worker")
    return dict(held.annotate(running=Count("pk")))


def prune() -> int:
    """Delete the rows of workers that were not seen for a day. Returns how many."""
    return Worker.objects.filter(last_seen_at__lt=timezone.now() - KEPT_FOR).delete()[0]
