"""The REST API v1: assessments, their runs, and what the runs found."""

from __future__ import annotations

from assessments.rest import (
    assessments,
    examples,  # noqa: F401  (adds to the API's examples)
    findings,
    mutes,
    reports,
    runs,
)
from tasks_ui.rest.api import api

api.description = f"Assess infrastructure as code. {api.description}"
api.extra_schemas = [assessments.AssessmentIn]
for part in (assessments, runs, findings, reports, mutes):
    api.add_router("/assessments", part.router, tags=["assessments"])
