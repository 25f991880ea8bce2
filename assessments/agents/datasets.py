"""The data sets that ship with Infra Mind: read once, never modified, each with its source and
date."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

USED_BY = {
    "frameworks.json.gz": ("security", "compliance", "operations"),
    "checkov_rules.json": ("security", "operations"),
    "ec2.json.gz": ("cost", "capacity", "sustainability"),
    "azure.json.gz": ("cost",),
    "google.json.gz": ("cost",),
    "nodes.json.gz": ("cost",),
    "services.json.gz": ("cost",),
    "databases.json.gz": ("cost",),
    "cost_facts.json": ("cost",),
    "sla.json": ("reliability",),
    "carbon.json": ("sustainability",),
}
"""Each data set, and the agents whose numbers rest on it."""

FOLDER = Path(__file__).resolve().parent.parent / "data"


@dataclass(frozen=True, slots=True)
class Header:
    """Where a data set comes from. ``as_of`` is the date its figures were true, ISO 8601."""

    source: str
    url: str
    version: str
    as_of: str
    licence: str

    def cite(self, detail: str = "") -> str:
        """One line to show beside a number: what, when, where."""
        return f"{self.source}, as of {self.as_of}{f', {detail}' if detail else ''} ({self.url})"


@cache
def load(name: str) -> dict[str, Any]:
    """The data set ``name`` (``sla.json``, ``ec2.json.gz``). Raises FileNotFoundError for a name
    that isn't there."""
    raw = (FOLDER / name).read_bytes()
    content = json.loads(gzip.decompress(raw) if name.endswith(".gz") else raw)
    if not isinstance(content, dict) or "header" not in content:
        raise ValueError(f"{name} has no header that says where its figures come from")
    return content


def header(name: str) -> Header:
    return _header(load(name)["header"])


def headers(name: str) -> list[Header]:
    """The header of a data set, and those of the ``parts`` that come from elsewhere."""
    fields = load(name)["header"]
    return [_header(fields), *map(_header, fields.get("parts", ()))]


def _header(fields: dict[str, Any]) -> Header:
    return Header(*(str(fields[key]) for key in ("source", "url", "version", "as_of", "licence")))
