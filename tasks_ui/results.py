"""Results in django-celery-results: an archive beside the run's row, never the carrier of its state."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from celery import states
from django.db import InterfaceError, OperationalError, connection
from django_celery_results.backends import DatabaseBackend
from django_celery_results.models import TaskResult

from tasks_ui.models import State

if TYPE_CHECKING:
    from tasks_ui.models import TaskRun
    from tasks_ui.transitions import Outcome

STORE_ATTEMPTS = 20
STORE_PAUSE_S = 0.5


class TaskResultBackend(DatabaseBackend):
    """Waits for a database that is away, and never writes over a final state.

    ``archive`` has written a tracked run's result with its state; what Celery stores after the task returns would
    say the same later, or an older attempt's words.
    """

    def _store_result(self, task_id: str, result: Any, status: str, *args: Any, **kwargs: Any) -> Any:
        for left in reversed(range(STORE_ATTEMPTS)):
            try:
                if TaskResult.objects.filter(task_id=task_id, status__in=states.READY_STATES).exists():
                    return result
                return super()._store_result(task_id, result, status, *args, **kwargs)
            except (OperationalError, InterfaceError):
                connection.close()
                if not left:
                    raise
                time.sleep(STORE_PAUSE_S)
        return result


def archive(run: TaskRun, outcome: Outcome) -> None:
    """Write the result of a run that has just become final, in the transaction of that change."""
    value = outcome.value
    if run.state == State.FAILURE:
        value = {
            "exc_type": outcome.error_type or run.error_code or "TaskFailed",
            "exc_message": [run.error],
            "exc_module": "tasks_ui.tracking",
        }
    elif run.state == State.REVOKED:
        value = {"exc_type": "TaskRevokedError", "exc_message": ["cancelled"], "exc_module": "celery.exceptions"}
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
    fields = ["task_name", "worker", "status", "result", "traceback", "meta", "content_type", "content_encoding"]
    TaskResult.objects.bulk_create([row], update_conflicts=True, unique_fields=["task_id"], update_fields=fields)


def read(run: TaskRun) -> Any:
    """The archived value of a run, or None: not finished, or past the results' retention."""
    row = TaskResult.objects.filter(task_id=str(run.pk)).values_list("result", flat=True).first()
    return json.loads(row) if row else None
