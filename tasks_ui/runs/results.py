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
    from tasks_ui.runs.statements import Sql

ARCHIVE = f"""
INSERT INTO {TaskResult._meta.db_table} (task_id, task_name, worker, status, content_type,
    content_encoding, result, traceback, meta, date_created, date_done)
SELECT id::text, kind, worker, state, 'application/json', 'utf-8', %s, %s, '{{"children": []}}',
    statement_timestamp(), statement_timestamp()
FROM moved
ON CONFLICT (task_id) DO UPDATE SET task_name = EXCLUDED.task_name, worker = EXCLUDED.worker,
    status = EXCLUDED.status, content_type = EXCLUDED.content_type,
    content_encoding = EXCLUDED.content_encoding, result = EXCLUDED.result,
    traceback = EXCLUDED.traceback, meta = EXCLUDED.meta, date_done = EXCLUDED.date_done
"""  # noqa: S608  (the table's name, no values)


@dataclass(frozen=True)
class Outcome:
    """What a final state leaves in the results: ``value`` is the task's return value or the error
    message."""

    value: Any = None
    traceback: str = ""
    error_type: str = ""


def archived(state: State, outcome: Outcome, *, error: str = "", error_code: str = "") -> Sql:
    """The statement that writes the result of a run as it becomes final, for
    ``statements.update``."""
    value = outcome.value
    if state == State.FAILURE:
        value = {
            "exc_type": outcome.error_type or error_code or "TaskFailed",
            "exc_message": [error],
            "exc_module": "tasks_ui.worker.work",
        }
    elif state == State.REVOKED:
        value = {
            "exc_type": "TaskRevokedError",
            "exc_message": ["cancelled"],
            "exc_module": "celery.exceptions",
        }
    return ARCHIVE, (json.dumps(value), outcome.traceback or None)


def read(run: TaskRun) -> Any:
    """The archived value of a run; None if it has not finished or is past the retention of
    results."""
    row = TaskResult.objects.filter(task_id=str(run.pk)).values_list("result", flat=True).first()
    return json.loads(row) if row else None
