"""How a probe is run again: a new probe of the same job, linked to the old."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks_ui.kinds import CannotRunAgainError
from tasks_ui.runs.transitions import create_run

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

    from tasks_ui.models import TaskRun


def run_again(task: TaskRun, by: AbstractBaseUser, *, only_failed: bool = False) -> TaskRun:
    if only_failed:
        raise CannotRunAgainError("A probe has no parts.")
    return create_run(
        owner_id=by.pk,
        kind=task.kind,
        queue=task.queue,
        title=task.title,
        subject_type=task.subject_type,
        subject_id=task.subject_id,
        again_of=task,
    )
