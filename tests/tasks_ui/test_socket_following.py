"""What one socket sends when progress arrives in a different order than it was written."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from uuid_utils.compat import uuid7

from tasks_ui import protocol as p
from tasks_ui.live.following import Following
from tasks_ui.models import State

ALICE = 1
PARENT, CHILD = uuid7(), uuid7()


def task(task_id: UUID, *, current: int, attempt: int = 1, **more: Any) -> p.TaskOut:
    fields = {name: None for name in p.TaskOut.model_fields}
    now = timezone.now()
    known = {"task_id": task_id, "state": State.PROGRESS, "attempt": attempt, "current": current}
    return p.TaskOut.model_construct(**{**fields, "created_at": now, **known, **more})


@pytest.fixture
def following() -> Following:
    """A socket that follows a parent at 60 % and its child at 100 of 493; event 5 was the last."""
    following = Following(ALICE)
    children = [task(CHILD, current=100, parent_id=PARENT)]
    snapshot = p.Snapshot.model_construct(
        task=task(PARENT, current=60), children=children, last_seq=5
    )
    following.begin(snapshot, seq=5)
    return following


def takes(following: Following, task_id: UUID, current: int, *, attempt: int = 1) -> bool:
    total, parent_id = (493, PARENT) if task_id == CHILD else (100, None)
    frame = p.Progress(
        task_id=task_id,
        parent_id=parent_id,
        attempt=attempt,
        current=current,
        total=total,
        message="",
        children={},
    )
    return following.takes(frame, owner_id=ALICE)


def happen(following: Following, seq: int, event: str, **data: Any) -> None:
    following.sent(p.Event(task_id=PARENT, seq=seq, event=event, at=timezone.now(), data=data))


def test_progress_older_than_the_snapshot_or_than_what_was_sent_is_dropped(
    following: Following,
) -> None:
    assert not takes(following, PARENT, 59)
    assert not takes(following, CHILD, 99)
    assert takes(following, PARENT, 90)
    assert not takes(following, PARENT, 61), "90 was sent before"
    assert takes(following, CHILD, 493)
    assert not takes(following, CHILD, 492)


def test_progress_older_than_an_event_is_dropped(following: Following) -> None:
    happen(following, 6, "stage.finished", stage="scan", parent_current=90)
    assert not takes(following, PARENT, 61)
    assert takes(following, PARENT, 91)


def test_a_later_attempt_starts_over_and_progress_of_the_earlier_one_is_dropped(
    following: Following,
) -> None:
    data = {"task_id": str(CHILD), "state": "STARTED", "attempt": 2, "current": 0}
    happen(following, 6, "child.started", **data, parent_current=60)
    assert not takes(following, CHILD, 493, attempt=1)
    assert takes(following, CHILD, 1, attempt=2)


def test_nothing_is_sent_after_the_end_of_the_work(following: Following) -> None:
    data = {"task_id": str(CHILD), "state": "SUCCESS", "attempt": 1, "current": 493}
    happen(following, 6, "child.succeeded", **data, parent_current=60)
    assert not takes(following, CHILD, 493)
    happen(following, 7, "task.succeeded", state="SUCCESS", attempt=1, current=100)
    assert not takes(following, PARENT, 100)


def test_a_replay_of_the_past_does_not_change_what_the_snapshot_said(following: Following) -> None:
    happen(following, 2, "task.started", state="STARTED", attempt=1, current=0)
    happen(following, 3, "child.started", task_id=str(CHILD), state="FAILURE")
    assert not takes(following, PARENT, 59)
    assert takes(following, CHILD, 101)


def test_nothing_of_another_owner_is_sent(following: Following) -> None:
    frame = p.Progress(task_id=PARENT, attempt=1, current=99, total=100, message="", children={})
    assert not following.takes(frame, owner_id=2)


def test_a_move_to_another_queue_is_an_event_that_changes_no_state(following: Following) -> None:
    happen(following, 6, "task.expedited", by="olga", from_queue="default", queue="priority")
    assert following.tasks[PARENT].seq == 6
    assert takes(following, PARENT, 61)
