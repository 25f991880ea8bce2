"""What the HTML report does to text."""

from __future__ import annotations

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from assessments.reports.columns import ZERO_WIDTH_SPACE, breakable

register = template.Library()


@register.filter
def wrapping(text: str) -> SafeString:
    """Text whose long words may wrap after their separators, and are still copied unchanged."""
    escaped = escape(breakable(text))
    return mark_safe(escaped.replace(ZERO_WIDTH_SPACE, "<wbr>"))  # noqa: S308 - escaped above
