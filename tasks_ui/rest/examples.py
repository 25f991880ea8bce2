"""The examples of both APIs' documents, by the name of the schema. A test runs each.

``PARAMETERS`` are examples of URL parameters, by name. Apps that extend the API add to both.
"""

from __future__ import annotations

from typing import Any

TASK_ID = "019ab3f0-5c1e-7a52-9d3b-4f2f6f3c8e10"
CHILD_ID = "019ab3f0-5c2a-7b61-8a2c-0d9c1e7b5a33"
NEW_TASK_ID = "019ab3f4-0b7d-7c19-a6e5-8c1d2e3f4a5b"

PARAMETERS: dict[str, Any] = {"task_id": TASK_ID}

TASK: dict[str, Any] = {
    "task_id": TASK_ID,
    "parent_id": None,
    "again_of_id": None,
    "owner": "ada",
    "kind": "process_assessment",
    "title": "shop run 1",
    "stage": "",
    "state": "PROGRESS",
    "partial": False,
    "attempt": 1,
    "max_attempts": 4,
    "weight": 0.0,
    "current": 31,
    "total": 100,
    "percent": 31,
    "message": "Scanning",
    "queue": "assessments",
    "worker": "worker1@host",
    "created_at": "2026-11-23T16:00:00Z",
    "queued_at": "2026-11-23T16:00:00Z",
    "started_at": "2026-11-23T16:00:00.120Z",
    "finished_at": None,
    "next_retry_at": None,
    "cancel_requested_at": None,
    "error_code": "",
    "error": "",
    "last_seq": 7,
    "url": "/assessments/019ab3ef-9d0f-7d5e-8f2a-6b1c0d9e8f7a/runs/1/",
}
CHILD = {
    **TASK,
    "task_id": CHILD_ID,
    "parent_id": TASK_ID,
    "kind": "scan",
    "title": "Terraform, root",
    "stage": "scan",
    "weight": 20.0,
    "current": 6,
    "total": 9,
    "percent": 66,
    "message": "vpc.tf",
    "last_seq": 3,
    "url": None,
}
STATE = {
    "state": "STARTED",
    "attempt": 1,
    "max_attempts": 4,
    "current": 0,
    "total": 100,
    "message": "",
    "worker": "worker1@host",
    "next_retry_at": None,
    "error_code": "",
    "error": "",
}
EVENT = {
    "task_id": TASK_ID,
    "seq": 2,
    "event": "task.started",
    "at": "2026-11-23T16:00:00.120Z",
    "data": STATE,
}

EXAMPLES: dict[str, list[Any]] = {
    # REST
    "BulkIn": [
        {"action": "cancel", "ids": [TASK_ID]},
        {"action": "retry", "filter": {"state": ["FAILURE"], "kind": "process_assessment"}},
    ],
    "BulkOut": [
        {
            "results": [
                {
                    "task_id": TASK_ID,
                    "outcome": "done",
                    "message": "Queued again.",
                    "state": "FAILURE",
                    "new_task_id": NEW_TASK_ID,
                }
            ],
            "remaining": 0,
        }
    ],
    "CancelOut": [
        {
            "task_id": TASK_ID,
            "status": "CANCELLING",
            "message": "Cancelling: the work is being stopped.",
        },
    ],
    "EventPage": [{"events": [EVENT], "last_seq": 7}],
    "Problem": [
        {
            "type": "about:blank",
            "title": "Unprocessable Entity",
            "status": 422,
            "detail": "The request has invalid fields.",
            "errors": [{"path": "limit", "message": "Input should be greater than or equal to 1"}],
        }
    ],
    "RetryOut": [
        {
            "task_id": NEW_TASK_ID,
            "again_of": TASK_ID,
            "status": "queued",
            "message": "The task is queued again.",
            "check_status_url": f"/api/v1/tasks/{NEW_TASK_ID}/status",
        }
    ],
    "TaskDetail": [{**TASK, "children": [CHILD]}],
    "TaskPage": [{"total": 1, "counts": {"PROGRESS": 1}, "tasks": [TASK], "next_cursor": None}],
    "TaskResultOut": [{"task_id": TASK_ID, "state": "SUCCESS", "result": {"status": "completed"}}],
    "TaskStatus": [
        {
            "task_id": TASK_ID,
            "state": "PROGRESS",
            "current": 31,
            "total": 100,
            "status": "Scanning",
            "result": None,
        },
        {
            "task_id": TASK_ID,
            "state": "FAILURE",
            "current": 12,
            "total": 100,
            "status": "Reading files",
            "result": None,
            "error": "No file could be read.",
        },
    ],
    "TicketOut": [{"ticket": "q0vY3c-example-of-a-ticket", "expires_at": "2026-11-23T16:01:00Z"}],
    # the socket: what a client sends
    "Subscribe": [
        {"type": "subscribe", "task_id": TASK_ID, "after_seq": 0, "ref": "first"},
        {"type": "subscribe", "scope": "mine"},
    ],
    "Unsubscribe": [
        {"type": "unsubscribe", "task_id": TASK_ID},
        {"type": "unsubscribe", "scope": "mine"},
    ],
    "Ping": [{"type": "ping", "ref": 1}],
    # the socket: what the server sends
    "Welcome": [
        {
            "v": 1,
            "type": "welcome",
            "user": "ada",
            "heartbeat_s": 20,
            "server_time": "2026-11-23T16:00:01Z",
        },
    ],
    "Snapshot": [{"v": 1, "type": "snapshot", "task": TASK, "children": [CHILD], "last_seq": 7}],
    "Event": [{"v": 1, "type": "event", **EVENT}],
    "Progress": [
        {
            "v": 1,
            "type": "progress",
            "task_id": TASK_ID,
            "parent_id": None,
            "attempt": 1,
            "current": 33,
            "total": 100,
            "message": "Scanning",
            "children": {CHILD_ID: 7},
        }
    ],
    "CaughtUp": [
        {"v": 1, "type": "caught_up", "task_id": TASK_ID, "scope": None, "last_seq": 7},
        {"v": 1, "type": "caught_up", "task_id": None, "scope": "mine", "last_seq": 0},
    ],
    "ResyncRequired": [{"v": 1, "type": "resync_required", "task_id": TASK_ID, "reason": "ahead"}],
    "Revoked": [{"v": 1, "type": "revoked", "task_id": TASK_ID}],
    "Pong": [{"v": 1, "type": "pong", "ref": 1}],
    "Error": [
        {
            "v": 1,
            "type": "error",
            "code": "not_found",
            "message": "You have no such task.",
            "ref": "first",
        },
    ],
}
