"""The examples of what assessments add to the REST API (``tasks_ui.examples``)."""

from __future__ import annotations

from typing import Any

from tasks_ui.rest import examples
from tasks_ui.rest.examples import TASK_ID

ASSESSMENT_ID = "019ab3ef-9d0f-7d5e-8f2a-6b1c0d9e8f7a"
FINDING_ID = "019ab3f1-3c4d-7e2f-9a0b-1c2d3e4f5a6b"
FINGERPRINT = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
RUN_ID = "019ab3f0-1a2b-7c3d-8e4f-5a6b7c8d9e0f"
REPORT_ID = "019ab3f2-7e5d-7f10-b3c4-d5e6f7a8b9c0"

TERRAFORM = 'resource "aws_s3_bucket" "logs" {\n  bucket = "shop-logs"\n}\n'
PRICE_BOOK = "instance_type,region,price\nm5.large,eu-west-1,0.081\n"
PRICE_ROW = {
    "line": 2,
    "provider": "",
    "service": "",
    "resource_type": "",
    "instance_type": "m5.large",
    "region": "eu-west-1",
    "component": "",
    "price": "0.081",
    "unit": "hour",
    "discount_percent": "",
    "source": "",
}
RUN = {
    "id": RUN_ID,
    "number": 1,
    "version": 1,
    "status": "running",
    "task_id": TASK_ID,
    "created_at": "2026-11-23T16:00:00Z",
    "finished_at": None,
    "needs_attention": [],
}
ABOUT = {
    "id": ASSESSMENT_ID,
    "name": "shop",
    "created_at": "2026-11-23T16:00:00Z",
    "version": 1,
    "files": 1,
}
VERSION = {
    "number": 2,
    "source": "api",
    "created_by": "ada",
    "created_at": "2026-11-24T09:00:00Z",
    "file_count": 1,
    "files_dropped_at": None,
}
VERSION_FILE = {
    "path": "terraform/main.tf",
    "kind": "unknown",
    "size": 61,
    "sha256": "0c1a0c1cbf7a2f3ba58ed0a1b3d1d3f9a4d0f0a3a0f5a9c8b7d6e5f4a3b2c1d0",
}
COMPARED_RUN = {"id": RUN_ID, "assessment_id": ASSESSMENT_ID, "number": 1, "version": 1}
NONE = {"total": 0, "findings": []}
SAME = {"before": None, "now": None, "change": None}
MEASURE: dict[str, Any] = {**SAME, "unit": "", "is_partial": False, "total": 0, "resources": []}
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
    "scope": "",
    "task_id": examples.NEW_TASK_ID,
    "created_at": "2026-11-23T16:05:00Z",
    "is_ready": False,
    "url": f"/api/v1/assessments/{ASSESSMENT_ID}/reports/{REPORT_ID}/download",
}

examples.PARAMETERS |= {
    "assessment_id": ASSESSMENT_ID,
    "number": 1,
    "run_id": RUN_ID,
    "with": RUN_ID,
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
    "VersionIn": [
        {"mode": "change", "files": [{"path": "terraform/main.tf", "content": TERRAFORM}]},
        {"files": [{"path": "terraform/main.tf", "content": TERRAFORM}]},
    ],
    "VersionDetail": [{**VERSION, "files": [VERSION_FILE]}],
    "VersionPage": [{"total": 1, "versions": [VERSION], "next_cursor": None}],
    "AnalyzeIn": [
        {"assessment": "shop", "files": [{"path": "terraform/main.tf", "content": TERRAFORM}]}
    ],
    "ComparisonOut": [
        {
            "run": COMPARED_RUN,
            "before": COMPARED_RUN,
            "findings": dict.fromkeys(
                ("new", "reopened", "persisting", "fixed", "unchecked"), NONE
            ),
            "scores": [{"agent": "security", **SAME}],
            "cost": MEASURE,
            "energy": MEASURE,
            "carbon": MEASURE,
        }
    ],
    "AnalyzeOut": [QUEUED],
    "MuteIn": [
        {
            "finding": FINDING_ID,
            "reason": "Reachable only over the VPN.",
            "expires_at": "2099-06-30T00:00:00Z",
        },
        {"finding": FINDING_ID, "reason": "A test account without data."},
    ],
    "MuteOut": [
        {
            "fingerprint": FINGERPRINT,
            "reason": "Reachable only over the VPN.",
            "expires_at": "2099-06-30T00:00:00Z",
            "created_at": "2026-11-23T16:10:00Z",
            "by": "ada",
            "in_force": True,
        }
    ],
    "PriceBookIn": [{"name": "contract.csv", "content": PRICE_BOOK}],
    "PriceBookOut": [
        {"name": "contract.csv", "changed_at": "2026-11-23T16:10:00Z", "rows": [PRICE_ROW]}
    ],
    "ReportIn": [{"kind": "technical", "format": "json"}],
    "ReportOut": [REPORT],
    "ReportPage": [{"run": 1, "reports": [REPORT], "next_cursor": None}],
}
