"""What serves the requests, and how many of it run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assessments.agents.inventory import SERVING_KINDS, Inventory
from assessments.agents.wording import counted

if TYPE_CHECKING:
    from assessments.requirements import Requirements
    from assessments.scan.types import Resource


@dataclass(frozen=True, slots=True)
class Tier:
    """What serves the requests. ``replicas`` is None where neither code nor requirements tell."""

    name: str
    replicas: int | None
    source: str
    resource: Resource | None = None


def serving_tier(inventory: Inventory, wanted: Requirements) -> Tier:
    """What answers requests: the workload that the outside reaches, else the instance group, else
    the only workload, else single instances behind a load balancer.

    Where several could be meant the one with the fewest replicas is taken, being the bottleneck.
    The questionnaire's ``replicas`` counts where the code is silent.
    """
    workloads = [
        each for each in inventory.workloads if each.kind in SERVING_KINDS and each.replicas
    ]
    exposed = [_declared(each.resource, each.replicas) for each in workloads if each.exposed]
    groups = [
        _declared(m.resource, m.count)
        for m in inventory.machines
        if m.service in ("ecs", "asg") and m.count
    ]
    only = (
        [_declared(each.resource, each.replicas) for each in workloads]
        if len(workloads) == 1
        else []
    )
    for tiers in (exposed, groups, only):
        if tiers:
            return min(tiers, key=lambda tier: (tier.replicas or 0, tier.name))
    single = [each for each in inventory.machines if each.service in ("ec2", "gce", "azure_vm")]
    if single and (inventory.load_balancers or wanted.replicas is None):
        first = single[0].resource
        return Tier(
            "instances",
            len(single),
            f"{first.file}:{first.line_start}, {counted(len(single), 'instance')}",
            first,
        )
    if wanted.replicas is not None:
        return Tier("the serving tier", wanted.replicas, "requirements, replicas")
    return Tier(
        "the serving tier",
        None,
        "neither the code nor the requirements name the number of replicas",
    )


def _declared(resource: Resource, replicas: int | None) -> Tier:
    return Tier(resource.address, replicas, f"{resource.file}:{resource.line_start}", resource)
