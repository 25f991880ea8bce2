"""Functions under Django's ``@task``, for the tests of ``tasks_ui.backend``."""

from __future__ import annotations

import time
from typing import Any

import django.tasks

from tasks_ui.worker.django_tasks import TrackedContext

STEP_S = 0.05
task: Any = django.tasks.task  # its stubs lack what a backend's own task class adds


@task
def add(left: int, right: int) -> int:
    return left + right


@task(takes_context=True, title="Count slowly")
def count(context: TrackedContext, steps: int) -> dict[str, Any]:
    for step in range(1, steps + 1):
        time.sleep(STEP_S)
        context.report(step, steps, f"step {step}")
    return {"steps": steps, "attempt": context.attempt}


@task(takes_context=True, max_attempts=2)
def fail_until(context: TrackedContext, attempt: int) -> int:
    if context.attempt < attempt:
        raise LookupError(f"attempt {context.attempt} finds nothing")
    return context.attempt


@task
async def answer() -> str:
    return "awaited"


@task
def return_an_object() -> object:
    return object()


@task
def enqueue_another() -> str:
    return str(add.enqueue(1, 1).id)


def not_a_task() -> None:
    raise AssertionError("This must never run.")
