"""The cost agent: what the declared resources cost a month, what could be saved, and how far the
budget reaches."""

from __future__ import annotations

import re

from assessments.agents.cost.price_list import (
    ZERO,
    Line,
    Price,
    Unpriced,
    cents,
    egress_usd,
    price_entries,
)
from assessments.agents.cost.result import not_assessed, result_of
from assessments.agents.cost.savings import find_savings
from assessments.agents.inventory import Region, is_read, read_inventory, region_of, resource_type
from assessments.agents.types import (
    PRICED_KINDS,
    Agent,
    AgentInput,
    AgentResult,
    Headline,
    OnProgress,
    Part,
)
from assessments.requirements import Requirements
from assessments.scan.types import FileKind, Resource

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
        return not_assessed(data.resources, unpriced)
    egress = _egress(data.requirements, region)
    on_progress(steps - 1, steps, "Priced egress")
    total = sum((line.monthly_usd for line in lines), ZERO) + (
        cents(egress.usd) if egress else ZERO
    )
    savings = sorted(
        find_savings(inventory, region.name, data.requirements),
        key=lambda s: (-s.monthly_usd, s.resource.address),
    )
    on_progress(steps, steps, "Looked for savings")
    return result_of(data.requirements, region, lines, unpriced, egress, total, savings)


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


AGENT = Agent(
    name="cost",
    label="Cost",
    run=run,
    reads=frozenset({Part.RESOURCES}),
    looks_at=PRICED_KINDS,
    headline=Headline(
        summed=("monthly_cost", "savings", "unpriced", "egress"),
        leading="monthly_cost",
        left_out="unpriced",
    ),
)
