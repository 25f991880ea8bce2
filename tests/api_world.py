"""The objects that the documents' examples refer to, as rows: a finished run of an assessment, a
finding, a report."""

from __future__ import annotations

from typing import Any

import redis
from django.conf import settings
from django.contrib.auth.models import User

from assessments.models import (
    AgentReport,
    Assessment,
    AssessmentRun,
    Finding,
    Report,
    Version,
    subject_of,
)
from assessments.rest.examples import ASSESSMENT_ID, FINDING_ID, FINGERPRINT, REPORT_ID, RUN_ID
from infra_mind.celery import app
from tasks_ui.models import State, TaskRun
from tasks_ui.rest.examples import TASK_ID
from tasks_ui.runs.services import request_cancel
from tests.stack import wait_until

SECRET = "Quetzal"  # in every title and text of the owner
PASSWORD = "a password of everyone"


def make_user(name: str, **fields: Any) -> User:
    return User.objects.create_user(name, password=PASSWORD, **fields)


def make_world(owner: User) -> None:
    assessment = Assessment.objects.create(
        pk=ASSESSMENT_ID, owner=owner, name=SECRET, requirements={"replicas": 2}
    )
    task = TaskRun.objects.create(
        pk=TASK_ID,
        owner=owner,
        kind="process_assessment",
        queue="assessments",
        title=SECRET,
        state=State.SUCCESS,
    )
    run = AssessmentRun.objects.create(
        pk=RUN_ID,
        assessment=assessment,
        version=Version.objects.create(assessment=assessment, number=1),
        number=1,
        status="completed",
        task=task,
        finished_at="2026-11-23T16Z",
    )
    TaskRun.objects.filter(pk=TASK_ID).update(**subject_of(run))
    agent = AgentReport.objects.create(run=run, agent="security", position=0)
    Finding.objects.create(
        pk=FINDING_ID,
        run=run,
        report=agent,
        fingerprint=FINGERPRINT,
        agent="security",
        rule="X",
        severity=2,
        severity_origin="formula",
        title=SECRET,
    )
    Report.objects.create(
        pk=REPORT_ID, run=run, content=f'{{"name": "{SECRET}"}}'.encode(), format="json"
    )


def end_all_runs() -> None:
    """No run outlives its test, and neither does a worker's check on one that was cancelled: the
    database is emptied under them."""

    def active() -> dict[str, list[Any]]:
        return app.control.inspect().active() or {}

    for each in TaskRun.objects.active().filter(parent=None):
        request_cancel(each, by=None)
    wait_until(
        lambda: not TaskRun.objects.active().exists(), timeout_s=60, what="the end of all runs"
    )
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as broker:
        queues = [queue.name for queue in settings.CELERY_TASK_QUEUES]
        wait_until(
            lambda: (
                not any(broker.llen(name) for name in queues)
                and not any((app.control.inspect().active() or {}).values())
            ),
            timeout_s=60,
            what="the workers to have answered every message",
        )
