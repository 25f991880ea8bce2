"""The cost agent: what the declared resources cost a month, what could be saved, and how far the
budget reaches."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from assessments.agents.cost.price_list import (
    GP3_FREE_IOPS,
    HOURS_PER_MONTH,
    Line,
    Price,
    Unpriced,
    as_row,
    cents,
    database_price,
    egress_usd,
    fact,
    machine_price,
    price_entries,
    volume_entries,
)
from assessments.agents.families import (
    GRAVITON,
    GRAVITON_PAGE,
    NEWER,
    PREVIOUS_GENERATION_PAGE,
    moved,
)
from assessments.agents.inventory import (
    Inventory,
    Region,
    Volume,
    is_read,
    read_inventory,
    region_of,
    resource_type,
)
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
    Share,
    Table,
)
from assessments.agents.wording import counted
from assessments.requirements import Criticality, Requirements
from assessments.scan.types import FileKind, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

ZERO = Decimal(0)
GP2_LARGE_GB = 170
"""Above this size gp2 gives up to 250 MB/s, so gp3 is priced with the extra throughput (Amazon EBS
User Guide, "General Purpose SSD volumes")."""
GP2_IOPS_PER_GB = 3
GP3_MOST_IOPS = 16_000

FREE = re.compile(
    r"aws_(iam_|security_group|vpc|subnet|route(_table|$)|internet_gateway|egress_only|network_acl|launch_|key_pair|"
    r"db_(subnet|parameter|option)_group|elasticache_(subnet|parameter)_group|rds_cluster_parameter|default_|"
    r"s3_bucket_|lb_(listener|target)|alb_(listener|target)|autoscaling_(policy|attachment|schedule|lifecycle)|"
    r"cloudwatch_event|acm_certificate|route53_record|kms_alias|ecs_(cluster|task)|eip_association|volume_attachment|"
    r"placement_group|lambda_(permission|alias|event)|appautoscaling|ec2_tag)"
    r"|AWS::(IAM|CloudFormation)::|AWS::EC2::(VPC$|Subnet|SecurityGroup|Route|InternetGateway|VPCGatewayAttachment)"
    r"|(random|null|local|tls|template|time|kubernetes|helm)_|provider$|variable$|output$|module$|data\."
)
"""Types that carry no price of their own: they are neither priced nor listed as unpriced."""


@dataclass(frozen=True, slots=True)
class Saving:
    """A way to pay less. ``monthly_usd`` is before minus after, each rounded to the cent."""

    rule: str
    title: str
    resource: Resource
    monthly_usd: Decimal
    expected: str
    actual: str
    why: str
    remediation: str
    reference: str
    part: str = ""


def run(data: AgentInput, on_progress: OnProgress) -> AgentResult:
    """Price the declared resources of AWS and find savings.

    Score: 100 x (1 - savings / cost) x min(1, budget / cost), the second factor only with a budget.
    When nothing can be priced the answer is NOT_ASSESSED.
    """
    region = region_of(data.requirements, data.resources)
    inventory = read_inventory(data.resources)
    steps = len(data.resources) + 2
    entries = []
    for done, entry in enumerate(price_entries(inventory, region.name), start=1):
        entries.append(entry)
        on_progress(min(done, steps - 2), steps, f"Priced {entry.resource.address}")
    lines = [each for each in entries if isinstance(each, Line)]
    unpriced = [each for each in entries if isinstance(each, Unpriced)] + _unknown(data.resources)
    if not lines:
        return _not_assessed(data.resources, unpriced)
    egress = _egress(data.requirements, region)
    on_progress(steps - 1, steps, "Priced egress")
    total = sum((line.monthly_usd for line in lines), ZERO) + (
        cents(egress.usd) if egress else ZERO
    )
    savings = sorted(
        _savings(inventory, region.name, data.requirements),
        key=lambda s: (-s.monthly_usd, s.resource.address),
    )
    on_progress(steps, steps, "Looked for savings")
    return _result(data.requirements, region, lines, unpriced, egress, total, savings)


# --- savings -----------------------------------------------------------------------------------


def _savings(inventory: Inventory, region: str, wanted: Requirements) -> Iterator[Saving]:
    for volume in inventory.volumes:
        yield from _gp3_saving(volume, region)
    for machines in inventory.machines:
        if (
            machines.instance_type
            and machines.count
            and machines.service in ("ec2", "asg", "eks_nodes")
        ):
            yield from _machine_savings(
                machines.resource, machines.instance_type, machines.count, region
            )
    for database in inventory.databases:
        newer = moved((database.instance_class or "").removeprefix("db."), GRAVITON)
        before = database_price(database, database.instance_class, region)
        after = database_price(database, f"db.{newer}", region) if newer else None
        yield from _cheaper(
            database.resource,
            str(database.instance_class),
            f"db.{newer}",
            before,
            after,
            1,
            "graviton",
        )
    yield from _nat_saving(inventory, region, wanted)


def _gp3_saving(volume: Volume, region: str) -> Iterator[Saving]:
    """gp2 against a gp3 volume that gives at least the same IOPS and throughput."""
    if volume.type != "gp2" or volume.size_gb is None:
        return
    iops = min(GP3_MOST_IOPS, max(GP3_FREE_IOPS, GP2_IOPS_PER_GB * volume.size_gb))
    throughput = 250 if volume.size_gb > GP2_LARGE_GB else 125
    like = Volume(
        volume.resource, volume.part, "gp3", volume.size_gb, iops, throughput, volume.count
    )
    saved = _sum(volume, region) - _sum(like, region)
    if fact("ebs.gp3", region) and saved > 0:
        yield Saving(
            "im-cost-gp3",
            "Volume type gp2 costs more than gp3",
            volume.resource,
            saved,
            expected=f"gp3, {volume.size_gb:g} GB, {iops:g} IOPS, {throughput} MB/s",
            actual=(
                f"gp2, {volume.size_gb:g} GB,"
                f" {counted(volume.count, 'volume')} {volume.part}".rstrip()
            ),
            why="gp3 costs less for each GB and gives at least the same speed here.",
            remediation=(
                "Set the volume type to gp3; the change is made while the volume is in use."
            ),
            reference="https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html",
            part=volume.part,
        )


def _sum(volume: Volume, region: str) -> Decimal:
    return sum(
        (each.monthly_usd for each in volume_entries(volume, region) if isinstance(each, Line)),
        ZERO,
    )


def _machine_savings(
    resource: Resource, instance_type: str, count: int, region: str
) -> Iterator[Saving]:
    """First the step to a newer x86 family, then the further step to arm64; the amounts add up
    without overlap."""
    before = machine_price(instance_type, region)
    newer = moved(instance_type, NEWER)
    after = machine_price(newer, region)
    yield from _cheaper(resource, instance_type, str(newer), before, after, count, "generation")
    base, start = (
        (str(newer), after)
        if after and before and after.usd < before.usd
        else (instance_type, before)
    )
    arm = moved(base, GRAVITON)
    yield from _cheaper(
        resource, base, str(arm), start, machine_price(arm, region), count, "graviton"
    )


def _cheaper(
    resource: Resource,
    old: str,
    new: str,
    before: Price | None,
    after: Price | None,
    count: int,
    kind: str,
) -> Iterator[Saving]:
    if before is None or after is None or after.usd >= before.usd:
        return
    hours = Decimal(count * HOURS_PER_MONTH)
    saved = cents(hours * before.usd) - cents(hours * after.usd)
    arm = kind == "graviton"
    yield Saving(
        f"im-cost-{kind}",
        f"{'An arm64' if arm else 'A newer'} instance type costs less",
        resource,
        saved,
        expected=f"{new} at {after.usd} USD an hour",
        actual=f"{old} at {before.usd} USD an hour, {count} of them",
        why=f"{before.source}; {after.source}.",
        remediation=f"Change the type to {new}"
        + (
            " after building and testing the software for arm64."
            if arm
            else ": the same size, one generation on."
        ),
        reference=GRAVITON_PAGE if arm else PREVIOUS_GENERATION_PAGE,
    )


def _nat_saving(inventory: Inventory, region: str, wanted: Requirements) -> Iterator[Saving]:
    """One gateway instead of several, for what isn't critical: it trades a zone's independence for
    the price."""
    gateways = inventory.of_kind("nat")
    price = fact("nat.hour", region)
    relaxed = wanted.criticality in (Criticality.LOW, Criticality.MEDIUM)
    if len(gateways) < 2 or price is None or not relaxed:
        return
    surplus = len(gateways) - 1
    yield Saving(
        "im-cost-nat",
        "Several NAT gateways for a workload that isn't critical",
        gateways[-1].resource,
        cents(Decimal(HOURS_PER_MONTH) * price.usd) * surplus,
        expected="1 NAT gateway",
        actual=f"{len(gateways)} NAT gateways",
        why=(
            f"Each costs {price.usd} USD an hour. The saving has a price: a zone's failure then"
            " cuts the others off."
        ),
        remediation=(
            "Route all private subnets through one gateway, if criticality really is what was"
            " stated."
        ),
        reference="https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html",
    )


# --- result ------------------------------------------------------------------------------------


def _not_assessed(resources: list[Resource], unpriced: list[Unpriced]) -> AgentResult:
    only_containers = {each.origin for each in resources} <= {FileKind.KUBERNETES, FileKind.COMPOSE}
    if resources and only_containers:
        reason = (
            "Containers are priced by the machines under them: add the Terraform or CloudFormation"
            " of the nodes."
        )
    elif unpriced:
        reason = (
            "No price is held for any of the billable resources found; the price lists cover AWS"
            " only."
        )
    else:
        reason = (
            "No billable resource was found: add Terraform, a plan, or CloudFormation that declares"
            " some."
        )
    return AgentResult(status=AgentStatus.NOT_ASSESSED, reason=reason, missing=[])


def _unknown(resources: list[Resource]) -> list[Unpriced]:
    """Cloud resources of types that the price list doesn't know, unless they are known to be
    free."""
    found = [
        each
        for each in resources
        if each.origin in (FileKind.TERRAFORM, FileKind.TERRAFORM_PLAN, FileKind.CLOUDFORMATION)
        and not is_read(each)
        and not FREE.match(resource_type(each))
    ]
    ordered = sorted(found, key=lambda each: (each.address, each.file))
    return [
        Unpriced(each, each.type, "no price is held for this type of resource") for each in ordered
    ]


def _egress(wanted: Requirements, region: Region) -> Price | None:
    return egress_usd(wanted.egress_gb_month, region.name) if wanted.egress_gb_month else None


def _result(
    wanted: Requirements,
    region: Region,
    lines: list[Line],
    unpriced: list[Unpriced],
    egress: Price | None,
    total: Decimal,
    savings: list[Saving],
) -> AgentResult:
    saved = sum((each.monthly_usd for each in savings), ZERO)
    score, formula = _score(total, saved, wanted.monthly_budget_usd)
    findings = [_finding(each, total) for each in savings] + list(
        _budget_finding(total, wanted.monthly_budget_usd)
    )
    missing = [
        name
        for name in ("regions", "monthly_budget_usd", "egress_gb_month")
        if not getattr(wanted, name)
    ]
    return AgentResult(
        status=AgentStatus.ASSESSED,
        missing=missing,
        score=score,
        score_formula=formula,
        share=_share(total, saved, wanted.monthly_budget_usd),
        summary=_summary(total, saved, lines, unpriced, region),
        figures=list(_figures(region, lines, unpriced, egress, total, saved, wanted)),
        tables=list(_tables(region, lines, unpriced, egress)),
        findings=sorted(
            findings,
            key=lambda each: (
                -each.severity,
                -(each.monthly_saving_usd or 0),
                each.fingerprint_key,
            ),
        ),
    )


def _summary(
    total: Decimal, saved: Decimal, lines: list[Line], unpriced: list[Unpriced], region: Region
) -> str:
    parts = [f"{total} USD a month for {counted(len(lines), 'component')} in {region.name}"]
    parts += [f"{saved} USD of it could be saved"] if saved else []
    parts += [f"{counted(len(unpriced), 'component')} could not be priced"] if unpriced else []
    return f"{'; '.join(parts)}."


def _score(total: Decimal, saved: Decimal, budget: float | None) -> tuple[int, str]:
    if total == 0:
        return 100, "100: nothing of what is priced costs anything"
    share = _good(total, saved, budget) / total
    formula, inputs = "100 x (1 - savings / cost)", f"100 x (1 - {saved} / {total})"
    if budget:
        formula, inputs = (
            f"{formula} x min(1, budget / cost)",
            f"{inputs} x min(1, {budget:g} / {total})",
        )
    value = int((100 * max(ZERO, share)).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    return (
        value,
        (
            f"{formula} = {inputs}, rounded to the nearest whole number; unpriced components count"
            " on neither side"
        ),
    )


def _good(total: Decimal, saved: Decimal, budget: float | None) -> Decimal:
    """What of the cost is well spent: without the savings, and cut to the budget's share."""
    return (total - saved) * (min(Decimal(1), Decimal(str(budget)) / total) if budget else 1)


