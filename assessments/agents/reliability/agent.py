"""The reliability agent: availability against the target, single points of failure, backups,
recovery strategy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from assessments.agents.inventory import Database, Inventory, Machines, Service, read_inventory
from assessments.agents.reliability.availability import (
    MINUTES_PER_MONTH,
    Sla,
    downtime_minutes,
    parallel,
    published_sla,
    serial,
)
from assessments.agents.reliability.controls import CONTROLS, Control, Item, controls_for
from assessments.agents.scoring import Tally
from assessments.agents.types import (
    Agent,
    AgentFinding,
    AgentInput,
    AgentResult,
    AgentStatus,
    Figure,
    Headline,
    OnProgress,
    Part,
    Severity,
    SeverityOrigin,
    Table,
)
from assessments.agents.wording import capital, counted
from assessments.requirements import DisasterRecovery, Requirements
from assessments.scan.types import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from assessments.scan.types import Resource

RDS_LOG_INTERVAL_MINUTES = 5
"""RDS uploads transaction logs every five minutes: the least data loss that point-in-time recovery
gives (Amazon RDS User Guide, "Restoring a DB instance to a specified time")."""

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
"""From the weakest strategy to the strongest, in the order in which the enumeration lists them."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One step of the request path. ``availability`` is a fraction; ``formula`` tells how it was
    made."""

    name: str
    resource: Resource
    shape: str
    availability: float
    formula: str
    sla: Sla


def run(data: AgentInput, on_progress: OnProgress) -> AgentResult:
    """Assess reliability from resources, uptime target, RTO, RPO and recovery strategy.

    Score: 100 x passed weight / (passed + failed weight) over the controls that the code answers.
    Without resources that a control reads there is no score, only what follows from the
    requirements; without those either, the answer is NOT_ASSESSED.
    """
    inventory = read_inventory(data.resources)
    items = _items(inventory)
    asked = _asked(data.requirements)
    if not items and not asked:
        return _not_assessed()
    tally = Tally()
    suppressed = {
        (each.resource, each.rule) for each in data.checks if each.outcome == Outcome.SUPPRESSED
    }
    findings: list[AgentFinding] = []
    total = len(items) + 3
    for done, item in enumerate(items, start=1):
        findings += _control_findings(item, tally, suppressed)
        on_progress(done, total, f"Checked {item.resource.address}")
    findings += _shared_points(inventory, tally)
    on_progress(len(items) + 1, total, "Looked for single points of failure")
    tiers = request_path(inventory)
    findings += _target_findings(tiers, data.requirements, tally)
    on_progress(len(items) + 2, total, "Computed the availability of the request path")
    findings += _recovery_findings(inventory, data.requirements, tally)
    on_progress(total, total, "Compared recovery objectives")
    return _result(data.requirements, tiers, findings, tally, scored=bool(items))


def request_path(inventory: Inventory) -> list[Tier]:
    """The tiers that a request passes and that the code shows: edge, balancer, compute, database,
    cache.

    One tier per kind: where several resources are of one kind, the one with the least availability
    counts, as a request may need any of them. What has no published figure is left out (and the
    result is then an upper bound).
    """
    candidates = [
        [_managed("Content delivery", each, "cdn") for each in inventory.of_kind("cdn")],
        [_managed("API gateway", each, "api_gateway") for each in inventory.of_kind("api_gateway")],
        [_balancer_tier(each.resource) for each in inventory.load_balancers],
        _compute_tiers(inventory.machines),
        [_managed("Function", each, "lambda") for each in inventory.of_kind("lambda")],
        [_database_tier(each) for each in inventory.databases if not each.is_replica],
        [_managed("Table", each, "dynamodb") for each in inventory.of_kind("dynamodb")],
        [
            _cache_tier(each.resource)
            for each in inventory.caches
            if each.failover and (each.nodes or 0) >= 2
        ],
    ]
    known = [[tier for tier in tiers if tier is not None] for tiers in candidates]
    return [
        min(tiers, key=lambda tier: (tier.availability, tier.resource.address))
        for tiers in known
        if tiers
    ]


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


# --- tiers -------------------------------------------------------------------------------------


def _tier(name: str, resource: Resource, service: str, shape: str) -> Tier | None:
    sla = published_sla(service, shape=shape)
    if sla is None:
        return None
    return Tier(name, resource, shape, sla.availability, f"published {sla.percent:g} %", sla)


def _managed(name: str, service: Service, key: str) -> Tier | None:
    return _tier(name, service.resource, key, "managed")


def _balancer_tier(resource: Resource) -> Tier | None:
    aws = resource.type.lower().startswith("aws")
    return _tier("Load balancer", resource, "elb", "managed") if aws else None


def _cache_tier(resource: Resource) -> Tier | None:
    return _tier("Cache", resource, "elasticache", "zones")


def _database_tier(database: Database) -> Tier | None:
    tier = _tier(
        "Database",
        database.resource,
        database.service,
        "zones" if database.multi_zone else "single",
    )
    if tier and database.multi_zone is None:
        return replace(
            tier,
            formula=(
                f"{tier.formula}, taken as single: the code leaves open whether there is a standby"
            ),
        )
    return tier


def _compute_tiers(machines: list[Machines]) -> list[Tier | None]:
    groups = [
        _compute_tier(each, each.zones or 1, each.count or 1) for each in machines if each.replaced
    ]
    for service in ("ec2", "gce", "azure_vm"):
        single = [each for each in machines if not each.replaced and each.service == service]
        if single:
            zones = len({each.placement for each in single if each.placement}) or 1
            groups.append(_compute_tier(single[0], zones, len(single)))
    return groups


def _compute_tier(machines: Machines, zones: int, count: int) -> Tier | None:
    """Zones fail apart from each other, machines in one zone together: 1 - (1 - a)^zones, never
    above the provider's own figure for two or more zones."""
    service = {"asg": "ec2", "eks_nodes": "ec2"}.get(machines.service, machines.service)
    alone = min(zones, count) < 2
    whole = published_sla(service, shape="zones")
    one = published_sla(service, shape="single") or (
        published_sla("ec2", shape="single") if service == "ecs" else None
    )
    if alone or whole is None or one is None:
        sla = one if alone else whole
        return _tier("Compute", machines.resource, sla.service, sla.shape) if sla else None
    apart = min(zones, count)
    value = min(parallel(one.availability, count=apart), whole.availability)
    formula = (
        f"min(1 - (1 - {one.percent:g} %)^{apart}, published {whole.percent:g} % for two or more"
        " zones)"
    )
    return Tier("Compute", machines.resource, "zones", value, formula, whole)


