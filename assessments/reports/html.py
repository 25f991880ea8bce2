"""The report as one HTML file that needs nothing beside it: no script, its style inline, its values
escaped."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from assessments.reports.layout import blocks_of, title_of


def as_html(document: dict[str, Any]) -> bytes:
    context = {
        "title": title_of(document),
        "blocks": list(blocks_of(document)),
        "style": stylesheet(),
    }
    return render_to_string("assessments/report.html", context).encode()


@cache
def stylesheet() -> str:
    """The report's own stylesheet, ours alone and without anything uploaded in it."""
    return (settings.BASE_DIR / "templates" / "assessments" / "report.css").read_text()
