"""A list of findings as a file, written row by row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from assessments.agents.types import Severity
from assessments.models import Finding
from assessments.reports.csv import inert
from assessments.reports.layout.blocks import shown

EXPORTED_MAX = 20_000
"""Findings per file."""
COLUMNS = (
    "assessment",
    "run",
    "severity",
    "agent",
    "rule",
    "title",
    "scope",
    "resource",
    "file",
    "file_kind",
    "line_start",
    "line_end",
    "is_exposed",
    "since",
    "assignee",
    "monthly_saving_usd",
    "shown",
    "expected",
    "actual",
    "remediation",
    "fingerprint",
)
DETAILS = ("shown", "expected", "actual", "remediation")


@dataclass(frozen=True)
class Format:
    content_type: str
    write: Callable[[Iterable[Finding]], Iterator[str]]


def as_csv(found: Iterable[Finding]) -> Iterator[str]:
    """RFC 4180, with a header row."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for finding in found:
        writer.writerow(inert(shown(value)) for value in fields_of(finding).values())
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()


def as_json(found: Iterable[Finding]) -> Iterator[str]:
    """A list of objects."""
    before = "["
    for finding in found:
        yield f"{before}{json.dumps(fields_of(finding))}"
        before = ",\n"
    yield "[]" if before == "[" else "]"


def fields_of(finding: Finding) -> dict[str, Any]:
    """A finding by the columns of the file; ``finding`` has its assignee, run and assessment."""
    special = {
        "assessment": finding.run.assessment.name,
        "run": finding.run.number,
        "severity": Severity(finding.severity).name.lower(),
        "monthly_saving_usd": finding.monthly_saving_usd and float(finding.monthly_saving_usd),
        **{name: finding.detail.get(name, "") for name in DETAILS},
    }
    return {name: special[name] if name in special else getattr(finding, name) for name in COLUMNS}


FORMATS = {
    "csv": Format("text/csv; charset=utf-8", as_csv),
    "json": Format("application/json", as_json),
}
