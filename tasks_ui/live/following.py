"""What one socket follows: its tasks, the newest event sent of each, and its scopes.

Plain bookkeeping: it decides what is next, what is missing and what is outdated, but neither reads
nor sends anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tasks_ui import protocol as p
from tasks_ui.live.reading import SCOPE_TASKS_MAX, Look
from tasks_ui.models import FINAL


@dataclass
class Followed:
    """A task that a socket follows. ``seq`` is the newest event sent; ``root`` is the task or its
    parent; ``by_scope`` is "" for a task that was subscribed to by id. ``is_read``: it belongs to
    someone else, and staff with the permission read its page. ``since`` is the newest
    event in its snapshot. ``reached`` holds, for the task and its children, the attempt and the
    finished units of work that the client knows about."""

    seq: int
    since: int
    root: UUID
    by_scope: str = ""
    is_read: bool = False
    is_final: bool = False
    done_children: set[UUID] = field(default_factory=set)
    reached: dict[UUID, tuple[int, int]] = field(default_factory=dict)

    def reach(self, task_id: UUID, attempt: int, current: int) -> bool:
        """Record a task's progress. False if the client already knows of more."""
        if (attempt, current) < self.reached.get(task_id, (0, 0)):
            return False
        self.reached[task_id] = attempt, current
        return True


class Following:
    def __init__(self, user_id: Any) -> None:
        self.tasks: dict[UUID, Followed] = {}
        self.scopes: set[str] = set()
        self._user_id = user_id

    @property
    def asked_for(self) -> list[UUID]:
        """The tasks that were subscribed to one by one."""
        return [task_id for task_id, followed in self.tasks.items() if not followed.by_scope]

    @property
    def read(self) -> list[UUID]:
        """The tasks of other people that are followed to read their pages."""
        return [task_id for task_id, followed in self.tasks.items() if followed.is_read]

    def may_see(self, owner_id: Any, followed: Followed | None) -> bool:
        is_read = followed is not None and followed.is_read
        return is_read or owner_id == self._user_id or "all" in self.scopes

    def scope_of(self, owner_id: Any) -> str:
        """The scope that a task of this owner is in, or ""."""
        if "mine" in self.scopes and owner_id == self._user_id:
            return "mine"
        return "all" if "all" in self.scopes else ""

    def begin(
        self, snapshot: p.Snapshot, *, seq: int, by_scope: str = "", is_read: bool = False
    ) -> None:
        """Follow the task in ``snapshot`` from the event after ``seq``. Of the tasks in a scope,
        the newest SCOPE_TASKS_MAX are kept."""
        root = snapshot.task.parent_id or snapshot.task.task_id
        followed = Followed(
            seq=seq, since=snapshot.last_seq, root=root, by_scope=by_scope, is_read=is_read
        )
        followed.is_final = snapshot.task.state in FINAL
        followed.done_children = {c.task_id for c in snapshot.children if c.state in FINAL}
        for task in (snapshot.task, *snapshot.children):
            followed.reach(task.task_id, task.attempt, task.current)
        self.tasks[snapshot.task.task_id] = followed
        of_scopes = sorted(key for key, each in self.tasks.items() if each.by_scope)
        for oldest in of_scopes[:-SCOPE_TASKS_MAX]:
            del self.tasks[oldest]

    def end(self, task_id: UUID) -> bool:
        """Stop following a task. False when it was not followed."""
        return self.tasks.pop(task_id, None) is not None

    def end_scope(self, scope: str) -> None:
        self.scopes.discard(scope)
        for task_id in [key for key, each in self.tasks.items() if each.by_scope == scope]:
            del self.tasks[task_id]

    def sent(self, event: p.Event) -> None:
        """Record an event that was sent."""
        followed = self.tasks[event.task_id]
        followed.seq = event.seq
        if event.seq <= followed.since:
            return  # a replay of what led to the snapshot
        data = event.data
        if event.event.startswith("task.") and "state" in data:
            followed.is_final = data["state"] in FINAL
            followed.reach(event.task_id, data["attempt"], data["current"])
        elif event.event.startswith("child."):
            child_id = UUID(data["task_id"])
            is_done = data["state"] in FINAL
            (followed.done_children.add if is_done else followed.done_children.discard)(child_id)
            followed.reach(child_id, data["attempt"], data["current"])
        if "parent_current" in data:
            attempt, _ = followed.reached[event.task_id]
            followed.reach(event.task_id, attempt, data["parent_current"])

    def takes(self, progress: p.Progress, *, owner_id: Any) -> bool:
        """Whether to send progress: if it is that of a followed task or its child, unless the work
        has ended since or the client knows of more. Workers report concurrently, so reports on one
        parent may arrive in a different order than they were written in."""
        own = self.tasks.get(progress.task_id)
        parent = self.tasks.get(progress.parent_id) if progress.parent_id else None
        if not self.may_see(owner_id, own or parent):
            return False
        if parent and (parent.is_final or progress.task_id in parent.done_children):
            return False
        if own and own.is_final:
            return False
        followed = own or parent
        return bool(
            followed and followed.reach(progress.task_id, progress.attempt, progress.current)
        )

    def has_news(self, look: Look) -> bool:
        """Whether a look at the database shows something that has not been sent to the client."""
        for task_id in look.asked & self.tasks.keys():
            seen = look.tasks.get(task_id)
            if seen is None or not self.may_see(seen.owner_id, self.tasks[task_id]):
                return True
            if seen.last_seq > self.tasks[task_id].seq:
                return True
        return bool(self.new_in(look))

    def new_in(self, look: Look) -> list[UUID]:
        """The newest tasks of the socket's scopes that it does not follow yet, oldest first."""
        ours = [task_id for task_id, owner_id in look.new.items() if self.scope_of(owner_id)]
        return [
            task_id for task_id in reversed(ours[:SCOPE_TASKS_MAX]) if task_id not in self.tasks
        ]
