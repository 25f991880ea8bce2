"""Reports of a run: one document (``document.py``), written in the requested format."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from assessments.models import Report
from assessments.reports.csv import as_csv
from assessments.reports.document import build
from assessments.reports.html import as_html
from assessments.reports.json import as_json
from assessments.reports.markdown import as_markdown
from assessments.reports.pdf import as_pdf
from assessments.reports.sarif import as_sarif

if TYPE_CHECKING:
    from tasks_ui.worker.work import Work

WRITERS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    Report.Format.HTML: as_html,
    Report.Format.PDF: as_pdf,
    Report.Format.MARKDOWN: as_markdown,
    Report.Format.JSON: as_json,
    Report.Format.SARIF: as_sarif,
    Report.Format.CSV: as_csv,
}
CONTENT_TYPES = {
    Report.Format.HTML: "text/html; charset=utf-8",
    Report.Format.PDF: "application/pdf",
    Report.Format.MARKDOWN: "text/markdown; charset=utf-8",
    Report.Format.JSON: "application/json",
    Report.Format.SARIF: "application/sarif+json",
    Report.Format.CSV: "text/csv; charset=utf-8",
}


def generate(work: Work, report: Report) -> dict[str, Any]:
    """Build the document and write it. The units of work are the document's sections, and the
    writing."""
    document = build(report, on_progress=work.report)
    content = WRITERS[report.format](document)
    work.save_with_result(lambda: store(report, content))
    return {
        "report_id": str(report.pk),
        "report_type": report.kind,
        "format": report.format,
        "bytes": len(content),
    }


def store(report: Report, content: bytes) -> None:
    Report.objects.filter(pk=report.pk).update(content=content)
