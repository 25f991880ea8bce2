"""The inventory: every resource of a run with its findings, cost, availability, carbon and
location.

The resources are those of the scan; the figures beside them come from the agents' tables, by scope
and address. A resource without a figure has none, not 0.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from assessments.listing import KIND_WORDS
from assessments.models import AssessmentRun
from assessments.pages.queries import changed, toggled
from assessments.pages.report_tables import keys_by_label, rows_of, tables_of
from assessments.pages.runs import run_or_404
from assessments.pages.scopes import scope_labels
from assessments.scan.types import FileKind
from tasks_ui.access.sign_in import SignedInRequest

if TYPE_CHECKING:
    from django.http import QueryDict

PER_PAGE = 50
MAX_SHOWN = 40
"""How many values of one filter are offered."""
FACETS = {"scope": "Scope", "type": "Type", "provider": "Provider", "kind": "File kind"}


@dataclass(kw_only=True)
class Item:
    """One resource. ``cost`` is USD a month, ``carbon`` kgCO2e a month, ``availability`` percent by
    SLA; None if the agents give none."""

    address: str
    type: str
    provider: str
    scope: str
    scope_label: str
    kind: str
    file: str
    line: int
    region: str
    note: str
    severities: dict[int, int] = field(default_factory=dict)
    cost: float | None = None
    is_unpriced: bool = False
    availability: float | None = None
    carbon: float | None = None

    @property
    def findings(self) -> int:
        return sum(self.severities.values())

    @property
    def shown_availability(self) -> str:
        """To four decimals, of which only those that say something: 99.5 or 99.995."""
        return f"{self.availability or 0:.4f}".rstrip("0").rstrip(".")

    @property
    def severity_order(self) -> tuple[int, ...]:
        return tuple(self.severities.get(level, 0) for level in (4, 3, 2, 1, 0))

    def value_of(self, facet: str) -> str:
        return str(getattr(self, facet))


ORDERS: dict[str, tuple[str, Callable[[Item], Any]]] = {
    "address": ("Resource", lambda item: ""),
    "findings": ("Findings", lambda item: tuple(-n for n in item.severity_order)),
    "type": ("Type", lambda item: item.type),
    "cost": ("USD a month", lambda item: -(item.cost if item.cost is not None else -1)),
    "availability": (
        "Availability",
        lambda item: item.availability if item.availability is not None else 101,
    ),
    "carbon": ("kgCO2e a month", lambda item: -(item.carbon if item.carbon is not None else -1)),
    "file": ("Declared at", lambda item: (item.file, item.line)),
}


@login_required
@require_GET
def inventory(request: SignedInRequest, assessment_id: UUID, number: int) -> HttpResponseBase:
    run = run_or_404(request, assessment_id, number, with_resources=True)
    return render(request, "assessments/inventory.html", context_of(run, query=request.GET))


def context_of(run: AssessmentRun, *, query: QueryDict) -> dict[str, Any]:
    every = items_of(run)
    q = query.get("q", "").strip().lower()[:100]
    chosen = {name: set(query.getlist(name)[:30]) - {""} for name in FACETS}
    found = [item for item in every if q in item.address.lower() or q in item.file.lower()]
    mine = [item for item in found if _passes(item, chosen)]
    order = query.get("order", "")
    order = order if order in ORDERS else "findings"
    rows = sorted(mine, key=lambda item: (ORDERS[order][1](item), item.scope, item.address))
    return {
        "tab": "inventory",
        "run": run,
        "total": len(every),
        "has_scopes": len(run.scopes) > 1,
        "q": q,
        "page": Paginator(rows, PER_PAGE).get_page(query.get("page", "")),
        "order": order,
        "columns": [(key, label, changed(query, order=key)) for key, (label, _) in ORDERS.items()],
        "facets": _facets(found, chosen, scope_labels(run), query),
        "are_set": bool(q or any(chosen.values())),
        "kept": [
            (name, value)
            for name, values in query.lists()
            if name not in {"q", "page"}
            for value in values
        ],
    }


def items_of(run: AssessmentRun) -> list[Item]:
    """The resources of a run with everything known about each, in a fixed number of queries."""
    labels = scope_labels(run)
    reports = {report.agent: report for report in run.reports.all()}
    keys = keys_by_label(run.scopes)
    severities = _severities(run)
    cost: Counter[tuple[str, str]] = Counter()
    for place, row in _placed(reports.get("cost"), "cost", keys):
        cost[place] += row["cost"]
    carbon: Counter[tuple[str, str]] = Counter()
    for place, row in _placed(reports.get("sustainability"), "carbon", keys):
        carbon[place] += row["carbon"]
    unpriced = {place for place, _ in _placed(reports.get("cost"), "unpriced", keys)}
    available = {
        place: row["availability"]
        for table in ("request_path", "tiers_apart")
        for place, row in _placed(reports.get("reliability"), table, keys)
    }
    items = [
        _item(resource, labels) for resource in run.resources if resource["type"] != "provider"
    ]
    for item in items:
        place = (item.scope, item.address)
        item.severities = severities.get(place, {})
        item.cost = round(cost[place], 2) if place in cost else None
        item.carbon = round(carbon[place], 2) if place in carbon else None
        item.is_unpriced = place in unpriced
        item.availability = available.get(place)
    return items


def _item(resource: Mapping[str, Any], labels: Mapping[str, str]) -> Item:
    count = "" if resource.get("count_known", True) else "At least 1 of it"
    kind = resource.get("origin", "")
    return Item(
        address=resource["address"],
        type=resource["type"],
        provider=resource.get("provider", ""),
        scope=resource.get("scope", ""),
        scope_label=labels.get(resource.get("scope", ""), ""),
        kind=KIND_WORDS[FileKind(kind)] if kind else "",
        file=resource.get("file", ""),
        line=resource.get("line_start", 0),
        region=resource.get("region", ""),
        note=resource.get("uncertain", "") or count,
    )


def _severities(run: AssessmentRun) -> dict[tuple[str, str], dict[int, int]]:
    found: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    rows = run.findings.counted().unmuted().exclude(resource="").order_by()
    for scope, resource, level, count in rows.values_list("scope", "resource", "severity").annotate(
        n=Count("pk")
    ):
        found[scope, resource][level] = count
    return found


def _placed(
    report: Any, table: str, keys: Mapping[str, str]
) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """The rows of an agent's table, each with its scope's key and its resource's address."""
    for row in rows_of(tables_of(report).get(table)):
        if row.get("resource"):
            yield (keys.get(row["scope"], row["scope"]), row["resource"]), row


def _passes(item: Item, chosen: Mapping[str, set[str]], *, but: str = "") -> bool:
    return all(
        not values or name == but or item.value_of(name) in values
        for name, values in chosen.items()
    )


def _facets(
    found: Sequence[Item],
    chosen: Mapping[str, set[str]],
    scopes: Mapping[str, str],
    query: QueryDict,
) -> list[dict[str, Any]]:
    facets = []
    for name, label in FACETS.items():
        if name == "scope" and not scopes:
            continue
        counts = Counter(item.value_of(name) for item in found if _passes(item, chosen, but=name))
        values = [v for v, _ in counts.most_common(MAX_SHOWN) if v] + sorted(
            value for value in chosen[name] if value not in dict(counts.most_common(MAX_SHOWN))
        )
        if len(values) > 1 or chosen[name]:
            facets.append(
                {
                    "label": label,
                    "chosen": [scopes.get(v, v) for v in values if v in chosen[name]],
                    "choices": [
                        (scopes.get(v, v), counts[v], toggled(query, name, v), v in chosen[name])
                        for v in values
                    ],
                    "left_out": max(0, len([v for v in counts if v]) - MAX_SHOWN),
                }
            )
    return facets
