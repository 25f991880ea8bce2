"""The conversation about tasks on one socket: subscribing, live events, and catching up.

An event from the channel layer is sent only if it is the task's next one; whatever is missing is
read from the database first. So the client gets each event once and in order, even though the
layer's messages may be lost, duplicated or late.
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from django.utils import timezone

from tasks_ui import groups
from tasks_ui import protocol as p
from tasks_ui.access import audit, auth
from tasks_ui.live import counters, reading
from tasks_ui.live.following import Following
from tasks_ui.live.membership import Membership
from tasks_ui.live.outgoing import Outgoing
from tasks_ui.live.reading import Look, in_database
from tasks_ui.models import TaskRun, TaskRunQuerySet
from tasks_ui.runs import log_context

logger = logging.getLogger(__name__)

SUBSCRIPTIONS_MAX = 100


class Subscriptions:
    def __init__(
        self, credential: auth.Credential, *, outgoing: Outgoing, membership: Membership
    ) -> None:
        self.following = Following(credential.user.pk)
        self._credential = credential
        self._outgoing = outgoing
        self._membership = membership

    async def subscribe(self, message: p.Subscribe) -> None:
        if message.task_id is not None:
            await self._follow_task(message, message.task_id)
        else:
            await self._follow_scope(message, str(message.scope))

    async def unsubscribe(self, message: p.Unsubscribe) -> None:
        if message.task_id is not None:
            await self._forget(message.task_id)
        else:
            await self._forget_scope(str(message.scope))

    async def revoke_scope(self, scope: str) -> None:
        """End a scope that the user may no longer see."""
        await self._forget_scope(scope)
        await self._outgoing.send(p.Revoked(task_id=None))

    async def revoke_reading(self) -> None:
        """End what is followed of other people's tasks that the user may no longer read."""
        for task_id in self.following.read:
            await self._revoke(task_id)

    async def pass_on(self, message: dict[str, Any]) -> None:
        """Send an event from the layer if it is the next one; if it is a later one, fill the gap
        from the database."""
        task_id = UUID(message["task_id"])
        followed = self.following.tasks.get(task_id)
        if followed is None:
            if scope := self.following.scope_of(message["owner_id"]):
                await self._introduce(task_id, scope)
        elif not self.following.may_see(message["owner_id"], followed):
            await self._revoke(task_id)
        elif message["seq"] == followed.seq + 1:
            fields = {key: message[key] for key in ("seq", "event", "at", "data")}
            await self._send_event(p.Event(task_id=task_id, **fields))
        elif message["seq"] > followed.seq:
            await self._fill(task_id)

    async def catch_up(self, look: Look) -> None:
        """Act on a look: missed events, tasks that are gone or someone else's, groups that were not
        joined."""
        await self._membership.join()
        for task_id in look.asked & self.following.tasks.keys():
            seen = look.tasks.get(task_id)
            if seen is None:
                await self._outgoing.send(p.ResyncRequired(task_id=task_id, reason="gone"))
                await self._forget(task_id)
            elif not self.following.may_see(seen.owner_id, self.following.tasks[task_id]):
                await self._revoke(task_id)
            elif seen.last_seq > self.following.tasks[task_id].seq:
                await self._fill(task_id)
        for task_id in self.following.new_in(look):
            await self._introduce(task_id, self.following.scope_of(look.new[task_id]))

    async def _follow_task(self, message: p.Subscribe, task_id: UUID) -> None:
        """Authorize, join, snapshot, replay, caught up; then live. Someone else's task is reported
        as unknown, except to staff who read its page."""
        if len(self.following.asked_for) >= SUBSCRIPTIONS_MAX:
            words = (
                f"A socket follows at most {SUBSCRIPTIONS_MAX} tasks. Unsubscribe from one first."
            )
            return await self._refuse("too_many_subscriptions", words, message)
        snapshot = None
        is_own = await in_database(lambda: self._own().filter(pk=task_id).exists())
        is_read = not is_own and await in_database(lambda: self._opens(task_id))
        if is_own or is_read:
            await self._membership.join(
                groups.task(task_id)
            )  # first, so that no event falls between
            runs = TaskRun.objects.all() if is_read else self._visible()
            snapshot = await in_database(lambda: reading.snapshot(runs, task_id))
        if snapshot is None:
            return await self._refuse("not_found", "You have no such task.", message)
        await self._outgoing.send(snapshot)
        if message.after_seq > snapshot.last_seq:
            await self._outgoing.send(p.ResyncRequired(task_id=task_id, reason="ahead"))
        seq = min(message.after_seq, snapshot.last_seq)
        self.following.begin(snapshot, seq=seq, is_read=is_read)
        await self._fill(task_id)
        last_seq = self.following.tasks[task_id].seq
        await self._outgoing.send(p.CaughtUp(task_id=task_id, last_seq=last_seq))

    async def _follow_scope(self, message: p.Subscribe, scope: str) -> None:
        if scope == "all":
            if not await in_database(lambda: self._credential.may_see_everything):
                words = "Only staff who may view and operate everyone's tasks can follow them."
                return await self._refuse("forbidden", words, message)
            await self._membership.join(groups.STAFF)
        self.following.scopes.add(scope)
        for task_id in await in_database(lambda: reading.unfinished(self._of_scope(scope))):
            await self._introduce(task_id, scope)
        await self._outgoing.send(p.CaughtUp(task_id=None, scope=message.scope, last_seq=0))

    async def _introduce(self, task_id: UUID, scope: str) -> None:
        """Start to follow a task of a scope."""
        if task_id in self.following.tasks:
            return
        snapshot = await in_database(lambda: reading.snapshot(self._visible(), task_id))
        if snapshot is None or snapshot.task.parent_id is not None:
            return
        self.following.begin(snapshot, seq=snapshot.last_seq, by_scope=scope)
        await self._outgoing.send(snapshot)

    async def _fill(self, task_id: UUID) -> None:
        """Send missing events from the database, in batches, at the client's pace."""
        while (followed := self.following.tasks.get(task_id)) is not None:
            batch = await in_database(lambda seq=followed.seq: reading.events(task_id, after=seq))  # type: ignore[misc]
            for event in batch:
                await self._send_event(event)
            counters.REPLAYED.inc(len(batch))
            if len(batch) < reading.EVENTS_PER_BATCH:
                return

    async def _send_event(self, event: p.Event) -> None:
        await self._outgoing.send(event)
        followed = self.following.tasks[event.task_id]
        if event.seq > followed.since:
            counters.PUSH_LAG.observe((timezone.now() - event.at).total_seconds())
        was_final = followed.is_final
        self.following.sent(event)
        if followed.is_final and not was_final:
            self._note_end(event, root=followed.root)

    def _note_end(self, event: p.Event, *, root: UUID) -> None:
        """The last span of a run's trace: its final event has reached a client."""
        ids = {"task_id": event.task_id, "user_id": self._credential.user.pk}
        with log_context.bound(trace_id=log_context.trace_id(root), **ids):
            logger.info("Pushed %s, event %s", event.event, event.seq)
            began_ns = int(event.at.timestamp() * 1e9)
            log_context.span_ended(f"push {event.event}", began_ns=began_ns)

    async def _refuse(self, code: Any, words: str, message: p.Subscribe) -> None:
        await self._outgoing.send(p.Error(code=code, message=words, ref=message.ref))

    async def _revoke(self, task_id: UUID) -> None:
        await self._outgoing.send(p.Revoked(task_id=task_id))
        await self._forget(task_id)

    async def _forget(self, task_id: UUID) -> None:
        if self.following.end(task_id):
            await self._membership.leave(groups.task(task_id))

    async def _forget_scope(self, scope: str) -> None:
        self.following.end_scope(scope)
        if scope == "all":
            await self._membership.leave(groups.STAFF)

    def _opens(self, task_id: UUID) -> bool:
        """Whether the user may read someone else's task, which then is in the audit log."""
        run = TaskRun.objects.select_related("owner").filter(pk=task_id).first()
        if run is None or not self._credential.may_read_runs:
            return False
        about = f"{run.owner.get_username()}: live, {task_id}"
        audit.record_opening(about, by=self._credential.user)
        return True

    def _own(self) -> TaskRunQuerySet:
        return TaskRun.objects.visible_to(self._credential.user)

    def _visible(self) -> TaskRunQuerySet:
        return self._of_scope("all" if "all" in self.following.scopes else "mine")

    def _of_scope(self, scope: str) -> TaskRunQuerySet:
        return TaskRun.objects.all() if scope == "all" else self._own()
