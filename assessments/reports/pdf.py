"""The report as PDF, typeset by Typst with its bundled fonts: nothing is fetched, nothing else
needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import typst
from django.conf import settings

from assessments.models import Report
from assessments.reports.columns import WIDTH_MM, breakable, fitting
from assessments.reports.layout import blocks_of, title_of
from assessments.reports.layout.blocks import (
    Block,
    Code,
    Drawing,
    Heading,
    Patch,
    Table,
    Text,
    clean,
)
from assessments.reports.patches import shown_once

LIST_ROWS, FEW, ONE_COLUMN, LISTED = 9, 16, 42, 84
"""From how many rows a list is set in two columns. Then, in entries of the contents: up to how many
they need no page of their own, and how many fit a page in one column, and in two."""
MOST, MOST_ROWS = 1_000, 40
"""Findings, and rows of one table: typesetting 1,000 findings takes 5 s and up to 400 MB, in a
process that ends afterwards. A technical report limits the rows of a table more than
the others: nobody reads one for each resource of each scope."""
SCALES, MOST_PAGES = (1.0, 0.95, 0.9, 0.86), 4
"""For an executive report: text sizes, and pages."""
PAGE_MM, BESIDE_MAP_MM = 277, 22
"""Where the text of an A4 page ends, and how high a map's heading and caption are."""
SPILL_MM = 45
"""Where a page with only a few lines before the map ends."""
LEAST_MM, TALL_MM, LEAST_OF_MAP = 130, 140, 0.7
"""How far down a last page must reach; from which height a map fills a page of its own; down to
which fraction of its size it may be reduced to fit."""
CODE_CHARS = 60
"""Characters of code that fit a column."""
IN_COLUMNS = {"actions", "findings"}
_NUMBERED = re.compile(r"[> ] +\d+  ")
_ENDS = re.compile(r"[\s/.:=,;|(){}\[\]@-]")
_VIEW_BOX = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')


TYPESETTER = Path(__file__).with_name("typesetter.py")


class NotTypeset(Exception):
    """The typesetter ended without a PDF: its exit status, and what it said last."""


def as_pdf(document: dict[str, Any]) -> bytes:
    """The blocks are passed to the template as data: a string in data is text in Typst, never
    markup."""
    most = MOST_ROWS if document["about"]["report_type"] == Report.Kind.TECHNICAL else MOST
    bounded = (part for block in blocks_of(_bounded(document)) for part in _short(block, most=most))
    about = document["about"]
    is_executive = about["report_type"] == Report.Kind.EXECUTIVE
    blocks = list(map(_as_data, bounded) if is_executive else _in_columns(bounded))
    data = {
        "title": title_of(document),
        "name": breakable(clean(about["assessment"]), run=16),
        "subtitle": f"Run {about['run']}",
        "report_type": about["report_type"],
        "blocks": blocks,
    }
    if is_executive:
        data = _fitted(data)
        return typst.compile(template(), font_paths=fonts(), sys_inputs=_inputs(data))
    return typeset({**data, "blocks": list(_floating(blocks)), **_contents(blocks)})


def typeset(data: dict[str, Any]) -> bytes:
    """In another process: a large report takes hundreds of MB, which a worker would keep."""
    order = {"template": template().decode(), **_inputs(data)}
    finished = subprocess.run(  # noqa: S603
        [sys.executable, "-I", str(TYPESETTER), str(os.getpid())],
        input=json.dumps(order).encode(),
        capture_output=True,
        env={},
    )
    if finished.returncode != 0:
        raise NotTypeset(finished.returncode, finished.stderr.decode(errors="replace")[-400:])
    return finished.stdout


