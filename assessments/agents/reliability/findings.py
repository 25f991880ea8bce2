"""Failed controls and single points of failure, as findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.agents.inventory import Inventory, Machines
from assessments.agents.reliability.controls import Control, Item, controls_for
from assessments.agents.resource_findings import finding_about
from assessments.agents.scoring import Tally
from assessments.agents.types import AgentFinding, Severity, SeverityOrigin

if TYPE_CHECKING:
    from collections.abc import Iterator


def items_of(inventory: Inventory) -> list[Item]:
    listed: list[Item] = [
        *inventory.machines,
        *inventory.databases,
        *inventory.caches,
        *inventory.load_balancers,
    ]
    listed += [*inventory.services, *inventory.workloads, *inventory.compose]
    return [item for item in listed if controls_for(item)]


def control_findings(
    item: Item, tally: Tally, suppressed: set[tuple[str, str]]
) -> Iterator[AgentFinding]:
    for control in controls_for(item):
        holds = control.holds(item)
        if holds is None:
            continue
        if any((item.resource.address, rule) in suppressed for rule in control.same_as):
            tally.suppressed += 1
            continue
        tally.add(control.severity, passed=holds)
        if not holds:
            yield _finding(control, item)


def _finding(control: Control, item: Item) -> AgentFinding:
    return finding_about(
        item.resource,
        rule=control.rule,
        title=control.title,
        severity=control.severity,
        origin=SeverityOrigin.CATEGORY,
        expected=control.expected,
        actual=control.actual(item),
        why=control.why,
        remediation=control.remediation,
        reference=control.reference,
    )


def shared_points(inventory: Inventory, tally: Tally) -> Iterator[AgentFinding]:
    """Single points of failure that show only when all resources are considered together."""
    spans = [each.zones for each in inventory.machines] + [
        each.zones for each in inventory.load_balancers
    ]
    several_zones = any((zones or 1) >= 2 for zones in spans)
    gateways = inventory.of_kind("nat")
    if gateways and several_zones:
        tally.add(Severity.MEDIUM, passed=len(gateways) >= 2)
        if len(gateways) == 1:
            yield finding_about(
                gateways[0].resource,
                rule="im-rel-single-nat",
                title="One NAT gateway serves all zones",
                severity=Severity.MEDIUM,
                expected="A NAT gateway in each zone that has private subnets",
                actual="1 NAT gateway, several zones",
                why=(
                    "When its zone fails, the machines of every other zone lose outbound access as"
                    " well."
                ),
                remediation=(
                    "Add a NAT gateway and a route per zone, or accept the risk to save its cost."
                ),
                reference=(
                    "https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html"
                ),
            )
    single = [each for each in inventory.machines if not each.replaced]
    yield from _one_zone(single, tally)
    if single:
        redundant = len(single) >= 2
        tally.add(Severity.MEDIUM, passed=redundant)
        if not redundant:
            yield finding_about(
                single[0].resource,
                rule="im-rel-single-machine",
                title="One machine, and nothing replaces it",
                severity=Severity.MEDIUM,
                expected="An instance group that keeps 2 or more running",
                actual="1 instance, in no group",
                why="When the machine fails, the service is down until someone builds a new one.",
                remediation="Put it in an Auto Scaling group across two or more zones.",
                reference="https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-benefits.html",
            )


def _one_zone(single: list[Machines], tally: Tally) -> Iterator[AgentFinding]:
    """Several machines that no group spreads: are they in more than one zone? Unknown locations
    aren't judged."""
    places = {each.placement for each in single}
    if len(single) < 2 or None in places:
        return
    tally.add(Severity.MEDIUM, passed=len(places) >= 2)
    if len(places) == 1:
        yield finding_about(
            single[0].resource,
            rule="im-rel-machines-one-zone",
            title="All machines are in one zone",
            severity=Severity.MEDIUM,
            expected="Machines in at least 2 zones",
            actual=f"{len(single)} machines, all in {single[0].placement}",
            why="A failure of that zone stops all of them at once, however many there are.",
            remediation=(
                "Place them in subnets of two or more zones, preferably with an Auto Scaling group."
            ),
            reference=(
                "https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-benefits.html"
            ),
        )
