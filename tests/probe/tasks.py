from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

from celery import current_app, shared_task
from django.db import connection
from django_celery_results.backends import DatabaseBackend

from assessments.models import subject_of
from tasks_ui.models import ACTIVE, State, TaskRun
from tasks_ui.runs.patience import patiently
from tasks_ui.worker.execute import tracked
from tasks_ui.worker.work import TaskFailed, WaitForChildren, Work
from tests.probe.kinds import FAMILY, NOOP, PROBE
from tests.probe.models import Effect, Job, Start

STEP_S = 0.05
GROWTH_MB = 200


@tracked(PROBE)
def probe(work: Work) -> dict[str, Any]:
    job = patiently(lambda: Job.objects.get(pk=work.subject_id))
    name = f"{work.run.worker}:{os.getpid()}"
    patiently(lambda: Start.objects.create(run_id=work.run.pk, attempt=work.attempt, worker=name))
    work.save_with_result(
        lambda: Effect.objects.create(run_id=work.run.pk, attempt=work.attempt, worker=name)
    )
    if job.manner == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.manner == "fail" or (job.manner == "flaky" and work.attempt == 1):
        raise RuntimeError("the probe was told to fail")
    if job.manner == "hopeless":
        raise TaskFailed("main.tf:4 can't be fixed", code="input_unreadable")
    if job.manner == "grow":
        bytearray(GROWTH_MB * 1024 * 1024)
    if job.manner == "query":
        _last_as_a_query(job)
    elif job.manner == "engine":
        _last_as_a_process(work, job)
    else:
        _last(work, job)
    return {"attempt": work.attempt}


@tracked(NOOP)
def noop(work: Work) -> None:
    """The least that a tracked task can do: what is left is the cost of tracking."""


@shared_task(name="tests.bare", backend=DatabaseBackend(app=current_app))
def bare() -> None:
    """A task of plain Celery with plain django-celery-results, to compare with."""


@tracked(FAMILY)
def family(work: Work) -> dict[str, Any]:
    job = Job.objects.get(pk=work.subject_id)
    done = 0
    for stage in ("first", "second"):
        children = work.create_children(stage=stage, make=lambda: _children(work, job))
        active = [c for c in children if c.state in ACTIVE]
        if active:
            raise WaitForChildren(f"{stage} stage")
        done += sum(c.state == State.SUCCESS for c in children)
        work.finish_stage(stage, percent=50 if stage == "first" else 100)
    work.save_with_result(
        lambda: Effect.objects.create(run_id=work.run.pk, attempt=work.attempt, worker="")
    )
    return {"children": done}


def _children(work: Work, job: Job) -> list[TaskRun]:
    own = Job.objects.create(duration_s=job.duration_s, manner=job.manner)
    return [
        TaskRun(
            kind=PROBE.name,
            queue=PROBE.queue,
            title=f"child {n}",
            weight=50 / job.children,
            **subject_of(own),
        )
        for n in range(job.children)
    ]


def _last(work: Work, job: Job) -> None:
    steps = max(1, round(job.duration_s / STEP_S))
    for step in range(1, steps + 1):
        time.sleep(STEP_S if job.duration_s else 0)
        if job.manner != "stubborn":
            work.report(step, steps, f"step {step}")


def _last_as_a_process(work: Work, job: Job) -> None:
    argv = [sys.executable, "-c", f"import time; time.sleep({job.duration_s})"]
    with subprocess.Popen(argv, start_new_session=True) as engine:
        Job.objects.filter(pk=job.pk).update(engine_pid=engine.pid)
        with work.stopping(engine.kill):
            engine.wait()
    work.check()


def _last_as_a_query(job: Job) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [job.duration_s])
