"""The report as one self-contained HTML file: contents that link to its parts, no script, its style
inline, its values escaped."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from assessments.reports.layout import blocks_of, title_of
from assessments.reports.layout.blocks import Block, Heading


def as_html(document: dict[str, Any]) -> bytes:
    blocks = list(blocks_of(document))
    context = {
        "title": title_of(document),
        "blocks": blocks,
        "contents": contents_of(blocks),
        "style": stylesheet(),
    }
    return render_to_string("assessments/report.html", context).encode()


def contents_of(blocks: Iterable[Block]) -> list[tuple[Heading, list[Heading]]]:
    """The headings that the sidebar links to, each with the listed ones under it."""
    contents: list[tuple[Heading, list[Heading]]] = []
    for block in blocks:
        if isinstance(block, Heading) and block.anchor:
            if block.level == 2:
                contents.append((block, []))
            elif block.is_listed and contents:
                contents[-1][1].append(block)
    return contents


@cache
def stylesheet() -> str:
    """The report's own stylesheet, written by us, with nothing uploaded in it."""
    return (settings.BASE_DIR / "templates" / "assessments" / "report.css").read_text()
