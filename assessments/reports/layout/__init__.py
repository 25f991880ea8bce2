"""The document as blocks to read one after another: what HTML, Markdown and PDF have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from assessments.agents.wording import counted
from assessments.models import Report
from assessments.reports.layout.blocks import (
    Bars,
    Block,
    Code,
    Drawing,
    Heading,
    Notice,
    Table,
    Text,
    clean,
    shown,
)
from assessments.reports.layout.executive import executive

COMPARED = {
    "new": "new",
    "reopened": "reopened",
    "persisting": "persisting",
    "fixed": "fixed",
    "unchecked": "not checked again",
}
RARE = {"reopened", "unchecked"}


SANDBOXES = {
    "isolated": "an isolated sandbox",
    "confined": "a confined sandbox",
    "open": "an open sandbox: the engines were not shut in",
}


def title_of(document: dict[str, Any]) -> str:
    about = document["about"]
    return clean(f"{about['assessment']}, run {about['run']}: {about['report_type']} report")


def blocks_of(document: dict[str, Any]) -> Iterator[Block]:
    """The whole report, in reading order: what is wrong and what to do first, how it was found
    after it. The title is not among the blocks."""
    if document["about"]["report_type"] == Report.Kind.EXECUTIVE:
        yield from executive(document)
        return
    if assessed_at := document["about"]["assessed_at"]:
        sandbox = document["about"]["sandbox"]
        where = f", scanned in {SANDBOXES[sandbox]}" if sandbox in SANDBOXES else ""
        yield Text(clean(f"Assessed {assessed_at} by Infra Mind{where}"), is_dim=True)
    yield from _attention(document["about"]["needs_attention"])
    yield from _summary(document["summary"], document["agents"])
    for name, write in _SECTIONS.items():
        if document.get(name):
            yield from write(document[name])
        if name == "findings" and "left_out" in document:
            yield Text(document["left_out"])


def _attention(reasons: list[dict[str, Any]]) -> Iterator[Block]:
    """What the answer lacks comes before the answer."""
    for reason in reasons:
        named = ", ".join(reason["files"]) if reason["count"] > 1 else ""
        more = reason["count"] - len(reason["files"])
        rest = f" and {more} more" if named and more > 0 else ""
        ending = f" ({named}{rest})" if named else ""
        yield Notice(clean(f"Needs attention: {reason['message']}{ending}"))


def _summary(summary: dict[str, Any], agents: list[dict[str, Any]]) -> Iterator[Block]:
    yield Heading(2, "Summary")
    yield Bars(["Pillar", "Score", "What was found"], [_score(answer) for answer in agents])
    yield from _figures(summary["figures"])
    if comparison := summary["comparison"]:
        words = ", ".join(f"{comparison[key]} {words}" for key, words in _compared(comparison))
        yield Text(clean(f"Against run {comparison['run']}: {words}. {comparison['source']}."))


def _map(section: dict[str, Any]) -> Iterator[Block]:
    if "svg" in section:
        yield Heading(2, "Map")
        yield Drawing(section["svg"])
        yield Text("Red: ways from the internet to data. Groups may be folded.", is_dim=True)
    yield Heading(2, "From the internet to data")
    if not section["paths"]:
        yield Text("The code shows no way from the internet to anything that keeps data.")
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


def _agents(section: list[dict[str, Any]]) -> Iterator[Block]:
    for answer in section:
        if answer["figures"] or answer["tables"]:
            yield from _answer(answer)


def _score(answer: dict[str, Any]) -> tuple[str, int | None, str, str]:
    without = "Failed" if answer["status"] == "failed" else "Not assessed"
    if answer["status"] == "assessed":
        without = "No score"
    score = answer["score"]
    words = without if score is None else f"{score} of 100"
    return clean(answer["label"]), score, words, clean(answer["summary"] or answer["reason"])


def _answer(answer: dict[str, Any]) -> Iterator[Block]:
    yield Heading(2, clean(answer["label"]))
    if answer["figures"]:
        yield from _figures(answer["figures"])
    for table in answer["tables"]:
        yield Heading(3, clean(table["title"]))
        yield _table(table)
        yield Text(clean(f"Source: {table['source']}"), is_dim=True)


def _figures(figures: list[dict[str, Any]]) -> Iterator[Block]:
    """Figures, each with the number of its source; the sources below, each once."""
    sources = list(dict.fromkeys(shown(figure["source"]) for figure in figures))
    rows = [
        [
            shown(figure["label"]),
            _with_unit(figure),
            str(sources.index(shown(figure["source"])) + 1),
        ]
        for figure in figures
    ]
    yield Table(["Figure", "Value", "Source"], rows, {1, 2})
    yield from (
        Text(f"Source {number}: {source}", is_dim=True)
        for number, source in enumerate(sources, start=1)
    )


def _with_unit(figure: dict[str, Any]) -> str:
    """``497.41 USD a month``; the unit is left out where the label says it already."""
    unit = shown(figure["unit"])
    return (
        shown(figure["value"])
        if unit in shown(figure["label"]).lower()
        else f"{shown(figure['value'])} {unit}"
    )


def _table(table: dict[str, Any]) -> Table:
    columns = [
        clean(f"{name[:1].upper()}{name[1:]}{f' ({unit})' if unit else ''}")
        for name, unit in zip(table["columns"], table["units"], strict=True)
    ]
    cells = [[shown(cell) for cell in row] for row in table["rows"]]
    numeric = {n for n in range(len(columns)) if _is_numeric([row[n] for row in table["rows"]])}
    return Table(columns, cells, numeric)


def _is_numeric(cells: list[Any]) -> bool:
    told = [cell for cell in cells if cell is not None]
    return bool(told) and all(isinstance(cell, int | float) for cell in told)


def _recommendations(section: list[dict[str, Any]]) -> Iterator[Block]:
    yield Heading(2, "What to do first")
    for item in section:
        yield Heading(3, clean(f"{item['priority']}. {item['title']}"))
        yield Text(clean(item["why"]))
        for reason in item["impact"].get("exposure", [])[:3]:
            yield Text(clean(f"Internet-facing: {reason}."))
        for step in item["steps"]:
            yield _prose(step)
        yield from _fix(item["fix"] or {})
        saves = f" Saves {item['saving']['monthly_usd']} USD a month." if item["saving"] else ""
        yield Text(clean(f"{item['source']}.{saves}"), is_dim=True)


def _fix(fix: dict[str, Any]) -> Iterator[Block]:
    if fix.get("untried"):
        yield Text(clean(fix["untried"]))
    if not fix.get("files"):
        return
    yield Text(clean(proof_of(fix)))
    for note in fix["notes"]:
        yield Text(clean(note))
    for file in fix["files"]:
        yield Code([_code(line) for line in file["diff"].splitlines()])


def proof_of(fix: dict[str, Any]) -> str:
    """What trying the fix showed, in a sentence or two."""
    replaces = " Applying it replaces a resource." if fix["recreates"] else ""
    return (
        f"Proven fix: removes {counted(fix['removes'], 'finding')}, adds {fix['adds']}. It was"
        f" applied to a copy of the upload and scanned again.{replaces}"
    )


def _findings(section: list[dict[str, Any]]) -> Iterator[Block]:
    yield Heading(2, "Findings")
    for item in section:
        yield from _finding(item)


def _finding(item: dict[str, Any]) -> Iterator[Block]:
    yield Heading(3, clean(f"{item['severity'].capitalize()}: {item['title']}"))
    place = f"{item['file']}:{item['line_start']}" if item["line_start"] else item["file"]
    origin = f"{item['rule']}, severity from {item['severity_origin']}"
    facts = [
        place,
        item["resource"],
        item["scope"] if len(item["scope"]) > 1 else "",
        origin,
        item["since"],
        f"fingerprint {item['fingerprint'][:12]}",
    ]
    yield Text(clean(" · ".join(filter(None, facts))), is_dim=True)
    if item.get("exposure"):
        yield Text(clean(f"Internet-facing: {item['exposure']}."))
    if mute := item["muted"]:
        until = f" until {mute['expires_at']}" if mute["expires_at"] else ""
        yield Text(clean(f"Muted{until}: {mute['reason']}"))
    if item.get("expected") or item.get("actual"):
        yield Text(
            clean(
                f"Expected: {item.get('expected') or 'not said'}. Found:"
                f" {item.get('actual') or 'not said'}."
            )
        )
    for words in (item.get("why"), item.get("remediation")):
        if words:
            yield _prose(words)
    if item.get("shown") and item["shown"] != item.get("actual"):
        yield Text(clean(f"In the file, line {item['line']}: {item['shown']}"))
    if item.get("evidence"):
        yield Code([_line(line, marked=item.get("line")) for line in item["evidence"]])
    if item.get("code_example"):
        yield Code([_code(line) for line in item["code_example"].splitlines()])
    if item["saving"]:
        yield Text(clean(f"Saves {item['saving']['monthly_usd']} USD a month."))
    if item.get("frameworks"):
        yield Text(clean("; ".join(item["frameworks"])), is_dim=True)


def _prose(words: str) -> Block:
    """What an engine wrote over several lines has code in it, and keeps them."""
    lines = words.splitlines()
    return Text(clean(words)) if len(lines) < 2 else Code([_code(line) for line in lines])


def _line(line: dict[str, Any], *, marked: int | None) -> str:
    """A line of the file with its number; the one that shows the problem is marked."""
    mark = ">" if line["number"] == marked else " "
    return _code(f"{mark} {line['number']:>5}  {line['text']}")


def _code(line: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line)


def _resources(section: list[dict[str, Any]]) -> Iterator[Block]:
    yield Heading(2, "Resources")
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
    yield Heading(2, "Coverage")
    rows = [
        [
            _place(c),
            *(shown(c[key]).replace("_", " ") for key in ("kind", "status")),
            shown(c["reason"]),
        ]
        for c in section
    ]
    yield Table(["File", "Kind", "How far it was read", "Reason"], rows)


def _place(covered: dict[str, Any]) -> str:
    return shown(f"{covered['file']}:{covered['line']}" if covered["line"] else covered["file"])


def _data(section: list[dict[str, Any]]) -> Iterator[Block]:
    yield Heading(2, "Engines and data")
    keys = ("name", "version", "as_of", "age", "licence", "source")
    yield Table(
        ["Name", "Version", "As of", "Age", "Licence", "Source"],
        [[shown(row[k]) for k in keys] for row in section],
    )


def _formulas(section: list[dict[str, Any]]) -> Iterator[Block]:
    yield Heading(2, "Formulas")
    yield Table(["Of", "Formula"], [[shown(row["of"]), shown(row["source"])] for row in section])


_SECTIONS: dict[str, Callable[[Any], Iterator[Block]]] = {
    "map": _map,
    "recommendations": _recommendations,
    "findings": _findings,
    "agents": _agents,
    "resources": _resources,
    "coverage": _coverage,
    "data": _data,
    "formulas": _formulas,
}


def _compared(comparison: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Counts to name with their words; those that are mostly 0 only where they are not."""
    for key, words in COMPARED.items():
        if key in comparison and (comparison[key] or key not in RARE):
            yield key, words