def _share(total: Decimal, saved: Decimal, budget: float | None) -> Share | None:
    if not total:
        return None
    good = max(ZERO, _good(total, saved, budget))
    return Share(good=float(good), whole=float(total), unit="USD a month")


def _finding(saving: Saving, total: Decimal) -> AgentFinding:
    """Severity by share of the whole: 10 % and more medium, 1 % and more low, else information."""
    share = saving.monthly_usd / total if total else ZERO
    severity = (
        Severity.MEDIUM
        if share >= Decimal("0.1")
        else Severity.LOW
        if share >= Decimal("0.01")
        else Severity.INFO
    )
    resource = saving.resource
    return AgentFinding(
        rule=saving.rule,
        title=saving.title,
        severity=severity,
        severity_origin=SeverityOrigin.FORMULA,
        resource=resource.address,
        resource_type=resource.type,
        file=resource.file,
        line_start=resource.line_start,
        line_end=resource.line_end,
        expected=saving.expected,
        actual=saving.actual,
        why=saving.why,
        remediation=saving.remediation,
        references=[saving.reference],
        fingerprint_key=f"{saving.rule}|{resource.address}|{saving.part}",
        monthly_saving_usd=float(saving.monthly_usd),
    )


def _budget_finding(total: Decimal, budget: float | None) -> Iterator[AgentFinding]:
    """Over budget: high from half as much again, else medium."""
    if budget is None or total <= Decimal(str(budget)):
        return
    over = total - Decimal(str(budget))
    severity = Severity.HIGH if total >= Decimal("1.5") * Decimal(str(budget)) else Severity.MEDIUM
    yield AgentFinding(
        rule="im-cost-budget",
        title="The declared resources cost more than the budget",
        severity=severity,
        severity_origin=SeverityOrigin.FORMULA,
        expected=f"at most {budget:g} USD a month",
        actual=f"{total} USD a month, {cents(over)} USD over",
        why="The sum of the priced components is above the budget; unpriced ones come on top.",
        remediation="Take the savings first, then the largest lines of the price table.",
        fingerprint_key="im-cost-budget|requirements",
    )


