"""Findings for too few replicas, an unreachable target, and too little network capacity."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from assessments.agents.capacity.load_model import (
    MODEL,
    SHARE,
    TARGET_WITHOUT_LATENCY,
    Outcome,
    Station,
)
from assessments.agents.capacity.network import network_ceiling
from assessments.agents.capacity.tier import Tier
from assessments.agents.inventory import Inventory
from assessments.agents.resource_findings import finding_about
from assessments.agents.types import AgentFinding, Severity
from assessments.agents.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.requirements import Requirements


def queue_findings(station: Station, tier: Tier, outcomes: list[Outcome]) -> Iterator[AgentFinding]:
    if all(each.needed is None for each in outcomes):
        yield _unreachable(station, tier)
    if tier.replicas is None:
        return
    for outcome in outcomes:
        if outcome.needed is not None and tier.replicas < outcome.needed:
            yield _short(station, tier, outcome)


def _short(station: Station, tier: Tier, outcome: Outcome) -> AgentFinding:
    """Too few replicas for one moment. Overload is critical now, high later; a missed target is
    medium now, low later."""
    overloaded = outcome.utilisation is not None and outcome.utilisation >= 1
    soon = outcome.moment.key != "in_12_months"
    severity = {
        (True, True): Severity.CRITICAL,
        (True, False): Severity.HIGH,
        (False, True): Severity.MEDIUM,
    }
    goal = (
        f"p95 of at most {station.target_s * 1000:g} ms"
        if station.target_s
        else TARGET_WITHOUT_LATENCY
    )
    actual = counted(tier.replicas or 0, "replica")
    if overloaded:
        actual += (
            f", utilization {100 * (outcome.utilisation or 0):.0f} %: the queue grows without bound"
        )
    else:
        actual += f", p95 response {1000 * (outcome.response_p95_s or 0):.0f} ms"
    return finding_about(
        tier.resource,
        rule=f"im-cap-short-{outcome.moment.key.replace('_', '-')}",
        title=f"Too few replicas: {outcome.moment.label.lower()}",
        severity=severity.get((overloaded, soon), Severity.LOW),
        expected=(
            f"{counted(outcome.needed or 0, 'replica')} for {outcome.moment.rate:g} requests a"
            f" second ({goal})"
        ),
        actual=actual,
        why=(
            f"Offered load {outcome.load:.2f} erlangs (rate x service time) against "
            f"{(tier.replicas or 0) * station.concurrency} servers. Model: {MODEL}."
        ),
        remediation=(f"Run {tier.in_words(outcome.needed or 0)}, or shorten the service time."),
        subject=tier.name,
    )


def _unreachable(station: Station, tier: Tier) -> AgentFinding:
    least = station.service_s * math.log(1 / (1 - SHARE)) * 1000
    return finding_about(
        tier.resource,
        rule="im-cap-target-unreachable",
        title="No number of replicas meets the latency target",
        severity=Severity.HIGH,
        expected=f"p95 of at most {(station.target_s or 0) * 1000:g} ms",
        actual=f"the service time alone has a p95 of {least:.0f} ms",
        why=(
            "With exponential service times, the 95th percentile of the service time alone is"
            " S ln 20 = 3.0 S. More replicas shorten only the waiting that comes on top."
        ),
        remediation="Shorten the service time, cache responses, or relax the target.",
        subject=tier.name,
    )


def network_findings(inventory: Inventory, wanted: Requirements) -> Iterator[AgentFinding]:
    ceiling = network_ceiling(inventory, wanted)
    if ceiling is None:
        return
    machines, gbps, needed = ceiling
    if needed > gbps:
        yield finding_about(
            machines.resource,
            rule="im-cap-network-ceiling",
            title="Peak traffic exceeds what the instances can sustain",
            severity=Severity.HIGH,
            expected=(
                f"at most {gbps:g} Gbit/s ({machines.count} x {machines.instance_type}, baseline)"
            ),
            actual=f"{needed:.3f} Gbit/s of egress at peak",
            why="Above its baseline, an instance uses up its credits and is then throttled.",
            remediation=("Use a larger type or more instances, or put a CDN in front."),
        )
