"""Tracked runs a second, beside bare Celery with django-celery-results on the same servers and
workers."""

from __future__ import annotations

import time
from collections.abc import Callable

from celery import current_app
from django.contrib.auth.models import User
from django_celery_results.models import TaskResult

from tasks_ui.models import FINAL, TaskRun
from tests.probe.runs import queue_probe as queue
from tests.stack import Stack, wait_until


def test_tracked_tasks_keep_up_with_bare_ones(
    shared_stack: Stack, alice: User, size: Callable[[int, int], int]
) -> None:
    count = size(60, 1000)
    bare = bare_rate(count)
    tracked = tracked_rate(count, alice)
    print(
        f"\n{count} no-op tasks: bare {bare:.0f}/s, tracked {tracked:.0f}/s, ratio"
        f" {tracked / bare:.2f}"
    )
    assert tracked / bare > 0.1


def bare_rate(count: int) -> float:
    """From the first message to the last result, by Celery alone."""
    started = time.monotonic()
    for _ in range(count):
        current_app.send_task("tests.bare", queue="default")
    results = TaskResult.objects.filter(status="SUCCESS")
    wait_until(lambda: results.count() >= count, timeout_s=120, what="all results")
    return count / (time.monotonic() - started)


def tracked_rate(count: int, owner: User) -> float:
    """From the first row to the last final state."""
    started = time.monotonic()
    for _ in range(count):
        queue(owner=owner)
    runs = TaskRun.objects.filter(owner=owner)
    wait_until(
        lambda: runs.filter(state__in=FINAL).count() == count,
        timeout_s=240,
        what="the end of all runs",
    )
    return count / (time.monotonic() - started)
