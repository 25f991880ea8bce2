"""Uptime target, recovery objectives and recovery strategy against what is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.agents.inventory import Inventory
from assessments.agents.reliability.availability import downtime_minutes, serial
from assessments.agents.reliability.path import Tier
from assessments.agents.resource_findings import finding_about
from assessments.agents.scoring import Tally
from assessments.agents.types import AgentFinding, Severity
from assessments.agents.wording import counted
from assessments.requirements import DisasterRecovery, Requirements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RDS_LOG_INTERVAL_MINUTES = 5
"""RDS uploads transaction logs every five minutes: the smallest data loss that point-in-time
recovery can achieve (Amazon RDS User Guide, "Restoring a DB instance to a specified time")."""
DR_REACH_MINUTES = {
    DisasterRecovery.MULTI_SITE: 0,
    DisasterRecovery.WARM_STANDBY: 1,
    DisasterRecovery.PILOT_LIGHT: 10,
    DisasterRecovery.BACKUP_RESTORE: 60,
}
"""Shortest recovery time and point, in minutes, that each strategy is meant for: real time,
minutes, tens of minutes, hours (AWS whitepaper "Disaster Recovery of Workloads on AWS: Recovery in
the Cloud", February 2021, section "Disaster recovery options in the cloud"). The words are the
paper's; the first minute of each word is taken as the threshold."""
DR_SOURCE = (
    "AWS whitepaper Disaster Recovery of Workloads on AWS (2021-02), section Disaster recovery"
    " options in the cloud"
)
STRENGTH = list(DisasterRecovery)
"""From the weakest strategy to the strongest, in the order of the enumeration."""


def required_strategy(
    rto_minutes: float | None, rpo_minutes: float | None
) -> DisasterRecovery | None:
    """The cheapest strategy whose reach covers the stricter of the two objectives; None when
    neither is given."""
    given = [each for each in (rto_minutes, rpo_minutes) if each is not None]
    if not given:
        return None
    strictest = min(given)
    return next(
        each
        for each in STRENGTH
        if each in DR_REACH_MINUTES and DR_REACH_MINUTES[each] <= strictest
    )


def target_findings(
    tiers: Sequence[Tier], wanted: Requirements, tally: Tally
) -> Iterator[AgentFinding]:
    target = wanted.uptime_target_percent
    if target is None or not tiers:
        return
    composite = serial(tier.availability for tier in tiers)
    met = composite * 100 >= target
    severity = _target_severity(composite, target / 100)
    tally.add(severity, passed=met)
    if not met:
        weakest = min(tiers, key=lambda tier: (tier.availability, tier.resource.address))
        yield finding_about(
            weakest.resource,
            rule="im-rel-uptime-target",
            title="The request path falls short of the uptime target",
            severity=severity,
            expected=(
                f"{target:g} % ({downtime_minutes(target / 100):.1f} minutes of downtime a month)"
            ),
            actual=(
                f"{composite * 100:.4f} % across {counted(len(tiers), 'tier')}, "
                f"{downtime_minutes(composite):.1f} minutes of downtime a month"
            ),
            why=(
                f"The weakest tier is {weakest.name.lower()} {weakest.resource.address} at "
                f"{weakest.availability * 100:.4g} %; no other tier can make up for that."
            ),
            remediation=(
                "Spread the weakest tier across zones first, then look at the next weakest."
            ),
            reference=weakest.sla.url,
        )


def _target_severity(composite: float, target: float) -> Severity:
    """High if ten times the allowed downtime is expected, otherwise medium."""
    return Severity.HIGH if 1 - composite >= 10 * (1 - target) else Severity.MEDIUM


def recovery_findings(
    inventory: Inventory, wanted: Requirements, tally: Tally
) -> Iterator[AgentFinding]:
    yield from _strategy_finding(wanted, tally)
    rpo = wanted.rpo_minutes
    if rpo is None:
        return
    for each in inventory.databases:
        if (
            each.service != "rds"
            or each.is_replica
            or each.backup_days is None
            or each.multi_zone is None
        ):
            continue
        reached = each.backup_days > 0 and rpo >= RDS_LOG_INTERVAL_MINUTES
        tally.add(Severity.HIGH, passed=reached)
        if not reached:
            yield finding_about(
                each.resource,
                rule="im-rel-rpo",
                title="Backups can't meet the recovery point objective",
                severity=Severity.HIGH,
                expected=f"At most {rpo:g} minutes of data lost",
                actual=(
                    "no backups: all data can be lost"
                    if each.backup_days == 0
                    else f"point-in-time recovery loses up to {RDS_LOG_INTERVAL_MINUTES} minutes"
                ),
                why=(
                    "Backups can restore the data only up to the last saved log. A standby in"
                    " another zone protects against losing a machine, not against bad writes."
                ),
                remediation=(
                    "Turn on backups; for less than five minutes, replicate to a second region"
                    " (Aurora Global Database)."
                ),
                reference="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html",
            )


def _strategy_finding(wanted: Requirements, tally: Tally) -> Iterator[AgentFinding]:
    needed = required_strategy(wanted.rto_minutes, wanted.rpo_minutes)
    chosen = wanted.disaster_recovery
    if needed is None or chosen is None:
        return
    enough = STRENGTH.index(chosen) >= STRENGTH.index(needed)
    tally.add(Severity.HIGH, passed=enough)
    if not enough:
        yield finding_about(
            None,
            rule="im-rel-dr-strategy",
            title="The recovery strategy is too slow for the objectives",
            severity=Severity.HIGH,
            expected=f"{strategy_words(needed)} or stronger",
            actual=strategy_words(chosen),
            why=in_words(wanted),
            remediation=f"Plan for {strategy_words(needed)}, or relax the objectives.",
            reference=(
                "https://docs.aws.amazon.com/whitepapers/latest/disaster-recovery-workloads-on-aws/"
                "disaster-recovery-options-in-the-cloud.html"
            ),
        )


def is_asked(wanted: Requirements) -> bool:
    given = (wanted.uptime_target_percent, wanted.rto_minutes, wanted.rpo_minutes)
    return any(each is not None for each in given)


def in_words(wanted: Requirements) -> str:
    pairs = (("RTO", wanted.rto_minutes), ("RPO", wanted.rpo_minutes))
    return ", ".join(f"{name} {value:g} minutes" for name, value in pairs if value is not None)


def strategy_words(strategy: DisasterRecovery) -> str:
    return strategy.value.replace("_", " ")
