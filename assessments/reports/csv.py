"""The findings as CSV (RFC 4180, UTF-8), one row each."""

from __future__ import annotations

import csv
import io
from typing import Any

from assessments.reports.layout.blocks import shown

COLUMNS = (
    "severity",
    "severity_origin",
    "agent",
    "rule",
    "title",
    "scope",
    "resource",
    "file",
    "line_start",
    "line_end",
    "shown",
    "exposure",
    "expected",
    "actual",
    "why",
    "remediation",
    "monthly_saving_usd",
    "since",
    "muted",
    "frameworks",
    "fingerprint",
)
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def as_csv(document: dict[str, Any]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(
        [inert(shown(_cell(finding, name))) for name in COLUMNS] for finding in document["findings"]
    )
    return out.getvalue().encode()


def inert(text: str) -> str:
    """Text that a spreadsheet doesn't execute: anything that starts like a formula gets an
    apostrophe in front (OWASP, "CSV Injection")."""
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text


def _cell(finding: dict[str, Any], name: str) -> Any:
    if name == "monthly_saving_usd":
        return finding["saving"] and finding["saving"]["monthly_usd"]
    if name == "muted":
        return finding["muted"] and finding["muted"]["reason"]
    return finding.get(name)
