"""The examples of what assessments add to the REST API (``tasks_ui.examples``)."""

from __future__ import annotations

from tasks_ui.rest import examples
from tasks_ui.rest.examples import TASK_ID

ASSESSMENT_ID = "019ab3ef-9d0f-7d5e-8f2a-6b1c0d9e8f7a"
FINDING_ID = "019ab3f1-3c4d-7e2f-9a0b-1c2d3e4f5a6b"
FINGERPRINT = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
REPORT_ID = "019ab3f2-7e5d-7f10-b3c4-d5e6f7a8b9c0"

TERRAFORM = 'resource "aws_s3_bucket" "logs" {\n  bucket = "shop-logs"\n}\n'
RUN = {
    "number": 1,
    "status": "running",
    "task_id": TASK_ID,
    "created_at": "2026-11-23T16:00:00Z",
    "finished_at": None,
    "needs_attention": [],
}
ABOUT = {"id": ASSESSMENT_ID, "name": "shop", "created_at": "2026-11-23T16:00:00Z", "files": 1}
QUEUED = {
    "assessment_id": ASSESSMENT_ID,
    "task_id": TASK_ID,
    "status": "queued",
    "message": "The analysis is queued.",
    "check_status_url": f"/api/v1/tasks/{TASK_ID}/status",
}
REPORT = {
    "id": REPORT_ID,
    "run": 1,
    "kind": "technical",
    "format": "json",
    "task_id": examples.NEW_TASK_ID,
    "created_at": "2026-11-23T16:05:00Z",
    "is_ready": False,
    "url": f"/api/v1/assessments/{ASSESSMENT_ID}/reports/{REPORT_ID}/download",
}

examples.PARAMETERS |= {
    "assessment_id": ASSESSMENT_ID,
    "number": 1,
    "report_id": REPORT_ID,
    "fingerprint": FINGERPRINT,
}
examples.EXAMPLES |= {
    "AssessmentIn": [
        {
            "name": "shop",
            "requirements": {
                "uptime_target_percent": 99.9,
                "provider": "aws",
                "regions": ["eu-central-1"],
            },
            "files": [{"path": "terraform/main.tf", "content": TERRAFORM}],
        },
        {"name": "before any code", "requirements": {"rps_peak": 400, "service_time_ms": 35}},
    ],
    "AssessmentDetail": [{**ABOUT, "requirements": {"uptime_target_percent": 99.9}, "runs": [RUN]}],
    "AssessmentPage": [{"total": 1, "assessments": [ABOUT], "next_cursor": None}],
    "AnalyzeOut": [QUEUED],
    "MuteIn": [
        {
            "finding": FINDING_ID,
            "reason": "Reached through the VPN alone.",
            "expires_at": "2099-06-30T00:00:00Z",
        },
        {"finding": FINDING_ID, "reason": "A test account without data."},
    ],
    "MuteOut": [
        {
            "fingerprint": FINGERPRINT,
            "reason": "Reached through the VPN alone.",
            "expires_at": "2099-06-30T00:00:00Z",
            "created_at": "2026-11-23T16:10:00Z",
            "by": "ada",
            "in_force": True,
        }
    ],
    "ReportIn": [{"kind": "technical", "format": "json"}],
    "ReportOut": [REPORT],
    "ReportPage": [{"run": 1, "reports": [REPORT], "next_cursor": None}],
}
