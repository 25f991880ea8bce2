"""The document as blocks to read in sequence: what HTML, Markdown and PDF have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from assessments.models import Report
from assessments.reports.layout.blocks import (
    Bars,
    Block,
    Drawing,
    Heading,
    Notice,
    Sources,
    Table,
    Text,
    clean,
    shown,
)
from assessments.reports.layout.executive import executive
from assessments.reports.layout.findings import findings, source_of
from assessments.reports.layout.recommendations import recommendations
from assessments.reports.layout.scopes import Scopes
from assessments.scan.types import CoverageStatus

COMPARED = {
    "new": "new",
    "reopened": "reopened",
    "persisting": "persisting",
    "fixed": "fixed",
    "unchecked": "not checked again",
}
MONEY = "USD a month"
RARE = {"reopened", "unchecked"}
MOST_UNITS = 2
"""If more columns have a unit, it is what the whole table counts, and the names say enough."""


SANDBOXES = {
    "isolated": "an isolated sandbox",
    "confined": "a confined sandbox",
    "open": "an open sandbox: the engines were not confined",
}


def title_of(document: dict[str, Any]) -> str:
    about = document["about"]
    scope = f", {about['scopes'][0]['label']}" if about["scope"] and about["scopes"] else ""
    return clean(f"{about['assessment']}, run {about['run']}{scope}: {about['report_type']} report")


def blocks_of(document: dict[str, Any]) -> Iterator[Block]:
    """The whole report, in reading order: what is wrong and what to do first, then how it was
    found, and the sources of everything at the end. The title is not one of the blocks."""
    if document["about"]["report_type"] == Report.Kind.EXECUTIVE:
        yield from executive(document)
    else:
        yield from _technical(document)


def _technical(document: dict[str, Any]) -> Iterator[Block]:
    sources, scopes = Sources(), Scopes(document["about"]["scopes"])
    if assessed_at := document["about"]["assessed_at"]:
        sandbox = document["about"]["sandbox"]
        where = f", scanned in {SANDBOXES[sandbox]}" if sandbox in SANDBOXES else ""
        yield Text(clean(f"Assessed {assessed_at} by Infra Mind{where}"), is_dim=True)
    yield from _attention(document["about"]["needs_attention"])
    if "left_out" in document:
        yield Notice(document["left_out"])
    yield from _summary(document["summary"], document["agents"], sources)
    if document.get("map"):
        yield from _map(document["map"])
    if document.get("recommendations"):
        yield from recommendations(document["recommendations"], document=document)
        order = document["formulas"][-1]["source"]
        yield Text("The order of the recommendations:", True, sources.refs(order))
    if document.get("findings"):
        yield from findings(document["findings"], sources=sources, document=document, scopes=scopes)
    if any(answer["tables"] for answer in document["agents"]):
        yield from scopes.listed()
    yield from _agents(document["agents"], sources, scopes)
    if document.get("resources"):
        yield from _resources(document["resources"])
    if document["coverage"]:
        yield from _coverage(document["coverage"])
    yield from _sources(document["data"], sources)


def _attention(reasons: list[dict[str, Any]]) -> Iterator[Block]:
    """What the answer lacks comes before the answer."""
    for reason in reasons:
        named = ", ".join(reason["files"]) if reason["count"] > 1 else ""
        more = reason["count"] - len(reason["files"])
        rest = f" and {more} more" if named and more > 0 else ""
        ending = f" ({named}{rest})" if named else ""
        yield Notice(clean(f"Needs attention: {reason['message']}{ending}"))


def _summary(
    summary: dict[str, Any], agents: list[dict[str, Any]], sources: Sources
) -> Iterator[Block]:
    yield Heading(2, "Summary", "summary")
    cites = [sources.refs(each["source"]) if each["score"] is not None else [] for each in agents]
    columns = ["Pillar", "Score", "What was found"]
    yield Bars(columns, [_score(answer) for answer in agents], cites)
    yield _figures(summary["figures"], sources)
    if comparison := summary["comparison"]:
        words = ", ".join(f"{comparison[key]} {words}" for key, words in _compared(comparison))
        against = clean(f"Against run {comparison['run']}: {words}.")
        yield Text(against, refs=sources.refs(comparison["source"]))


def _map(section: dict[str, Any]) -> Iterator[Block]:
    if "svg" in section:
        yield Heading(2, "Map", "map")
        words = "Red: paths from the internet to data. Groups may be folded."
        yield Drawing(section["svg"], words)
    yield Heading(2, "From the internet to data", "paths")
    if not section["paths"]:
        yield Text("The code shows no path from the internet to anything that stores data.")
    for path in section["paths"]:
        names = [path[0]["from"], *(step["to"] for step in path)]
        yield Heading(3, clean(" → ".join(names)))
        rows = [
            [
                shown(f"{step['from']} → {step['to']}"),
                shown(f"{step['why']} ({step['source']})"),
                shown(step["opened_by"]),
            ]
            for step in path
        ]
        yield Table(["Step", "Why", "Opened by"], rows)
    if section["more_paths"]:
        yield Text(f"There are more; these are the first {len(section['paths'])}.", is_dim=True)


def _agents(section: list[dict[str, Any]], sources: Sources, scopes: Scopes) -> Iterator[Block]:
    for answer in section:
        if answer["figures"] or answer["tables"]:
            yield from _answer(answer, sources, scopes)


def _score(answer: dict[str, Any]) -> tuple[str, int | None, str, str]:
    without = "Failed" if answer["status"] == "failed" else "Not assessed"
    if answer["status"] == "assessed":
        without = "No score"
    score = answer["score"]
    words = without if score is None else f"{score} of 100"
    return clean(answer["label"]), score, words, clean(answer["summary"] or answer["reason"])


def _answer(answer: dict[str, Any], sources: Sources, scopes: Scopes) -> Iterator[Block]:
    yield Heading(2, clean(answer["label"]), f"agent-{answer['agent']}")
    if answer["figures"]:
        figures = [{**each, "source": scopes.source(each["source"])} for each in answer["figures"]]
        yield _figures(figures, sources)
    for table in answer["tables"]:
        yield Heading(3, clean(table["title"]))
        rows = scopes.grouped(table["columns"], table["rows"])
        yield _table({**table, "rows": rows}, sources)
        yield Text("Source:", True, sources.refs(shown(table["source"])))


def _figures(figures: list[dict[str, Any]], sources: Sources) -> Table:
    """Figures, each with the number of its source."""
    rows = [[shown(figure["label"]), _with_unit(figure)] for figure in figures]
    cites = [sources.refs(shown(figure["source"])) for figure in figures]
    return Table(["Figure", "Value"], rows, {1}, is_list=True, cites=cites)


def _with_unit(figure: dict[str, Any]) -> str:
    """``497.41 USD a month``; the unit is left out if the label already contains it."""
    unit = shown(figure["unit"])
    value = _number(figure["value"], unit)
    return value if unit in shown(figure["label"]).lower() else f"{value} {unit}"


def _table(table: dict[str, Any], sources: Sources) -> Table:
    """A last column of sources becomes numbers of the list of sources."""
    cites = []
    if table["columns"][-1].lower() == "source":
        cites = [sources.refs(shown(row[-1])) for row in table["rows"]]
        table = {**table, "rows": [row[:-1] for row in table["rows"]]}
        table |= {name: table[name][:-1] for name in ("columns", "units")}
    units = Counter(table["units"])
    columns = [
        _named(name, unit if units[unit] <= MOST_UNITS else "")
        for name, unit in zip(table["columns"], table["units"], strict=True)
    ]
    cells = [
        [_number(cell, unit) for cell, unit in zip(row, table["units"], strict=True)]
        for row in table["rows"]
    ]
    numeric = {n for n in range(len(columns)) if _is_numeric([row[n] for row in table["rows"]])}
    return Table(columns, cells, numeric, cites=cites)


def _number(value: Any, unit: str) -> str:
    """Amounts of money with cents; other whole numbers without decimals."""
    if isinstance(value, float):
        return f"{value:,.2f}" if unit == MONEY else str(value).removesuffix(".0")
    return shown(value)


def _named(name: str, unit: str) -> str:
    """``Energy (kWh a month)``; the unit is left out if the name already contains it."""
    more = "" if unit.lower() in name.lower() else f" ({unit})"
    return clean(f"{name[:1].upper()}{name[1:]}{more}")


def _is_numeric(cells: list[Any]) -> bool:
    told = [cell for cell in cells if cell is not None]
    return bool(told) and all(isinstance(cell, int | float) for cell in told)


def _resources(section: list[dict[str, Any]]) -> Iterator[Block]:
    yield Heading(2, "Resources", "resources")
    rows = [
        [
            shown(r["address"] + _how_many(r)),
            shown(r["type"]),
            shown(" ".join(filter(None, [r["provider"], r.get("region", "")]))),
            shown(f"{r['file']}:{r['line_start']}"),
        ]
        for r in section
    ]
    yield Table(["Address", "Type", "Provider", "Declared at"], rows)


def _how_many(resource: dict[str, Any]) -> str:
    if resource.get("uncertain"):
        return " (may not exist)"
    return "" if resource.get("count_known", True) else " (at least 1)"


def _coverage(section: list[dict[str, Any]]) -> Iterator[Block]:
    """The gaps with their reasons first, then what was read."""
    yield Heading(2, "Coverage", "coverage")
    gaps: dict[tuple[str, ...], list[str]] = {}
    for c in sorted(section, key=lambda each: _WORST_FIRST.index(each["status"])):
        if c["status"] != CoverageStatus.READ or c["reason"]:
            words = (shown(c[key]).replace("_", " ") for key in ("kind", "status"))
            gaps.setdefault((*words, shown(c["reason"])), []).append(_place(c))
    if gaps:
        rows = [[", ".join(places), *why] for why, places in gaps.items()]
        yield Table(["File", "Kind", "How much of it was read", "Reason"], rows)
    read = [
        [_place(c), shown(c["kind"]).replace("_", " ")]
        for c in section
        if c["status"] == CoverageStatus.READ and not c["reason"]
    ]
    if read:
        yield Table(["File read in full", "Kind"], read, is_list=True)


_WORST_FIRST = (
    CoverageStatus.FAILED,
    CoverageStatus.PARTLY_READ,
    CoverageStatus.NOT_ASSESSED,
    CoverageStatus.READ,
)
"""A technical PDF limits its rows: what could not be read must be among them."""


def _place(covered: dict[str, Any]) -> str:
    return shown(f"{covered['file']}:{covered['line']}" if covered["line"] else covered["file"])


def _sources(data: list[dict[str, Any]], sources: Sources) -> Iterator[Block]:
    """Engines and data first if nothing cited them before, then everything that was cited."""
    for row in data:
        sources.cite(source_of(row))
    yield Heading(2, "Sources", "sources")
    yield sources.notes()


def _compared(comparison: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Counts to mention, with their labels; those that are usually 0 only if they aren't."""
    for key, words in COMPARED.items():
        if key in comparison and (comparison[key] or key not in RARE):
            yield key, words