# --- findings ----------------------------------------------------------------------------------


def _items(inventory: Inventory) -> list[Item]:
    listed: list[Item] = [
        *inventory.machines,
        *inventory.databases,
        *inventory.caches,
        *inventory.load_balancers,
    ]
    listed += [*inventory.services, *inventory.workloads, *inventory.compose]
    return [item for item in listed if controls_for(item)]


def _control_findings(
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
    resource = item.resource
    return AgentFinding(
        rule=control.rule,
        title=control.title,
        severity=control.severity,
        severity_origin=SeverityOrigin.CATEGORY,
        resource=resource.address,
        resource_type=resource.type,
        file=resource.file,
        line_start=resource.line_start,
        line_end=resource.line_end,
        expected=control.expected,
        actual=control.actual(item),
        why=control.why,
        remediation=control.remediation,
        references=[control.reference],
        fingerprint_key=f"{control.rule}|{resource.address}",
    )


def _shared_points(inventory: Inventory, tally: Tally) -> Iterator[AgentFinding]:
    """Single points of failure that show only when all resources are seen together."""
    spans = [each.zones for each in inventory.machines] + [
        each.zones for each in inventory.load_balancers
    ]
    several_zones = any((zones or 1) >= 2 for zones in spans)
    gateways = inventory.of_kind("nat")
    if gateways and several_zones:
        tally.add(Severity.MEDIUM, passed=len(gateways) >= 2)
        if len(gateways) == 1:
            yield _computed(
                "im-rel-single-nat",
                "One NAT gateway serves all zones",
                Severity.MEDIUM,
                gateways[0].resource,
                expected="A NAT gateway in each zone that has private subnets",
                actual="1 NAT gateway, several zones",
                why=(
                    "When its zone fails, the machines of every other zone lose their way out as"
                    " well."
                ),
                remediation=(
                    "Add a NAT gateway and a route per zone, or accept the risk to save its price."
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
            yield _computed(
                "im-rel-single-machine",
                "One machine, and nothing replaces it",
                Severity.MEDIUM,
                single[0].resource,
                expected="An instance group that keeps 2 or more running",
                actual="1 instance outside of any group",
                why="When the machine fails, the service is down until somebody builds a new one.",
                remediation="Put it into an autoscaling group over two or more zones.",
                reference="https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-benefits.html",
            )


def _one_zone(single: list[Machines], tally: Tally) -> Iterator[AgentFinding]:
    """Several machines that no group spreads: do they stand in more than one zone? Unknown places
    aren't judged."""
    places = {each.placement for each in single}
    if len(single) < 2 or None in places:
        return
    tally.add(Severity.MEDIUM, passed=len(places) >= 2)
    if len(places) == 1:
        yield _computed(
            "im-rel-machines-one-zone",
            "All machines stand in one zone",
            Severity.MEDIUM,
            single[0].resource,
            expected="Machines in at least 2 zones",
            actual=f"{len(single)} machines, all in {single[0].placement}",
            why="A failure of that zone stops all of them at once, however many there are.",
            remediation="Place them in subnets of two or more zones, best by an autoscaling group.",
            reference=(
                "https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-benefits.html"
            ),
        )


def _target_findings(
    tiers: list[Tier], wanted: Requirements, tally: Tally
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
        yield _computed(
            "im-rel-uptime-target",
            "Published availabilities don't add up to the uptime target",
            severity,
            weakest.resource,
            expected=(
                f"{target:g} % ({downtime_minutes(target / 100):.1f} minutes a month may be lost)"
            ),
            actual=(
                f"{composite * 100:.4f} % over {counted(len(tiers), 'tier')}, "
                f"{downtime_minutes(composite):.1f} minutes a month"
            ),
            why=(
                f"The weakest tier is {weakest.name.lower()} {weakest.resource.address} at "
                f"{weakest.availability * 100:.4g} %; no tier above it can make up for that."
            ),
            remediation=(
                "Spread the weakest tier over zones first; then see what the next weakest gives."
            ),
            reference=weakest.sla.url,
        )


def _target_severity(composite: float, target: float) -> Severity:
    """High when ten times the allowed downtime is to be expected, else medium."""
    return Severity.HIGH if 1 - composite >= 10 * (1 - target) else Severity.MEDIUM


def _recovery_findings(
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
            yield _computed(
                "im-rel-rpo",
                "Backups can't meet the recovery point objective",
                Severity.HIGH,
                each.resource,
                expected=f"At most {rpo:g} minutes of data lost",
                actual=(
                    "no backups: all data would be lost"
                    if each.backup_days == 0
                    else f"point-in-time recovery loses up to {RDS_LOG_INTERVAL_MINUTES} minutes"
                ),
                why=(
                    "Recovery from backups can't reach further than the last log that was saved. A"
                    " standby in another zone protects from the loss of a machine, not from wrong"
                    " writes."
                ),
                remediation=(
                    "Switch backups on; below five minutes, replicate to a second region (Aurora"
                    " Global)."
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
        yield _computed(
            "im-rel-dr-strategy",
            "The recovery strategy is too slow for the objectives",
            Severity.HIGH,
            None,
            expected=f"{_words(needed)} or stronger",
            actual=_words(chosen),
            why=_objectives(wanted),
            remediation=f"Plan for {_words(needed)}, or relax the objectives.",
            reference=(
                "https://docs.aws.amazon.com/whitepapers/latest/disaster-recovery-workloads-on-aws/"
                "disaster-recovery-options-in-the-cloud.html"
            ),
        )


def _computed(
    rule: str,
    title: str,
    severity: Severity,
    resource: Resource | None,
    *,
    expected: str,
    actual: str,
    why: str,
    remediation: str,
    reference: str,
) -> AgentFinding:
    """A finding whose severity follows from a formula; without ``resource`` it is about the
    requirements."""
    return AgentFinding(
        rule=rule,
        title=title,
        severity=severity,
        severity_origin=SeverityOrigin.FORMULA,
        resource=resource.address if resource else "",
        resource_type=resource.type if resource else "",
        file=resource.file if resource else "",
        line_start=resource.line_start if resource else 0,
        line_end=resource.line_end if resource else 0,
        expected=expected,
        actual=actual,
        why=why,
        remediation=remediation,
        references=[reference],
        fingerprint_key=f"{rule}|{resource.address if resource else 'requirements'}",
    )


# --- result ------------------------------------------------------------------------------------


def _asked(wanted: Requirements) -> bool:
    given = (wanted.uptime_target_percent, wanted.rto_minutes, wanted.rpo_minutes)
    return any(each is not None for each in given)


def _not_assessed() -> AgentResult:
    return AgentResult(
        status=AgentStatus.NOT_ASSESSED,
        reason=(
            "No resource that runs something was found, and no uptime target or recovery objective"
            " is given."
        ),
        missing=["uptime_target_percent", "rto_minutes", "rpo_minutes"],
    )


def _result(
    wanted: Requirements,
    tiers: list[Tier],
    findings: list[AgentFinding],
    tally: Tally,
    *,
    scored: bool,
) -> AgentResult:
    score = tally.score() if scored else None
    return AgentResult(
        status=AgentStatus.ASSESSED,
        missing=[
            name
            for name in ("uptime_target_percent", "rto_minutes", "rpo_minutes")
            if getattr(wanted, name) is None
        ],
        score=score,
        score_formula=_score_formula(tally, scored=score is not None),
        share=tally.share() if scored else None,
        summary=_summary(tiers, findings, wanted),
        figures=list(_figures(tiers, wanted, tally)),
        tables=[_path_table(tiers)] if tiers else [],
        findings=sorted(
            findings, key=lambda each: (-each.severity, each.file, each.resource, each.rule)
        ),
    )


def _score_formula(tally: Tally, *, scored: bool) -> str:
    if not scored:
        return "No score: the code shows no resource that a reliability control reads."
    return f"{tally.formula()}. Controls that the code doesn't answer count on neither side."


def _summary(tiers: list[Tier], findings: list[AgentFinding], wanted: Requirements) -> str:
    parts = [capital(f"{counted(len(findings), 'weakness', plural='weaknesses')} found.")]
    if tiers:
        composite = serial(tier.availability for tier in tiers) * 100
        parts.append(
            f"The request path of {counted(len(tiers), 'tier')} is promised {composite:.4f} %."
        )
    if wanted.uptime_target_percent is not None and not tiers:
        parts.append(
            "Availability of the path is not assessed: the code shows no tier with a published"
            " figure."
        )
    return " ".join(parts)


def _figures(tiers: list[Tier], wanted: Requirements, tally: Tally) -> Iterator[Figure]:
    if wanted.uptime_target_percent is not None:
        allowed = downtime_minutes(wanted.uptime_target_percent / 100)
        yield Figure(
            key="allowed_downtime",
            label="Downtime the target allows",
            value=round(allowed, 1),
            unit="minutes a month",
            source=(
                f"(1 - {wanted.uptime_target_percent:g} %) x {MINUTES_PER_MONTH} minutes (730 hours"
                " a month)"
            ),
        )
    if tiers:
        yield from _path_figures(tiers)
    needed = required_strategy(wanted.rto_minutes, wanted.rpo_minutes)
    if needed is not None:
        yield Figure(
            key="needed_recovery_strategy",
            label="Recovery strategy the objectives need",
            value=_words(needed),
            source=f"{DR_SOURCE}; {_objectives(wanted)}",
        )
    if tally.passed_count + tally.failed_count:
        source = (
            f"{len(CONTROLS)} controls of the table in assessments/agents/reliability_controls.py,"
            " and objectives"
        )
        yield Figure(
            key="controls_held", label="Controls that hold", value=tally.passed_count, source=source
        )
        yield Figure(
            key="controls_failed",
            label="Controls that don't hold",
            value=tally.failed_count,
            source=source,
        )


def _path_figures(tiers: Iterable[Tier]) -> Iterator[Figure]:
    listed = list(tiers)
    composite = serial(tier.availability for tier in listed)
    product = " x ".join(f"{tier.availability * 100:.4g} %" for tier in listed)
    source = (
        f"serial product of the visible tiers: {product}; published service level agreements as of "
        f"{listed[0].sla.as_of}, which are refund thresholds, not measurements"
    )
    yield Figure(
        key="composite_availability",
        label="Promised availability of the request path",
        value=round(composite * 100, 4),
        unit="%",
        source=source,
    )
    yield Figure(
        key="composite_downtime",
        label="Downtime within that promise",
        value=round(downtime_minutes(composite), 1),
        unit="minutes a month",
        source=f"(1 - {composite * 100:.4f} %) x {MINUTES_PER_MONTH} minutes",
    )


def _path_table(tiers: list[Tier]) -> Table:
    return Table(
        key="request_path",
        title="Availability by tier",
        columns=["tier", "resource", "availability", "how", "source"],
        units=["", "", "%", "", ""],
        rows=[
            [
                tier.name,
                tier.resource.address,
                round(tier.availability * 100, 4),
                tier.formula,
                tier.sla.url,
            ]
            for tier in tiers
        ],
        source=(
            f"Published service level agreements as of {tiers[0].sla.as_of}: refund thresholds, not"
            " measurements. Of several resources of one kind the weakest counts; tiers without a"
            " published figure are left out."
        ),
    )


def _objectives(wanted: Requirements) -> str:
    pairs = (("RTO", wanted.rto_minutes), ("RPO", wanted.rpo_minutes))
    return ", ".join(f"{name} {value:g} minutes" for name, value in pairs if value is not None)


def _words(strategy: DisasterRecovery) -> str:
    return strategy.value.replace("_", " ")


AGENT = Agent(
    name="reliability",
    label="Reliability",
    run=run,
    reads=frozenset(Part),
    headline=Headline(
        summed=("controls_*",),
        worst=("composite_*", "allowed_downtime"),
        worst_by="composite_availability",
    ),
)
