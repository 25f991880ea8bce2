"""Tracked runs per second, compared with bare Celery with django-celery-results on the same servers
and workers, both with connections that outlive their tasks."""

from __future__ import annotations

import time
from collections.abc import Callable

from celery import current_app
from django.contrib.auth.models import User
from django_celery_results.models import TaskResult

from tasks_ui.models import FINAL, TaskRun
from tests.bench.conftest import IS_FULL
from tests.probe.runs import queue_noop
from tests.stack import Stack, wait_until

LEAST_RATIO = 0.5
LEAST_RATE = 100
ROUNDS = 3


def test_tracked_tasks_keep_up_with_bare_ones(
    shared_stack: Stack, alice: User, size: Callable[[int, int], int]
) -> None:
    """The best of three rounds each, in turn: other work on the machine can only slow them."""
    count = size(60, 1000)
    rates = [
        (bare_rate(count), tracked_rate(count, alice)) for _ in range(ROUNDS if IS_FULL else 1)
    ]
    bare, tracked = max(rate[0] for rate in rates), max(rate[1] for rate in rates)
    print(
        f"\n{count} no-op tasks: bare {bare:.0f}/s, tracked {tracked:.0f}/s, ratio"
        f" {tracked / bare:.2f} (rounds: {', '.join(f'{b:.0f} and {t:.0f}' for b, t in rates)})"
    )
    assert tracked / bare > (LEAST_RATIO if IS_FULL else 0.1)
    assert tracked > (LEAST_RATE if IS_FULL else 1)


def bare_rate(count: int) -> float:
    """From the first message to the last result, by Celery alone."""
    results = TaskResult.objects.filter(status="SUCCESS")
    before = results.count()
    started = time.monotonic()
    for _ in range(count):
        current_app.send_task("tests.bare", queue="default")
    wait_until(
        lambda: results.count() >= before + count, timeout_s=120, what="all results", step_s=0.2
    )
    return count / (time.monotonic() - started)


def tracked_rate(count: int, owner: User) -> float:
    """From the first row to the last final state."""
    final = TaskRun.objects.filter(owner=owner, state__in=FINAL)
    before = final.count()
    started = time.monotonic()
    for _ in range(count):
        queue_noop(owner=owner)
    wait_until(
        lambda: final.count() >= before + count,
        timeout_s=240,
        what="the end of all runs",
        step_s=0.2,
    )
    return count / (time.monotonic() - started)
