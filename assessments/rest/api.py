"""The REST API v1: assessments, their runs and results."""

from __future__ import annotations

from assessments.rest import (
    assessments,
    compare,
    examples,  # noqa: F401  (adds to the API's examples)
    findings,
    map,
    mutes,
    price_book,
    reports,
    runs,
    uploads,
    versions,
)
from tasks_ui.rest.api import api

api.description = f"Assess infrastructure as code. {api.description}"
api.extra_schemas = [uploads.AssessmentIn, uploads.VersionIn, uploads.AnalyzeIn]
for part in (assessments, versions, runs, map, findings, reports, mutes):
    api.add_router("/assessments", part.router, tags=["assessments"])
api.add_router("/price-book", price_book.router, tags=["price book"])
api.add_router("/runs", compare.router, tags=["assessments"])
