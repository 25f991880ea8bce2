"""The queue at each moment by Erlang C: what is needed, and how the running replicas do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assessments.agents.capacity.erlang import (
    erlang_c,
    mean_wait,
    response_percentile,
    wait_percentile,
)

if TYPE_CHECKING:
    from assessments.requirements import Requirements

SHARE = 0.95
MODEL = (
    "M/M/c (Erlang C; Gross, Shortle, Thompson, Harris, Fundamentals of Queueing Theory, 4th ed.,"
    " 2008, section 2.3): Poisson arrivals, exponential service times"
)
TARGET_WITHOUT_LATENCY = "at most 5 % of the requests wait (the 95th percentile of the wait is 0)"


@dataclass(frozen=True, slots=True)
class Moment:
    """One load to be handled. ``rate`` is in requests a second; ``source`` describes where it comes
    from."""

    key: str
    label: str
    rate: float
    source: str


@dataclass(frozen=True, slots=True)
class Station:
    """The queue's fixed part: seconds of service, concurrent requests per replica, the target in
    seconds."""

    service_s: float
    concurrency: int
    target_s: float | None
    concurrency_source: str

    def load(self, moment: Moment) -> float:
        """Offered load in erlangs: a = lambda S."""
        return moment.rate * self.service_s


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one moment. ``needed`` is in replicas; None if no number of them meets the
    target."""

    moment: Moment
    load: float
    needed: int | None
    utilisation: float | None
    waiting: float | None
    mean_wait_s: float | None
    wait_p95_s: float | None
    response_p95_s: float | None


def moments_of(wanted: Requirements) -> list[Moment]:
    """Now, at peak, and the highest known rate in twelve months; each only if its inputs are
    given."""
    found = []
    if wanted.rps_now is not None:
        found.append(Moment("now", "Now", wanted.rps_now, "requirements, rps_now"))
    if wanted.rps_peak is not None:
        found.append(Moment("peak", "At peak", wanted.rps_peak, "requirements, rps_peak"))
    if found and wanted.growth_12m_percent is not None:
        base = max(found, key=lambda each: each.rate)
        factor = 1 + wanted.growth_12m_percent / 100
        if factor > 0:
            source = (
                f"{base.rate:g} x (1 + {wanted.growth_12m_percent:g} %), requirements,"
                " growth_12m_percent"
            )
            found.append(Moment("in_12_months", "Highest in 12 months", base.rate * factor, source))
    return found


def solve(station: Station, moment: Moment, replicas: int | None) -> Outcome:
    """The queue at one moment: what is needed, and how the existing replicas do."""
    load = station.load(moment)
    needed = replicas_needed(station, load)
    if replicas is None:
        return Outcome(moment, load, needed, None, None, None, None, None)
    servers = replicas * station.concurrency
    return Outcome(
        moment,
        load,
        needed,
        load / servers,
        erlang_c(servers, load),
        mean_wait(servers, load, station.service_s),
        wait_percentile(servers, load, station.service_s, share=SHARE),
        response_percentile(servers, load, station.service_s, share=SHARE),
    )


def replicas_needed(station: Station, load: float) -> int | None:
    """The fewest replicas that meet the target at ``load`` erlangs, by doubling and bisection (the
    response time falls with every server). None if the service time's own 95th percentile, S ln
    20, is already above the target."""
    if station.target_s is not None and station.target_s <= station.service_s * math.log(
        1 / (1 - SHARE)
    ):
        return None
    low = int(load // station.concurrency)  # at most a stable queue's edge: not enough
    high = low + 1
    while not _enough(station, load, high):
        low, high = high, high + max(1, high - int(load // station.concurrency)) * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _enough(station, load, middle) else (middle, high)
    return high


def _enough(station: Station, load: float, replicas: int) -> bool:
    servers = replicas * station.concurrency
    if servers <= load:
        return False
    if station.target_s is None:
        return erlang_c(servers, load) <= 1 - SHARE
    return response_percentile(servers, load, station.service_s, share=SHARE) <= station.target_s


def station_of(wanted: Requirements) -> Station:
    given = wanted.concurrency_per_replica
    source = (
        "requirements, concurrency_per_replica"
        if given
        else "assumed: one request at a time per replica"
    )
    target = wanted.latency_p95_target_ms
    return Station(
        (wanted.service_time_ms or 0) / 1000, given or 1, target / 1000 if target else None, source
    )