def _figures(
    region: Region,
    lines: list[Line],
    unpriced: list[Unpriced],
    egress: Price | None,
    total: Decimal,
    saved: Decimal,
    wanted: Requirements,
) -> Iterator[Figure]:
    source = (
        f"sum of {len(lines)} priced components{' and egress' if egress else ''}, {HOURS_PER_MONTH}"
        " hours a month"
    )
    yield Figure(
        key="monthly_cost", label="Cost", value=float(total), unit="USD a month", source=source
    )
    yield Figure(
        key="region", label="Region of the prices", value=region.name, source=region.source
    )
    yield Figure(
        key="savings",
        label="Possible savings",
        value=float(saved),
        unit="USD a month",
        source="sum of the savings in the findings, each its price before minus its price after",
    )
    yield Figure(
        key="unpriced",
        label="Unpriced components",
        value=len(unpriced),
        source="count of the table of unpriced components",
    )
    if egress and wanted.egress_gb_month:
        source = (
            f"{wanted.egress_gb_month:g} GB (requirements, egress_gb_month) over the"
            f" {egress.source}"
        )
        yield Figure(
            key="egress",
            label="Egress",
            value=float(cents(egress.usd)),
            unit="USD a month",
            source=source,
        )
    if wanted.monthly_budget_usd:
        left = cents(Decimal(str(wanted.monthly_budget_usd)) - total)
        source = (
            f"budget {wanted.monthly_budget_usd:g} (requirements, monthly_budget_usd) - cost"
            f" {total}"
        )
        yield Figure(
            key="budget_left",
            label="Budget left",
            value=float(left),
            unit="USD a month",
            source=source,
        )


