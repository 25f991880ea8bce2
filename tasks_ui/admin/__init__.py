"""The operators' view of everyone's tasks: find a run, understand it, end it; hold a queue, see the
workers."""

from tasks_ui.admin import audit, results, tokens  # noqa: F401  (they register their pages)
from tasks_ui.admin.runs import TaskRunAdmin

__all__ = ["TaskRunAdmin"]
