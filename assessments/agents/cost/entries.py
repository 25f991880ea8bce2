"""Every component of every billable resource: priced, or unpriced with a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from assessments.agents.cost.azure.entries import azure_entries
from assessments.agents.cost.caches import cache_entries, serverless_entries
from assessments.agents.cost.containers import task_entries
from assessments.agents.cost.databases import aurora_instance_entries, database_entries
from assessments.agents.cost.free import is_free
from assessments.agents.cost.google.entries import GLOBAL, google_entries
from assessments.agents.cost.machines import machine_entries, spot_request_entries
from assessments.agents.cost.meters import metered
from assessments.agents.cost.network import (
    attachment_entries,
    balancer_entries,
    endpoint_entries,
    nat_entries,
    vpn_entries,
)
from assessments.agents.cost.places import (
    GOOGLE,
    NO_REGION,
    cloud_of,
    usual_regions,
)
from assessments.agents.cost.price_list import HOURS, ONE, Entry, Line, Unpriced, priced
from assessments.agents.cost.provisioned import is_provisioned, provisioned_entries
from assessments.agents.cost.search import search_entries
from assessments.agents.cost.support import cluster_support
from assessments.agents.cost.usage import Amounts, amounts_of, usage_entries
from assessments.agents.cost.volumes import volume_entries
from assessments.agents.inventory import (
    Inventory,
    Service,
    attributes_of,
    is_read,
    read_inventory,
    resource_type,
)
from assessments.agents.places import Places, cloud_region, places
from assessments.scan.types import FileKind, Resource

if TYPE_CHECKING:
    from assessments.requirements import Requirements

CLOUD = (FileKind.TERRAFORM, FileKind.TERRAFORM_PLAN, FileKind.CLOUDFORMATION)
NOT_HELD = "no known price for this type of resource"
RESERVED = (
    "paid for by a reservation, whose term and payment option set the price; needs the amount in"
    " your contract, which then replaces the on-demand price of what the reservation covers"
)
REASONS = {
    "aws_ec2_capacity_reservation": (
        "reserved capacity",
        "billed as on-demand hours while no instance uses it; needs its usage",
    ),
    "aws_ec2_fleet": (
        "fleet",
        "it mixes on-demand and spot capacity; needs the types that run",
    ),
    "aws_ec2_host": (
        "dedicated host",
        "no known price for dedicated hosts; needs AWS's price for the host's family",
    ),
    "aws_eks_fargate_profile": (
        "pods on Fargate",
        "billed by the vCPU and memory of the pods; needs their number and size",
    ),
    "aws_elasticache_reserved_cache_node": ("reservation", RESERVED),
    "aws_rds_reserved_instance": ("reservation", RESERVED),
    "aws_savingsplans_plan": ("savings plan", RESERVED),
    "aws_spot_fleet_request": (
        "spot fleet",
        "spot capacity has no list price; needs the price you pay",
    ),
}


@dataclass(frozen=True, slots=True)
class Estate:
    """The resources of a scope: by what they are, by address, and the region of each."""

    inventory: Inventory
    resources: dict[str, Resource]
    default_region: str
    places: Places = field(default_factory=dict)
    usual: Mapping[str, str] = field(default_factory=dict)
    amounts: Amounts = field(default_factory=dict)

    def region(self, resource: Resource) -> str:
        """The resource's own region; the scope's if it has none. Empty if a resource of a cloud
        other than AWS has no known region."""
        if cloud := cloud_of(resource):
            return cloud_region(resource, self.places) or self.usual.get(cloud, "")
        return resource.region or self.default_region

    @property
    def images(self) -> dict[str, Resource]:
        return {name: each for name, each in self.resources.items() if "aws_ami" in each.type}


def read_estate(
    resources: Iterable[Resource], *, default_region: str, wanted: Requirements
) -> Estate:
    """``default_region`` is AWS's."""
    found = list(resources)
    ordered = sorted(found, key=lambda each: (each.address, each.file, each.line_start))
    by_address = {each.address: each for each in reversed(ordered)}
    inventory = read_inventory(ordered)
    return Estate(
        inventory,
        by_address,
        default_region,
        places(ordered),
        usual_regions(ordered, wanted=wanted.regions),
        amounts_of(wanted, inventory, by_address.values()),
    )


def price_entries(
    estate: Estate, priced_again: Callable[[Iterator[Entry]], Iterator[Entry]] = iter
) -> Iterator[Entry]:
    """The components in inventory order, then resources that the inventory has no place for. What
    may not exist has no price, so that the sum remains a lower bound. ``priced_again`` applies the
    price books."""
    counted_once: dict[str, Resource] = {}
    with_open_blocks: dict[str, Resource] = {}
    for entry in priced_again(_all(estate)):
        if entry.resource.uncertain:
            why = f"it may not exist: {entry.resource.uncertain}"
            yield Unpriced(entry.resource, entry.component, why)
            continue
        yield entry
        if isinstance(entry, Line) and not entry.resource.count_known:
            counted_once[entry.resource.address] = entry.resource
        if isinstance(entry, Line) and entry.resource.open_blocks:
            with_open_blocks[entry.resource.address] = entry.resource
    for resource in counted_once.values():
        why = (
            "count or for_each can't be determined from the upload: it is priced once, as the"
            " minimum"
        )
        yield Unpriced(resource, "additional instances", why)
    for resource in with_open_blocks.values():
        why = "the upload does not say how many of these blocks it has: none is priced"
        yield Unpriced(resource, ", ".join(resource.open_blocks), why)


