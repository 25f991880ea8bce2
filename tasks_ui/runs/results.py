"""Results in django-celery-results: an archive beside the run's row, never the carrier of its
state."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django_celery_results.models import TaskResult

from tasks_ui.models import State

if TYPE_CHECKING:
    from tasks_ui.models import TaskRun


@dataclass(frozen=True)
class Outcome:
    """What a final state leaves in the results: ``value`` is the task's return value or the error's
    words."""

    value: Any = None
    traceback: str = ""
    error_type: str = ""


def archive(run: TaskRun, outcome: Outcome) -> None:
    """Write the result of a run that has just become final, in the transaction of that change."""
    value = outcome.value
    if run.state == State.FAILURE:
        value = {
            "exc_type": outcome.error_type or run.error_code or "TaskFailed",
            "exc_message": [run.error],
            "exc_module": "tasks_ui.worker.work",
        }
    elif run.state == State.REVOKED:
        value = {
            "exc_type": "TaskRevokedError",
            "exc_message": ["cancelled"],
            "exc_module": "celery.exceptions",
        }
    row = TaskResult(
        task_id=str(run.pk),
        task_name=run.kind,
        worker=run.worker,
        status=str(run.state),
        content_type="application/json",
        content_encoding="utf-8",
        result=json.dumps(value),
        traceback=outcome.traceback or None,
        meta=json.dumps({"children": []}),
    )
    fields = [
        "task_name",
        "worker",
        "status",
        "result",
        "traceback",
        "meta",
        "content_type",
        "content_encoding",
    ]
    TaskResult.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["task_id"], update_fields=fields
    )


def read(run: TaskRun) -> Any:
    """The archived value of a run, or None: not finished, or past the results' retention."""
    row = TaskResult.objects.filter(task_id=str(run.pk)).values_list("result", flat=True).first()
    return json.loads(row) if row else None
