"""What serves the requests, and how many instances of it run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assessments.agents.exposure.reach import exposures
from assessments.agents.inventory import SERVING_KINDS, Inventory
from assessments.agents.request_path import RequestPath, request_paths
from assessments.agents.wording import counted

if TYPE_CHECKING:
    from assessments.agents.references import Graph
    from assessments.requirements import Requirements
    from assessments.scan.types import Resource

SERVING_MACHINES = ("ecs", "asg", "ec2", "gce", "azure_vm")


@dataclass(frozen=True, slots=True)
class Tier:
    """What serves the requests. ``replicas`` is None if neither code nor requirements state it."""

    name: str
    replicas: int | None
    source: str
    resource: Resource | None = None

    def in_words(self, number: int) -> str:
        """``3 instances``, ``1 replica of Deployment/shop/cart``."""
        if self.name == "instances":
            return counted(number, "instance")
        return f"{counted(number, 'replica')} of {self.name}"


def serving_tier(inventory: Inventory, graph: Graph, wanted: Requirements) -> Tier:
    """What answers requests: what the request paths lead to. If there are several candidates, the
    one with the fewest replicas is used, being the bottleneck.

    If no path is shown, the only candidate is used; if there are several, none. The
    questionnaire's ``replicas`` is used if the code doesn't state it.
    """
    known = _replicas(inventory)
    paths = request_paths(graph, exposed=exposures(graph))
    tiers = [tier for path in paths if (tier := _of_path(path, known)) is not None]
    if tiers:
        return min(tiers, key=lambda tier: (tier.replicas or 0, tier.name))
    candidates = [_declared(resource, count) for resource, count in known.values()]
    if len(candidates) == 1 and not paths:
        return candidates[0]
    if wanted.replicas is not None:
        return Tier("the serving tier", wanted.replicas, "requirements, replicas")
    silent = "neither the code nor the requirements give the number of replicas"
    several = "the code doesn't show which of several tiers serves the requests"
    return Tier("the serving tier", None, several if candidates and not paths else silent)


def _replicas(inventory: Inventory) -> dict[str, tuple[Resource, int]]:
    """What could serve, by address, with the number of instances that always run."""
    found = {
        each.resource.address: (each.resource, each.replicas)
        for each in inventory.workloads
        if each.kind in SERVING_KINDS and each.replicas
    }
    return found | {
        each.resource.address: (each.resource, each.count)
        for each in inventory.machines
        if each.service in SERVING_MACHINES and each.count
    }


def _of_path(path: RequestPath, known: dict[str, tuple[Resource, int]]) -> Tier | None:
    serving = [known[each.address] for each in path.serving if each.address in known]
    if not serving:
        return None
    first, count = serving[0]
    if len(path.serving) == 1:
        return _declared(first, count)
    words = f"{first.file}:{first.line_start}, {counted(len(serving), 'instance')}"
    return Tier("instances", sum(count for _, count in serving), words, first)


def _declared(resource: Resource, replicas: int | None) -> Tier:
    return Tier(resource.address, replicas, f"{resource.file}:{resource.line_start}", resource)
