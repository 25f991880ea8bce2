"""Availability of a chain of tiers, from the providers' published service level agreements.

Formulas: components that must all work multiply, A = a1 x a2 x ... x an; n independent alternatives
of which one is enough give A = 1 - (1 - a)^n (AWS whitepaper "Availability and Beyond:
Understanding and Improving the Resilience of Distributed Systems on AWS", November 2021, sections
"Availability with dependencies" and "Availability with redundancy"). A service level agreement is a
refund threshold, not a measurement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assessments.agents.datasets import load

if TYPE_CHECKING:
    from collections.abc import Iterable

MINUTES_PER_MONTH = 730 * 60
"""8,760 hours a year over 12 months."""


@dataclass(frozen=True, slots=True)
class Sla:
    """One published figure. ``shape``: "zones" (two or more), "single" (one machine or zone), or
    "managed"."""

    provider: str
    service: str
    shape: str
    percent: float
    url: str
    as_of: str

    @property
    def availability(self) -> float:
        return self.percent / 100


def published_sla(service: str, *, shape: str) -> Sla | None:
    """The published figure for ``service`` in ``shape``; None if we have no figure."""
    data = load("sla.json")
    for row in data["slas"]:
        if row["service"] == service and row["shape"] == shape:
            return Sla(**row, as_of=data["header"]["as_of"])
    return None


def serial(availabilities: Iterable[float]) -> float:
    """All are needed: the product. Availabilities are fractions, 0..1."""
    return math.prod(availabilities)


def parallel(availability: float, *, count: int) -> float:
    """One of ``count`` independent alternatives is enough: 1 - (1 - a)^n."""
    return 1 - (1 - availability) ** count


def downtime_minutes(availability: float) -> float:
    """Minutes of downtime a month at ``availability`` (a fraction), in a month of 730 hours."""
    return (1 - availability) * MINUTES_PER_MONTH


def percent_words(availability: float) -> str:
    """``98.94 %``, rounded down; from 99.9 % on with four decimals, as they matter there."""
    digits = 4 if availability >= 0.999 else 2
    shown = math.floor(round(availability * 100 * 10**digits, 4)) / 10**digits
    return f"{shown:.{digits}f}".rstrip("0").rstrip(".") + " %"
