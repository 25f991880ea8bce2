"""Findings by file, each beside its code: a line of code is shown once, however many findings are
about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assessments.reports.layout.blocks import (
    Block,
    Code,
    Heading,
    Item,
    Ref,
    Sources,
    Text,
    clean,
    coded,
)
from assessments.reports.layout.scopes import Scopes

WITHOUT_FILE = "Without a file"
LEGEND = (
    "By file, next to the code. R: the recommendation that resolves it. Number in brackets: the"
    " source of its severity. A file in a scope's own folder belongs to that scope."
)


@dataclass
class Passage:
    """Consecutive lines of code, by number, and what was found there."""

    lines: dict[int, str] = field(default_factory=dict)
    marked: set[int] = field(default_factory=set)
    items: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)


def findings(
    section: Sequence[Mapping[str, Any]],
    *,
    sources: Sources,
    document: Mapping[str, Any],
    scopes: Scopes,
) -> Iterator[Block]:
    """A heading for each file, starting with the one with the worst findings; under it its code in
    file order, with the findings about it, worst first."""
    yield Heading(2, "Findings", "findings")
    yield Text(LEGEND, is_dim=True)
    writer = _Writer(sources, document, scopes)
    by_file: dict[str, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
    for number, finding in enumerate(section, start=1):
        by_file[finding["file"] or ""].append((number, finding))
    for place, (file, rows) in enumerate(by_file.items(), start=1):
        yield Heading(3, clean(file) or WITHOUT_FILE, f"file-{place}", is_listed=True)
        keys = {row["scope"] for _, row in rows if len(row["scope"]) > 1}
        writer.names_scope = len(keys) > 1
        if len(keys) == 1 and keys != {file.rpartition("/")[0]}:
            yield Text(clean(f"Scope {scopes.named(keys.pop())}"), is_dim=True)
        for passage in passages(rows):
            if passage.lines:
                yield Code(list(_lines(passage)))
            yield from (writer.item(number, row) for number, row in passage.items)


def passages(rows: Iterable[tuple[int, Mapping[str, Any]]]) -> list[Passage]:
    """The passages of one file: adjacent lines are one passage, and every line is in only one.
    Findings that are about no line come last."""
    rows = list(rows)
    lines = {line["number"]: line["text"] for _, row in rows for line in row.get("evidence") or []}
    found: list[Passage] = []
    at: dict[int, Passage] = {}
    for number in sorted(n for n, text in lines.items() if text.strip() or _within(n, lines)):
        if number - 1 not in at:
            found.append(Passage())
        at[number] = found[-1]
        found[-1].lines[number] = lines[number]
    rest = Passage()
    for number, row in rows:
        line = row.get("line") or 0
        shown = [line, *(each["number"] for each in row.get("evidence") or [])]
        passage = next((at[n] for n in shown if n in at), rest)
        passage.items.append((number, row))
        passage.marked.add(line)
    return [*found, *([rest] if rest.items else [])]


def _within(number: int, lines: Mapping[int, str]) -> bool:
    """Whether an empty line is between non-empty ones: at an edge it adds nothing."""
    return all(lines.get(n, "").strip() for n in (number - 1, number + 1))


class _Writer:
    """Writes findings, with links to what to do about them and to their sources."""

    def __init__(self, sources: Sources, document: Mapping[str, Any], scopes: Scopes) -> None:
        self.sources, self.scopes = sources, scopes
        self.actions = {
            fingerprint: row["priority"]
            for row in document.get("recommendations", [])
            for fingerprint in row["findings"]
        }
        self.names_scope = False
        self.has_frameworks = document["about"]["report_type"] != "technical"
        self.origins = origins_of(document["data"])

    def item(self, number: int, row: Mapping[str, Any]) -> Item:
        action = self.actions.get(row["fingerprint"])
        refs = [Ref(f"R{action}", f"r-{action}")] if action else []
        origin = self.origins.get(row["severity_origin"], "")
        facts = [
            f"line {row['line']}" if row.get("line") else "",
            row["resource"] if row["resource"] != row["file"] else "",
            self.scopes.named(row["scope"]) if self.names_scope else "",
            row["rule"],
            row["since"] if row["since"] != "persisting" else "",
        ]
        return Item(
            severity=row["severity"],
            title=clean(row["title"]),
            text=clean(_found(row)),
            place=clean(" · ".join(filter(None, facts))),
            anchor=f"f-{number}",
            number=f"F{number}",
            notes=[clean(note) for note in self._notes(row, is_told=action is not None)],
            refs=[*refs, *self.sources.refs(origin)],
            is_short=True,
        )

    def _notes(self, row: Mapping[str, Any], *, is_told: bool) -> Iterator[str]:
        """What the recommendation does not already say."""
        if row.get("exposure") and not is_told:
            yield f"Internet-facing: {row['exposure']}."
        if mute := row["muted"]:
            until = f" until {mute['expires_at']}" if mute["expires_at"] else ""
            yield f"Muted{until}: {mute['reason']}"
        if not is_told:
            yield from filter(None, (row.get("why"), row.get("remediation")))
        if row["saving"]:
            yield f"Saves {row['saving']['monthly_usd']} USD a month."
        if self.has_frameworks and row.get("frameworks"):
            yield "; ".join(row["frameworks"])


def _found(row: Mapping[str, Any]) -> str:
    """What the code contains, and what was expected."""
    found = row.get("shown") or row.get("actual") or ""
    expected = row.get("expected") or ""
    return ". ".join(
        filter(None, (found, expected if expected not in {found, row["title"]} else ""))
    )


def origins_of(data: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The source of a severity by its origin, from the report's own list of data."""
    found = {
        "formula": "The formula of the agent that reports it, with the inputs that it lists",
        "own_rule": "The metadata of a rule of this server's own",
    }
    engines = [
        f"{row['name']} {row['version']}" for row in data if row["version"] and not row["as_of"]
    ]
    if engines:
        found["engine"] = f"The severity that the engine reports: {', '.join(engines)}"
    for origin, start in (("crosswalk", "Prowler"), ("category", "Checkov rules")):
        for row in data:
            if row["name"].startswith(start):
                found[origin] = source_of(row)
    return found


def source_of(row: Mapping[str, Any]) -> str:
    """An entry of the list of data on one line."""
    parts = [
        f"{row['name']} {row['version']}",
        row["as_of"] and f"as of {row['as_of']}, {row['age']} old",
    ]
    return ", ".join(filter(None, [*parts, row["licence"], row["source"]]))


def _lines(passage: Passage) -> Iterator[str]:
    """The lines with their numbers; those that show a problem are marked."""
    width = len(str(max(passage.lines)))
    for number, text in sorted(passage.lines.items()):
        mark = ">" if number in passage.marked else " "
        yield coded(f"{mark} {number:>{width}}  {text}")
