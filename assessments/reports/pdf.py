"""The report as PDF, typeset by Typst with the fonts that it brings: nothing is fetched, nothing
else needed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from typing import Any

import typst
from django.conf import settings

from assessments.reports.layout import Block, Drawing, Table, Text, blocks_of, title_of

_LONG_WORD = re.compile(r"\S{20,}")
_BREAKS_AFTER = re.compile(r"(?<=[/_.:=,;|()-])(?=\S)")
MOST = 2_000
"""Findings, and rows of one table: a PDF of so many takes about 5 s to typeset."""
ZERO_WIDTH_SPACE = "\u200b"


def as_pdf(document: dict[str, Any]) -> bytes:
    """The blocks go to the template as data: a string of data is text in Typst, never markup."""
    blocks = [_as_data(part) for block in blocks_of(_bounded(document)) for part in _short(block)]
    data = {"title": title_of(document), "blocks": blocks}
    return typst.compile(template(), sys_inputs={"data": json.dumps(data)})


@cache
def template() -> bytes:
    return (settings.BASE_DIR / "templates" / "assessments" / "report.typ").read_bytes()


def _bounded(document: dict[str, Any]) -> dict[str, Any]:
    """No more findings than are typeset in seconds."""
    findings = document.get("findings", [])
    if len(findings) <= MOST:
        return document
    return {
        **document,
        "findings": findings[:MOST],
        "left_out": _left_out(len(findings), "findings, the worst first"),
    }


def _short(block: Block) -> Iterator[Block]:
    if isinstance(block, Table) and len(block.rows) > MOST:
        yield Table(block.columns, block.rows[:MOST], block.numeric)
        yield Text(_left_out(len(block.rows), "rows"))
    else:
        yield block


def _left_out(total: int, what: str) -> str:
    return f"These are the first {MOST:,} of {total:,} {what}. The other formats hold all of them."


def _as_data(block: Block) -> dict[str, Any]:
    data = {"kind": block.kind, **asdict(block)}
    if isinstance(block, Drawing):
        return data
    if isinstance(block, Table):
        data["numeric"] = sorted(block.numeric)
    return {key: _breakable(value) for key, value in data.items()}


def _breakable(value: Any) -> Any:
    """Paths, addresses and URLs may be broken after their separators."""
    if isinstance(value, str):
        return _LONG_WORD.sub(lambda word: _BREAKS_AFTER.sub(ZERO_WIDTH_SPACE, word[0]), value)
    return [_breakable(item) for item in value] if isinstance(value, list | tuple) else value