def _contents(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """How deep the contents are, in how many columns, and whether they have a page of their own."""
    listed = sum(map(_is_listed, blocks))
    if listed > LISTED:
        return {"depth": 2, "has_contents_page": False, "contents_columns": 1}
    return {
        "depth": 3,
        "has_contents_page": listed > FEW,
        "contents_columns": 2 if listed > ONE_COLUMN else 1,
    }


def _in_columns(blocks: Iterator[Block]) -> Iterator[dict[str, Any]]:
    """Each block as data; recommendations and findings, most of them short lines, are set in two
    columns, as are all that follow them in the same part."""
    part = ""
    for block in blocks:
        if isinstance(block, Heading) and block.level == 2:
            part = block.anchor
        level = int(part == "actions")  # its texts are indented like the items
        yield {**_as_data(block), "in_columns": part in IN_COLUMNS, "indent": level}


def _floating(blocks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A drawing moves, with its heading, to the page that has room, while the text continues."""
    heading = ""
    for block, after in zip(blocks, [*blocks[1:], {"kind": ""}], strict=True):
        if block["kind"] == "heading" and after["kind"] == "drawing":
            heading = block["text"]
        else:
            yield {**block, "heading": heading} if block["kind"] == "drawing" else block


def _is_listed(block: dict[str, Any]) -> bool:
    return bool(block["kind"] == "heading" and (block["level"] == 2 or block["is_listed"]))


def _fitted(data: dict[str, Any]) -> dict[str, Any]:
    """At the first size with no more pages than allowed and none left half empty: the text ends
    well into its last page, and the map, which stays in place or moves to the end, fills the rest
    of that page or most of one."""
    sized = [{**data, "scale": scale} for scale in SCALES]
    place = next((n for n, b in enumerate(data["blocks"]) if b.get("is_filling")), None)
    if place is None:
        return next((each for each in sized if _ends_well(_end_of(each))), sized[0])
    heading, drawing = data["blocks"][place - 1 : place + 1]
    others = data["blocks"][: place - 1] + data["blocks"][place + 1 :]
    needed = _height_of(drawing["svg"])
    for each in sized:
        end = _end_of({**each, "blocks": others})
        if end["page"] > 1 and end["y"] < SPILL_MM and each["scale"] > SCALES[-1]:
            continue  # a smaller size takes the last lines back to the page before
        is_apart = end["y"] > PAGE_MM - LEAST_OF_MAP * needed
        if is_apart and needed < TALL_MM:
            if _ends_well(_end_of(each)):
                return each
        elif end["page"] + is_apart <= MOST_PAGES:
            break
    last = [{**heading, "is_apart": is_apart}, {**drawing, "is_last": True}]
    return {**each, "blocks": [*others, *last]}


def _ends_well(end: dict[str, float]) -> bool:
    return end["page"] == 1 or (end["page"] <= MOST_PAGES and end["y"] > LEAST_MM)


def _height_of(svg: str) -> float:
    """The height of a map as wide as the page, with its heading and caption, in millimeters."""
    width, height = map(float, _VIEW_BOX.findall(svg)[0])
    return WIDTH_MM * height / width + BESIDE_MAP_MM


def _end_of(data: dict[str, Any]) -> dict[str, float]:
    """``page`` and ``y``, in millimeters from its top, where the text ends. Drawings are empty:
    only their sizes count here, and their content takes time."""
    blocks = [_emptied(block) for block in data["blocks"]]
    inputs = _inputs({**data, "blocks": blocks})
    found = typst.query(
        template(), "<end>", field="value", one=True, font_paths=fonts(), sys_inputs=inputs
    )
    end: dict[str, float] = json.loads(found)
    return end


def _emptied(block: dict[str, Any]) -> dict[str, Any]:
    return {**block, "svg": f"{block['svg'].partition('>')[0]}></svg>"} if "svg" in block else block


def _inputs(data: dict[str, Any]) -> dict[str, str]:
    return {"data": json.dumps(data)}


@cache
def fonts() -> typst.Fonts:
    """Searched for once: that takes longer than typesetting a page."""
    return typst.Fonts()


@cache
def template() -> bytes:
    return (settings.BASE_DIR / "templates" / "assessments" / "report.typ").read_bytes()


def _bounded(document: dict[str, Any]) -> dict[str, Any]:
    """No more findings than can be typeset in seconds."""
    findings = document.get("findings", [])
    if len(findings) <= MOST:
        return document
    return {
        **document,
        "findings": findings[:MOST],
        "left_out": (
            f"This PDF has the {MOST:,} worst of {len(findings):,} findings. HTML, Markdown, JSON,"
            " CSV and SARIF have all of them."
        ),
    }


def _short(block: Block, *, most: int) -> Iterator[Block]:
    if isinstance(block, Table) and len(block.rows) > (limit := MOST if block.is_list else most):
        cites = block.cites[:limit]
        yield replace(block, rows=block.rows[:limit], cites=cites)
        yield Text(_rows_left_out(len(block.rows), most=limit))
    elif isinstance(block, Patch):
        yield from shown_once(block)
    else:
        yield block


def _rows_left_out(total: int, *, most: int) -> str:
    return f"These are the first {most:,} of {total:,} rows. The HTML report has all of them."


def _as_data(block: Block) -> dict[str, Any]:
    data = {"kind": block.kind, **asdict(block)}
    if isinstance(block, Drawing):
        return {**data, "words": breakable(block.words)}
    if isinstance(block, Table):
        return {**data, **_columns(block)}
    if isinstance(block, Code):
        return {**data, "lines": _code(block)}
    return {key: _breakable(value) for key, value in data.items()}


def _code(code: Code) -> list[str]:
    """Its lines, those that are too long for a column continued under their text."""
    numbers = [len(found[0]) for line in code.lines if (found := _NUMBERED.match(line))]
    indent = max(numbers, default=0) + 2
    lines = (line.expandtabs(4) for line in code.lines)
    return [part for line in lines for part in wrapped(line, indent=indent)]


def wrapped(line: str, *, indent: int) -> Iterator[str]:
    """The parts of a line of code, which end after a space or a separator if possible."""
    while len(line) > CODE_CHARS:
        ends = [found.end() for found in _ENDS.finditer(line, indent, CODE_CHARS)]
        end = next((end for end in reversed(ends) if end > CODE_CHARS // 2), CODE_CHARS)
        yield line[:end]
        line = " " * indent + line[end:].lstrip()
    yield line


def _columns(table: Table) -> dict[str, Any]:
    """Its cells and widths; the sources that it cites are a separate column in the template."""
    halved = table.is_list and len(table.rows) > LIST_ROWS
    if table.shares:
        names, cells = table.columns, [[breakable(c, run=12) for c in row] for row in table.rows]
        widths = [WIDTH_MM * share / sum(table.shares) for share in table.shares]
    else:
        names, cells, widths = fitting(table.columns, table.rows)
    longest = [max(map(len, column)) for column in zip(*cells, strict=True)] or [0]
    return {
        "columns": names,
        "rows": cells,
        "widths": widths,
        "numeric": sorted(table.numeric),
        "is_halved": halved,
        "is_first_wide": longest[0] >= longest[-1],
    }


def _breakable(value: Any) -> Any:
    if isinstance(value, str):
        return breakable(value)
    if isinstance(value, dict):
        return {key: _breakable(each) for key, each in value.items()}
    return [_breakable(item) for item in value] if isinstance(value, list | tuple) else value