def _all(estate: Estate) -> Iterator[Entry]:
    inventory, images, region = estate.inventory, estate.images, estate.region
    with_volumes = {volume.resource.address for volume in inventory.volumes}
    for machines in inventory.machines:
        where = region(machines.resource)
        if cloud_of(machines.resource):
            continue
        if machines.service == "ecs":
            yield from task_entries(machines, where, estate.resources)
        else:
            yield from machine_entries(machines, where, with_volumes, images)
    for volume in inventory.volumes:
        yield from volume_entries(volume, region(volume.resource))
    for database in inventory.databases:
        if cloud_of(database.resource):
            continue
        yield from database_entries(database, region(database.resource), estate.resources)
    for cache in inventory.caches:
        yield from cache_entries(cache, region(cache.resource), estate.resources)
    for balancer in inventory.load_balancers:
        yield from balancer_entries(balancer, region(balancer.resource))
    for service in inventory.services:
        yield from _service(service, region(service.resource), estate)
    for resource in estate.resources.values():
        if resource.origin in CLOUD and cloud_of(resource):
            yield from _elsewhere(resource, estate)
        elif resource.origin in CLOUD and not is_read(resource):
            yield from _other(resource, estate)


def _elsewhere(resource: Resource, estate: Estate) -> Iterator[Entry]:
    """Resources of clouds other than AWS."""
    region = estate.region(resource)
    attributes = attributes_of(resource)
    entries = (
        google_entries(resource, attributes, region, estate.resources)
        if cloud_of(resource) == GOOGLE
        else azure_entries(resource, attributes, region)
    )
    if entries is None:
        if not is_free(resource.type) and not is_read(resource):
            yield Unpriced(resource, resource.type, NOT_HELD)
    elif not region and resource.type not in GLOBAL:
        yield Unpriced(resource, resource.type, NO_REGION)
    else:
        yield from entries


def _service(service: Service, region: str, estate: Estate) -> Iterator[Entry]:
    resource, attributes = service.resource, service.attributes
    if service.kind == "nat":
        yield from nat_entries(resource, region)
        yield from usage_entries(resource, region, estate.amounts)
    elif service.kind == "eks":
        yield priced(resource, "control plane", HOURS, "hours", "eks.hour", region)
        yield from cluster_support(resource, attributes, region)
    elif service.kind == "public_ipv4":
        key = "public_ipv4.hour"
        yield priced(resource, "public IPv4 address", HOURS, "hours", key, region)
    elif service.kind == "kms":
        yield priced(resource, "key", ONE, "months", "kms.key", region)
    elif service.kind == "dns_zone":
        yield priced(resource, "hosted zone", ONE, "months", "route53.zone", region)
    elif metered(resource):
        yield from provisioned_entries(resource, region)
        yield from usage_entries(resource, region, estate.amounts)
    else:
        yield Unpriced(resource, service.kind, "billed by usage, with no known price")


def _other(resource: Resource, estate: Estate) -> Iterator[Entry]:
    """Resources that other agents don't need."""
    kind, region = resource_type(resource), estate.region(resource)
    attributes: dict[str, Any] = attributes_of(resource)
    if kind == "aws_vpc_endpoint":
        yield from endpoint_entries(resource, attributes, region, estate.resources)
        yield from usage_entries(resource, region, estate.amounts)
    elif kind in ("aws_opensearch_domain", "aws_elasticsearch_domain"):
        yield from search_entries(resource, attributes, region)
    elif kind == "aws_elasticache_serverless_cache":
        yield from serverless_entries(resource, attributes, region)
    elif kind == "aws_rds_cluster_instance":
        yield from aurora_instance_entries(resource, attributes, region, estate.resources)
    elif kind == "aws_ec2_transit_gateway_vpc_attachment":
        yield from attachment_entries(resource, region)
        yield from usage_entries(resource, region, estate.amounts)
    elif kind == "aws_vpn_connection":
        yield from vpn_entries(resource, region)
    elif kind == "aws_spot_instance_request":
        yield from spot_request_entries(resource, attributes, region)
    elif metered(resource) or is_provisioned(resource):
        yield from provisioned_entries(resource, region)
        yield from usage_entries(resource, region, estate.amounts)
    elif kind in REASONS:
        yield Unpriced(resource, *REASONS[kind])
    elif not is_free(kind):
        yield Unpriced(resource, resource.type, NOT_HELD)
