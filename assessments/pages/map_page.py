"""What the map page shows: the drawing, the paths from the internet to data, one resource, and the
table of all resources."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from assessments.agents import AGENTS
from assessments.diagram.fold import MAX_DRAWN, Box, View, view_of, worst_of
from assessments.diagram.layout import layout_of
from assessments.diagram.svg import GROUP_WORDS, Look, svg_of
from assessments.diagram.types import INTERNET, Diagram, ExposurePath, Group, Node, Step
from assessments.mapping import map_of
from assessments.models import AssessmentRun, Finding
from tasks_ui.models import ACTIVE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import QueryDict

ROWS = 50
FINDINGS_SHOWN = 30
LINES_SHOWN = 30
MAX_IDS = 400
_ID = re.compile(r"[gkn]\d{1,6}")


@dataclass(frozen=True, kw_only=True)
class MapQuery:
    """The reader's choices, as stored in the URL."""

    pillar: str = ""
    references: bool = True
    cost: bool = False
    opened: frozenset[str] = frozenset()
    folded: frozenset[str] = frozenset()
    pick: str = ""
    q: str = ""
    page: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> MapQuery:
        pillar, pick = query.get("pillar", ""), query.get("pick", "")
        return cls(
            pillar=pillar if pillar in AGENTS else "",
            references=query.get("references") != "0",
            cost=query.get("cost") == "1",
            opened=_ids(query.get("open", "")),
            folded=_ids(query.get("fold", "")),
            pick=pick if _ID.fullmatch(pick) else "",
            q=query.get("q", "").strip()[:200],
            page=query.get("page", ""),
        )

    def link(self, **changes: Any) -> str:
        """The URL of the same page with other choices."""
        new = replace(self, **{"page": "", **changes})
        pairs = {
            "pillar": new.pillar,
            "references": "" if new.references else "0",
            "cost": "1" if new.cost else "",
            "open": ",".join(sorted(new.opened)),
            "fold": ",".join(sorted(new.folded)),
            "pick": new.pick,
            "q": new.q,
            "page": new.page,
        }
        return "?" + urlencode({name: value for name, value in pairs.items() if value})

    def toggled(self, box: Box) -> str:
        """Opens a folded group, folds an open one."""
        if box.is_open:
            return self.link(folded=self.folded | {box.id}, opened=self.opened - {box.id})
        return self.link(opened=self.opened | {box.id}, folded=self.folded - {box.id})


def _ids(text: str) -> frozenset[str]:
    return frozenset(_ID.findall(text[: MAX_IDS * 8])[:MAX_IDS])


def context_of(run: AssessmentRun, *, query: QueryDict) -> dict[str, Any]:
    """Everything that the page's template uses."""
    asked = MapQuery.of(query)
    drawn = map_of(run, agent=asked.pillar)
    task = run.task
    is_active = task is not None and task.state in ACTIVE
    context = {
        "run": run,
        "task": task,
        "is_active": is_active,
        "asked": asked,
        "watched": [(task.pk, task.last_seq)] if task and is_active else [],
        "pillars": _pillars(run, asked),
        "drawn": drawn,
    }
    if drawn is None:
        return context
    hits = _hits(drawn, asked.q)
    view = _view(drawn, asked, hits)
    names = _Names(drawn)
    return {
        **context,
        "svg": _svg(view, asked, run),
        "boxes": sum(1 for box in view.boxes if not box.is_open and box.id != INTERNET),
        "undrawn": sum(view.undrawn.values()),
        "undrawn_lines": view.undrawn_lines,
        "most": MAX_DRAWN,
        "hits": hits,
        "references_link": asked.link(references=not asked.references),
        "cost_link": asked.link(cost=not asked.cost),
        "has_cost": any(node.monthly_usd is not None for node in drawn.nodes),
        "reset_link": MapQuery(pillar=asked.pillar).link(),
        "is_changed": bool(asked.opened or asked.folded or asked.q),
        "export_link": reverse("run_map_svg", args=[run.assessment_id, run.number]) + asked.link(),
        "paths": [_path_row(path, names, asked) for path in drawn.paths],
        "exposed": _only_exposed(drawn, names, asked),
        "picked": _picked(run, drawn, asked, names),
        "rows": _rows(drawn, asked, hits, names),
    }


