"""How old data is at the time of a run."""

from __future__ import annotations

from datetime import date

from assessments.agents.wording import counted

YEAR = 12
"""Months after which prices and other figures are called old."""


def months_old(as_of: str, on: date | None) -> int:
    """Whole months from ``as_of``, ISO 8601, to ``on``; 0 where either is not known."""
    try:
        return max(0, (on - date.fromisoformat(as_of)).days * 12 // 365) if on else 0
    except ValueError:
        return 0


def age(as_of: str, on: date | None) -> str:
    """``14 months``, ``less than a month``."""
    months = months_old(as_of, on)
    return counted(months, "month") if months else "less than a month"
