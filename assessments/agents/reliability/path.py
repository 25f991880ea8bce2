"""The request path: the tiers that the code shows, each with its published availability."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from assessments.agents.inventory import Database, Inventory, Machines, Service
from assessments.agents.reliability.availability import Sla, parallel, published_sla

if TYPE_CHECKING:
    from assessments.scan.types import Resource


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