def svg_file(run: AssessmentRun, *, query: QueryDict) -> bytes | None:
    """The drawing as a file, in the light theme and without links; None without a scan."""
    asked = MapQuery.of(query)
    drawn = map_of(run, agent=asked.pillar)
    if drawn is None:
        return None
    layout = layout_of(_view(drawn, asked, _hits(drawn, asked.q)))
    look = Look(agent=asked.pillar, with_cost=asked.cost)
    return svg_of(layout, look=look, title=_title(run)).encode()


def _title(run: AssessmentRun) -> str:
    return f"Map of {run.assessment.name}, run {run.number}"


def _view(drawn: Diagram, asked: MapQuery, hits: list[Node]) -> View:
    """Groups that contain a search match or the selected resource are open."""
    wanted = {node.group for node in hits[:50]}
    wanted |= {node.group for node in drawn.nodes if node.id == asked.pick}
    return view_of(
        drawn,
        opened=asked.opened | (wanted - {""}),
        folded=asked.folded - wanted,
        with_references=asked.references,
    )


def _svg(view: View, asked: MapQuery, run: AssessmentRun) -> SafeString:
    def href(box: Box) -> str:
        if box.node:
            return asked.link(pick=box.node.id) + "#picked"
        return asked.toggled(box)

    look = Look(agent=asked.pillar, with_cost=asked.cost, href=href, selected=asked.pick)
    # Built as elements and serialized with escapes (diagram.svg): nothing uploaded is markup.
    return mark_safe(svg_of(layout_of(view), look=look, title=_title(run)))  # noqa: S308


def _hits(drawn: Diagram, words: str) -> list[Node]:
    wanted = words.lower()
    if not wanted:
        return []
    return [n for n in drawn.nodes if wanted in f"{n.name} {n.address} {n.words} {n.type}".lower()]


def _pillars(run: AssessmentRun, asked: MapQuery) -> list[tuple[str, str, bool]]:
    """Link, label, and whether it is selected."""
    present = [name for name in AGENTS if name in set(run.reports.values_list("agent", flat=True))]
    rows = [(asked.link(pillar=""), "All", not asked.pillar)]
    return rows + [
        (asked.link(pillar=name), AGENTS[name].label, asked.pillar == name) for name in present
    ]


class _Names:
    """Nodes, and the text saying where they are."""

    def __init__(self, drawn: Diagram) -> None:
        self.nodes: Mapping[str, Node] = {node.id: node for node in drawn.nodes}
        self._groups: Mapping[str, Group] = {group.id: group for group in drawn.groups}
        self.on_path = {step.target for path in drawn.paths for step in path.steps}
        self.after: dict[str, list[str]] = defaultdict(list)
        for link in drawn.links:
            self.after[link.source].append(link.target)

    def name(self, node: str) -> str:
        return "Internet" if node == INTERNET else self.nodes[node].name

    def where(self, node: Node) -> list[tuple[str, str]]:
        """The groups around it, outermost first: kind and label."""
        found: list[tuple[str, str]] = []
        group = self._groups.get(node.group)
        while group is not None:
            found.insert(0, (GROUP_WORDS[group.kind], group.label))
            group = self._groups.get(group.parent)
        return found


def _step_row(step: Step, names: _Names, asked: MapQuery) -> dict[str, Any]:
    return {
        "source": names.name(step.source),
        "target": names.nodes[step.target],
        "link": asked.link(pick=step.target) + "#picked",
        "why": step.why,
        "place": step.place,
        "opened_by": step.opened_by,
    }


