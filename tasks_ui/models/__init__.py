"""Task runs and their events, plus queues, workers, tokens, saved filters and the audit log.

The row is the truth: the broker's messages and the socket's frames only say "look again". Every
write to ``TaskRun.state`` goes through ``tasks_ui.runs.transitions``.
"""

from tasks_ui.models.access import ApiToken, SocketTicket, digest
from tasks_ui.models.audit import AuditEntry
from tasks_ui.models.operations import Drain, PausedQueue, Tally, TimeSlot, Worker
from tasks_ui.models.runs import TaskCall, TaskEvent, TaskRun, TaskRunQuerySet
from tasks_ui.models.saved_filters import SavedFilter
from tasks_ui.models.states import ACTIVE, FINAL, RUNNING, State

__all__ = [
    "ACTIVE",
    "FINAL",
    "RUNNING",
    "ApiToken",
    "AuditEntry",
    "Drain",
    "PausedQueue",
    "SavedFilter",
    "SocketTicket",
    "State",
    "Tally",
    "TaskCall",
    "TaskEvent",
    "TaskRun",
    "TaskRunQuerySet",
    "TimeSlot",
    "Worker",
    "digest",
]
