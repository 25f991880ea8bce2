"""Availability along the request path: the tiers that a request needs, each with the published
availability of its own service."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from assessments.agents.attributes import text
from assessments.agents.exposure.reach import exposures
from assessments.agents.flow import FRONTS, SERVING, SINGLES, STORES
from assessments.agents.inventory import Database, Inventory, Machines
from assessments.agents.references import Graph, kind_of
from assessments.agents.reliability.availability import Sla, parallel, published_sla, serial
from assessments.agents.request_path import RequestPath, request_paths

if TYPE_CHECKING:
    from assessments.scan.types import Resource

MANAGED = {
    "aws_api_gateway_rest_api": ("API gateway", "api_gateway"),
    "aws_apigatewayv2_api": ("API gateway", "api_gateway"),
    "aws_cloudfront_distribution": ("Content delivery", "cdn"),
    "aws_dynamodb_table": ("Table", "dynamodb"),
    "aws_elb": ("Load balancer", "elb"),
    "aws_lambda_function": ("Function", "lambda"),
    "aws_lb": ("Load balancer", "elb"),
    "aws_s3_bucket": ("Bucket", "s3"),
    "azurerm_app_service": ("Web app", "app_service"),
    "azurerm_linux_web_app": ("Web app", "app_service"),
    "azurerm_windows_web_app": ("Web app", "app_service"),
    "google_cloud_run_service": ("Service", "cloud_run"),
    "google_cloud_run_v2_service": ("Service", "cloud_run"),
    "google_compute_forwarding_rule": ("Load balancer", "gcp_lb"),
    "google_compute_global_forwarding_rule": ("Load balancer", "gcp_lb"),
}
"""Label of each kind, and the service whose agreement covers it."""
MAX_TIERS = 100


@dataclass(frozen=True, slots=True)
class Tier:
    """One step of the request path. ``availability`` is a fraction; ``formula`` shows how it was
    calculated."""

    name: str
    resource: Resource
    shape: str
    availability: float
    formula: str
    sla: Sla


@dataclass(frozen=True)
class Rated:
    """One path with the tiers that have a published figure, and the resources that have none."""

    path: RequestPath
    tiers: tuple[Tier, ...]
    without: tuple[Resource, ...]

    @cached_property
    def availability(self) -> float:
        return serial(tier.availability for tier in self.tiers)


@dataclass(frozen=True)
class Availability:
    """What the code shows about a scope's availability. ``rated`` are the paths for which at least
    one figure is published, least available first. ``apart`` are tiers that are not on any path:
    they are not multiplied with other tiers."""

    paths: list[RequestPath]
    rated: list[Rated]
    apart: list[Tier]

    @property
    def worst(self) -> Rated | None:
        return self.rated[0] if self.rated else None


def availability_of(graph: Graph, inventory: Inventory) -> Availability:
    """Figures along the request paths of the references, and by tier for what is on none."""
    paths = request_paths(graph, exposed=exposures(graph))
    book = _Tiers(inventory)
    found = [_with_figures(path, book) for path in paths]
    used = {each.address for path in paths for each in path.resources}
    others = [
        each
        for each in graph.resources.values()
        if each.address not in used and kind_of(each) != "aws_s3_bucket"  # Not a tier by itself.
    ]
    apart = [tier for each in others if (tier := book.of((each,))) is not None]
    return Availability(
        paths=paths,
        rated=sorted(
            (each for each in found if each.tiers),
            key=lambda each: (each.availability, each.path.in_words()),
        ),
        apart=apart[:MAX_TIERS],
    )


def _with_figures(path: RequestPath, book: _Tiers) -> Rated:
    shared = {each.address for each in path.serving}
    steps = [path.serving if each.address in shared else (each,) for each in path.resources]
    tiers: dict[str, Tier] = {}
    without: dict[str, Resource] = {}
    for step in steps:
        tier = book.of(step)
        if tier is not None:
            tiers.setdefault(step[0].address, tier)
        elif _needs_figure(step[0]):
            without.setdefault(step[0].address, step[0])
    return Rated(path, tuple(tiers.values()), tuple(without.values()))


def _needs_figure(resource: Resource) -> bool:
    kind = kind_of(resource)
    plain = ("Service", "Ingress", "HTTPRoute", "aws_lambda_function_url")
    return kind in SERVING or kind in STORES or (kind in FRONTS and kind not in plain)


class _Tiers:
    """The tier formed by a resource, or by machines that share the work."""

    def __init__(self, inventory: Inventory) -> None:
        self._machines = {each.resource.address: each for each in inventory.machines}
        self._databases = {each.resource.address: each for each in inventory.databases}
        self._caches = {each.resource.address: each for each in inventory.caches}

    def of(self, step: tuple[Resource, ...]) -> Tier | None:
        resource = step[0]
        if managed := MANAGED.get(kind_of(resource)):
            if text(resource.attributes.get("network_tier")) == "STANDARD":
                return None
            return _tier(managed[0], resource, managed[1], "managed")
        if database := self._databases.get(resource.address):
            return _database_tier(database)
        if cache := self._caches.get(resource.address):
            spread = cache.failover and (cache.nodes or 0) >= 2
            return _tier("Cache", resource, "elasticache", "zones") if spread else None
        machines = [self._machines[each.address] for each in step if each.address in self._machines]
        machines = [each for each in machines if each.count != 0]
        return _compute_tier(machines) if machines else None


def _tier(name: str, resource: Resource, service: str, shape: str) -> Tier | None:
    sla = published_sla(service, shape=shape)
    if sla is None:
        return None
    return Tier(name, resource, shape, sla.availability, f"published {sla.percent:g} %", sla)


def _database_tier(database: Database) -> Tier | None:
    engine = (database.engine or "").lower()
    if database.service == "rds" and engine.startswith("aurora"):
        return None  # A member of a cluster, which is what the agreement covers.
    service = database.service
    if service == "aurora" and not engine.startswith("aurora"):
        service = "rds"  # A cluster of a plain engine spans three zones.
        return _tier("Database", database.resource, service, "zones")
    shape = "zones" if database.multi_zone else "single"
    tier = _tier("Database", database.resource, service, shape)
    if tier and database.multi_zone is None:
        unknown = "treated as single: the code doesn't show whether there is a standby"
        return replace(tier, formula=f"{tier.formula}, {unknown}")
    return tier


def _compute_tier(machines: list[Machines]) -> Tier | None:
    """One group, or single machines that share the work."""
    first = machines[0]
    if len(machines) > 1 or kind_of(first.resource) in SINGLES:
        zones = len({each.placement for each in machines if each.placement}) or 1
        return _spread(first, zones, len(machines), sure=True)
    sure = first.zones is not None and first.count is not None
    return _spread(first, first.zones or 1, first.count or 1, sure=sure)


def _spread(machines: Machines, zones: int, count: int, *, sure: bool) -> Tier | None:
    """Zones fail independently, machines in one zone together: 1 - (1 - a)^zones, never above the
    provider's own figure for two or more zones. An agreement that covers only two or more zones
    doesn't apply to one."""
    service = {"asg": "ec2", "eks_nodes": "ec2"}.get(machines.service, machines.service)
    apart = min(zones, count)
    whole = published_sla(service, shape="zones")
    one = published_sla(service, shape="single")
    if apart < 2 or whole is None or one is None:
        tier = _tier("Compute", machines.resource, service, "single" if apart < 2 else "zones")
        if tier is None or sure or apart >= 2:
            return tier
        unknown = "treated as one zone: the code doesn't show its zones or its count"
        return replace(tier, formula=f"{tier.formula}, {unknown}")
    value = min(parallel(one.availability, count=apart), whole.availability)
    formula = (
        f"min(1 - (1 - {one.percent:g} %)^{apart}, published {whole.percent:g} % for two or more"
        " zones)"
    )
    return Tier("Compute", machines.resource, "zones", value, formula, whole)