def _path_row(path: ExposurePath, names: _Names, asked: MapQuery) -> dict[str, Any]:
    steps = [_step_row(step, names, asked) for step in path.steps]
    opened_by = [each for step in path.steps for each in step.opened_by]
    return {
        "id": path.id,
        "steps": steps,
        "title": " → ".join(["Internet", *(names.name(step.target) for step in path.steps)]),
        "worst": max((each.severity for each in opened_by), default=None),
        "findings": len({each.id for each in opened_by}),
    }


def _only_exposed(drawn: Diagram, names: _Names, asked: MapQuery) -> list[dict[str, Any]]:
    """What the internet can reach but leads to no data, as far as the code shows."""
    leading = {path.steps[0].target for path in drawn.paths}
    others = [entry for entry in drawn.entries if entry.target not in leading]
    return [_step_row(entry, names, asked) for entry in others[:60]]


def _picked(
    run: AssessmentRun, drawn: Diagram, asked: MapQuery, names: _Names
) -> dict[str, Any] | None:
    node = names.nodes.get(asked.pick)
    if node is None:
        return None
    links = [link for link in drawn.links if node.id in (link.source, link.target)]
    return {
        "node": node,
        "where": names.where(node),
        "findings": _findings(run, node, agent=asked.pillar),
        "count": sum(sum(counted) for counted in node.findings.values()),
        "most": FINDINGS_SHOWN,
        "lines": [
            {
                "link": asked.link(pick=other) + "#picked",
                "name": names.name(other),
                "words": _direction(link.source == node.id, is_request=link.is_request),
                "why": link.why,
                "place": link.place,
            }
            for link in links[:LINES_SHOWN]
            for other in [link.target if link.source == node.id else link.source]
        ],
        "more_lines": max(0, len(links) - LINES_SHOWN),
        "close": asked.link(pick=""),
    }


def _direction(is_source: bool, *, is_request: bool) -> str:
    if is_request:
        return "Sends requests to" if is_source else "Gets requests from"
    return "Names" if is_source else "Named by"


def _findings(run: AssessmentRun, node: Node, *, agent: str) -> list[Finding]:
    """The findings of the resource and its parts, worst first."""
    addresses = {_without_index(a) for a in [node.address, *(p.address for p in node.parts)]}
    rows = run.findings.filter(agent=agent) if agent else run.findings.counted()
    found = rows.unmuted().filter(scope=node.scope, resource__in=addresses | {node.address})
    return list(found.defer("detail")[:FINDINGS_SHOWN])


def _without_index(address: str) -> str:
    return re.sub(r"\[[^\]]{0,200}\]", "", address).split(" (")[0]


def _rows(drawn: Diagram, asked: MapQuery, hits: list[Node], names: _Names) -> dict[str, Any]:
    """A page of the table: everything in the drawing, and what it has no room for."""
    listed = hits if asked.q else drawn.nodes
    ordered = sorted(listed, key=lambda n: (n.id not in names.on_path, -worst_of(n, asked.pillar)))
    page = Paginator(ordered, ROWS).get_page(asked.page or 1)
    return {
        "page": page,
        "nodes": [_row(node, asked, names) for node in page],
        "previous": asked.link(page=str(page.previous_page_number()))
        if page.has_previous()
        else "",
        "next": asked.link(page=str(page.next_page_number())) if page.has_next() else "",
    }


def _row(node: Node, asked: MapQuery, names: _Names) -> dict[str, Any]:
    targets = [names.name(each) for each in names.after.get(node.id, ())]
    return {
        "node": node,
        "link": asked.link(pick=node.id) + "#picked",
        "where": names.where(node),
        "severities": _severities(node, asked.pillar),
        "on_path": node.id in names.on_path,
        "leads_to": targets[:3],
        "more": max(0, len(targets) - 3),
    }


def _severities(node: Node, agent: str) -> dict[int, int]:
    counts: dict[int, int] = defaultdict(int)
    for name, counted in node.findings.items():
        if not agent or name == agent:
            for level, count in enumerate(counted):
                counts[level] += count
    return counts
