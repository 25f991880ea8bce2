"""Celery's result backend: django-celery-results, patient with the database and unable to overwrite
a final state."""

from __future__ import annotations

import time
from typing import Any

from celery import states
from django.db import connection
from django_celery_results.backends import DatabaseBackend
from django_celery_results.models import TaskResult

from tasks_ui.runs.patience import DATABASE_ERRORS

STORE_ATTEMPTS = 20


STORE_PAUSE_S = 0.5


class TaskResultBackend(DatabaseBackend):
    """Waits for an unreachable database, and never overwrites a final state.

    A tracked run's result is written with its state (``results.archived``). What Celery would store
    after the task returns is either the same, later, or an older attempt's result. So it is
    skipped.
    """

    def _store_result(
        self,
        task_id: str,
        result: Any,
        status: str,
        traceback: Any = None,
        request: Any = None,
        **kwargs: Any,
    ) -> Any:
        if self._is_tracked(request):
            return result
        for left in reversed(range(STORE_ATTEMPTS)):
            try:
                if TaskResult.objects.filter(
                    task_id=task_id, status__in=states.READY_STATES
                ).exists():
                    return result
                return super()._store_result(
                    task_id, result, status, traceback=traceback, request=request, **kwargs
                )
            except DATABASE_ERRORS:
                connection.close()
                if not left:
                    raise
                time.sleep(STORE_PAUSE_S)
        return result

    def _is_tracked(self, request: Any) -> bool:
        task = self.app.tasks.get(getattr(request, "task", None))
        return getattr(task, "is_tracked", False)