def _tables(
    region: Region, lines: list[Line], unpriced: list[Unpriced], egress: Price | None
) -> Iterator[Table]:
    ranked = sorted(
        lines, key=lambda each: (-each.monthly_usd, each.resource.address, each.component)
    )
    yield Table(
        key="cost",
        title="Cost by resource and component",
        columns=["resource", "component", "quantity", "unit", "price", "cost", "source"],
        units=["", "", "", "", "USD a unit", "USD a month", ""],
        rows=[as_row(each) for each in ranked],
        source=(
            f"on-demand list prices in {region.name} ({region.source}), {HOURS_PER_MONTH} hours a"
            " month, no tax"
        ),
    )
    if unpriced:
        yield Table(
            key="unpriced",
            title="Not priced, and why",
            columns=["resource", "component", "reason"],
            units=["", "", ""],
            rows=[[each.resource.address, each.component, each.reason] for each in unpriced],
            source=(
                "resources and components for which no price, size or usage is known; they are not"
                " counted as 0"
            ),
        )


AGENT = Agent(
    name="cost",
    label="Cost",
    run=run,
    reads=frozenset({Part.RESOURCES}),
    headline=Headline(
        summed=("monthly_cost", "savings", "unpriced", "egress"), leading="monthly_cost"
    ),
)
