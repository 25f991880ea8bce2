"""The map of the run and the paths from the internet to its data."""

from __future__ import annotations

from typing import Any

from assessments.diagram.fold import view_of
from assessments.diagram.layout import layout_of
from assessments.diagram.svg import Look, svg_of
from assessments.diagram.types import INTERNET, Diagram
from assessments.mapping import map_of
from assessments.models import Report
from assessments.reports.document.scope import within

DRAWN_IN = {Report.Format.HTML, Report.Format.PDF}


def map_section(report: Report) -> dict[str, Any]:
    """``paths`` in words, each step with its ``source`` (file and line); ``svg`` is the drawing, in
    formats that can display one. Empty without a map."""
    whole = map_of(report.run)
    drawn = whole and within(whole, report.scope)
    if drawn is None or not drawn.nodes:
        return {}
    section: dict[str, Any] = {"paths": _paths(drawn), "more_paths": drawn.paths_left_out}
    if report.format in DRAWN_IN:
        view = view_of(drawn, with_references=False)
        section["svg"] = svg_of(layout_of(view), look=Look(), title="Map")
    return section


def _paths(drawn: Diagram) -> list[list[dict[str, Any]]]:
    names = {node.id: node.address for node in drawn.nodes} | {INTERNET: "Internet"}
    return [
        [
            {
                "from": names[step.source],
                "to": names[step.target],
                "why": step.why,
                "source": step.place,
                "opened_by": [opening.title for opening in step.opened_by],
            }
            for step in path.steps
        ]
        for path in drawn.paths
    ]
