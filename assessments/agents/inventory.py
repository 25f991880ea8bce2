"""One model of what runs (machines, databases, volumes, balancers, workloads), for every kind of
file.

Provider defaults that apply when an argument is not declared are those of the Terraform AWS
provider's resource pages (registry.terraform.io/providers/hashicorp/aws, 5.x) and of the AWS
CloudFormation resource reference.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import (
    block,
    blocks,
    first,
    flag,
    listed,
    number,
    snake_case,
    text,
    whole,
)
from assessments.scan.types import FileKind, Resource

if TYPE_CHECKING:
    from assessments.requirements import Requirements

TEMPLATE_KEYS = ("launch_template", "launch_configuration", "mixed_instances_policy")
SERVING_KINDS = ("Deployment", "StatefulSet", "ReplicaSet", "Rollout")
WORKLOAD_KINDS = (*SERVING_KINDS, "DaemonSet", "Pod")

CLOUDFORMATION_TYPES = {
    "AWS::ApiGateway::RestApi": "aws_api_gateway_rest_api",
    "AWS::ApplicationAutoScaling::ScalableTarget": "aws_appautoscaling_target",
    "AWS::AutoScaling::AutoScalingGroup": "aws_autoscaling_group",
    "AWS::AutoScaling::LaunchConfiguration": "aws_launch_configuration",
    "AWS::CloudFront::Distribution": "aws_cloudfront_distribution",
    "AWS::DynamoDB::Table": "aws_dynamodb_table",
    "AWS::EC2::EIP": "aws_eip",
    "AWS::EC2::Instance": "aws_instance",
    "AWS::EC2::LaunchTemplate": "aws_launch_template",
    "AWS::EC2::NatGateway": "aws_nat_gateway",
    "AWS::EC2::Subnet": "aws_subnet",
    "AWS::EC2::TransitGatewayAttachment": "aws_ec2_transit_gateway_vpc_attachment",
    "AWS::EC2::VPCEndpoint": "aws_vpc_endpoint",
    "AWS::EC2::VPNConnection": "aws_vpn_connection",
    "AWS::EC2::Volume": "aws_ebs_volume",
    "AWS::ECS::Service": "aws_ecs_service",
    "AWS::ECS::TaskDefinition": "aws_ecs_task_definition",
    "AWS::EFS::FileSystem": "aws_efs_file_system",
    "AWS::EKS::Cluster": "aws_eks_cluster",
    "AWS::EKS::Nodegroup": "aws_eks_node_group",
    "AWS::ElastiCache::CacheCluster": "aws_elasticache_cluster",
    "AWS::ElastiCache::ReplicationGroup": "aws_elasticache_replication_group",
    "AWS::ElastiCache::ServerlessCache": "aws_elasticache_serverless_cache",
    "AWS::ElasticLoadBalancing::LoadBalancer": "aws_elb",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "aws_lb",
    "AWS::Elasticsearch::Domain": "aws_elasticsearch_domain",
    "AWS::KMS::Key": "aws_kms_key",
    "AWS::Lambda::Function": "aws_lambda_function",
    "AWS::OpenSearchService::Domain": "aws_opensearch_domain",
    "AWS::RDS::DBCluster": "aws_rds_cluster",
    "AWS::RDS::DBInstance": "aws_db_instance",
    "AWS::Route53::HostedZone": "aws_route53_zone",
    "AWS::S3::Bucket": "aws_s3_bucket",
    "AWS::Serverless::Function": "aws_lambda_function",
}


@dataclass(frozen=True, slots=True)
class Machines:
    """Servers of one size. ``count`` is what always runs; ``zones`` and the rest are None where
    unknown.

    ``replaced`` says that a group puts a failed machine back; ``placement`` is the zone or subnet
    of a single one; ``template`` is the launch template or configuration they are made from.
    """

    resource: Resource
    service: str
    instance_type: str | None
    count: int | None
    zones: int | None
    replaced: bool
    placement: str | None = None
    template: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Database:
    """A managed database. ``storage_gb`` in GB; ``backup_days`` is how long automatic backups are
    kept, 0 is never."""

    resource: Resource
    service: str
    engine: str | None
    instance_class: str | None
    multi_zone: bool | None
    backup_days: float | None
    deletion_protection: bool | None
    storage_gb: float | None = None
    storage_type: str | None = None
    iops: float | None = None
    is_replica: bool = False


@dataclass(frozen=True, slots=True)
class Cache:
    resource: Resource
    engine: str | None
    node_type: str | None
    nodes: int | None
    failover: bool | None


@dataclass(frozen=True, slots=True)
class Volume:
    """Block storage; ``part`` tells the volumes of one resource apart; ``count`` is how many there
    are alike."""

    resource: Resource
    part: str
    type: str | None
    size_gb: float | None
    iops: float | None
    throughput_mbs: float | None
    count: int


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    resource: Resource
    kind: str
    zones: int | None
    deletion_protection: bool | None
    internal: bool | None


@dataclass(frozen=True, slots=True)
class Service:
    """A managed service of which only the kind matters: ``nat``, ``eks``, ``lambda``, ``s3``,
    ``dynamodb``, ``cdn``, ``api_gateway``, ``public_ipv4``, ``efs``, ``kms``, ``dns_zone``."""

    resource: Resource
    kind: str
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Workload:
    """A Kubernetes workload. ``replicas`` is the least that runs: an autoscaler's minimum goes
    before the manifest."""

    resource: Resource
    kind: str
    namespace: str
    name: str
    labels: dict[str, str]
    replicas: int | None
    pod: dict[str, Any]
    containers: tuple[dict[str, Any], ...]
    disruption_budget: bool
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ComposeService:
    """``ends`` says that another service waits for it to complete, as for a migration."""

    resource: Resource
    attributes: dict[str, Any]
    ends: bool = False


@dataclass(frozen=True)
class Inventory:
    machines: list[Machines] = field(default_factory=list)
    databases: list[Database] = field(default_factory=list)
    caches: list[Cache] = field(default_factory=list)
    volumes: list[Volume] = field(default_factory=list)
    load_balancers: list[LoadBalancer] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    workloads: list[Workload] = field(default_factory=list)
    compose: list[ComposeService] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Service]:
        return [each for each in self.services if each.kind == kind]


@dataclass(frozen=True, slots=True)
class Region:
    """Where the workload runs, and how that is known (shown beside every figure that depends on
    it)."""

    name: str
    source: str
    assumed: bool


def read_inventory(resources: Iterable[Resource]) -> Inventory:
    """The inventory of ``resources``, ordered by address, so that the order of the input changes
    nothing."""
    ordered = sorted(resources, key=lambda each: (each.address, each.file, each.line_start))
    inventory = Inventory()
    bodies = [(each, attributes_of(each)) for each in ordered]
    declared = _declared(bodies)
    for resource, attributes in bodies:
        if reader := _READERS.get(resource_type(resource)):
            reader(inventory, resource, attributes, declared)
    _read_kubernetes(inventory, ordered)
    return inventory


def is_read(resource: Resource) -> bool:
    """Whether the inventory has a place for this type of resource."""
    return resource_type(resource) in _READERS


def resource_type(resource: Resource) -> str:
    """The type in Terraform's words, also for what CloudFormation declared."""
    return CLOUDFORMATION_TYPES.get(resource.type, resource.type)


def attributes_of(resource: Resource) -> dict[str, Any]:
    """The declared configuration in Terraform's spelling."""
    if resource.origin != FileKind.CLOUDFORMATION:
        return resource.attributes
    properties = resource.attributes.get("Properties", resource.attributes)
    converted = snake_case(properties)
    return converted if isinstance(converted, dict) else {}


def region_of(
    requirements: Requirements, resources: Iterable[Resource], *, default: str = "us-east-1"
) -> Region:
    """The region of the requirements, else of AWS's provider block (the one without an alias
    first), else of a declared zone, else ``default``, assumed.

    Prices and the machines' power are known for AWS alone, so that another provider's region says
    nothing about them. Of several, the one named most often is taken.
    """
    if requirements.regions:
        return Region(requirements.regions[0], "requirements, regions", assumed=False)
    found = [
        (rank, name, where)
        for resource in resources
        if resource.provider == "aws"
        for rank, name, where in _declared_regions(resource)
    ]
    if found:
        named = Counter(name for _, name, _ in found)
        _, name, where = min(found, key=lambda each: (each[0], -named[each[1]], each[1:]))
        return Region(name, where, assumed=False)
    return Region(
        default,
        f"assumed: neither the requirements nor the code names a region, so {default} is used",
        True,
    )


def _declared_regions(resource: Resource) -> list[tuple[int, str, str]]:
    """Rank (0 goes first), name and place of the region that a block names."""
    where = f"{resource.file}:{resource.line_start}"
    if resource.type == "provider" and (name := text(resource.attributes.get("region"))):
        return [(1 if resource.attributes.get("alias") else 0, name, f"{where}, provider block")]
    zone = text(first(attributes_of(resource), "availability_zone", default=None))
    if zone and zone[-1].isalpha() and zone[-2:-1].isdigit():
        return [(2, zone[:-1], f"{where}, availability zone")]
    return []


@dataclass(frozen=True, slots=True)
class Declared:
    """What readers look up: resources by folder and type, the zone of each subnet by the subnet's
    address, the Compose services that others wait for to complete, by folder and name, what
    scales a service, by folder and by the service's address or, in a template, its name, and the
    addresses of subnets of which there may be more than one."""

    by_folder: dict[tuple[PurePosixPath, str], list[tuple[Resource, dict[str, Any]]]]
    zone_of_subnet: dict[str, str]
    completing: set[tuple[PurePosixPath, str]]
    scaling: dict[tuple[PurePosixPath, str], dict[str, Any]]
    uncounted: set[str]

    def near(self, resource: Resource, *kinds: str) -> list[tuple[Resource, dict[str, Any]]]:
        folder = PurePosixPath(resource.file).parent
        return [each for kind in kinds for each in self.by_folder.get((folder, kind), [])]


def _declared(bodies: list[tuple[Resource, dict[str, Any]]]) -> Declared:
    found = Declared({}, {}, set(), {}, set())
    for resource, attributes in bodies:
        kind = resource_type(resource)
        found.by_folder.setdefault((PurePosixPath(resource.file).parent, kind), []).append(
            (resource, attributes)
        )
        zone = text(attributes.get("availability_zone")) if kind == "aws_subnet" else None
        if zone:
            found.zone_of_subnet[resource.address] = zone
        if kind == "aws_subnet" and not resource.count_known:
            found.uncounted.add(resource.address)
        if kind == "compose_service":
            folder = PurePosixPath(resource.file).parent
            found.completing.update((folder, name) for name in _awaited(attributes))
        if kind == "aws_appautoscaling_target":
            folder = PurePosixPath(resource.file).parent
            for name in _scaled(resource, attributes):
                found.scaling.setdefault((folder, name), attributes)
    return found


def _scaled(target: Resource, attributes: dict[str, Any]) -> Iterator[str]:
    """The addresses that its ``resource_id`` refers to; in a template, all words of it."""
    if target.origin == FileKind.CLOUDFORMATION:
        yield from set(re.findall(r"\w+", repr(attributes.get("resource_id"))))
    yield from (_unindexed(each.to) for each in target.references if each.at == "resource_id")


Reader = Callable[[Inventory, Resource, dict[str, Any], Declared], None]


def _read_instance(
    inventory: Inventory, resource: Resource, attributes: dict[str, Any], declared: Declared
) -> None:
    named = "launch_template" in attributes
    template = _template_of(resource, attributes, declared) if named else None
    kind = text(first(attributes, "instance_type", "machine_type", "size", "vm_size"))
    kind = kind or text((template or {}).get("instance_type"))
    place = text(first(attributes, "availability_zone", "zone", "subnet_id"))
    zone = declared.zone_of_subnet.get(place, place) if place else None
    service = {"aws_instance": "ec2", "google_compute_instance": "gce"}.get(
        resource_type(resource), "azure_vm"
    )
    inventory.machines.append(
        Machines(resource, service, kind, 1, 1, replaced=False, placement=zone, template=template)
    )
    _read_machine_volumes(inventory, resource, attributes, 1)


def _read_machine_volumes(
    inventory: Inventory, resource: Resource, attributes: dict[str, Any], count: int
) -> None:
    parts = [
        (f"root_block_device[{n}]", each)
        for n, each in enumerate(blocks(attributes.get("root_block_device")))
    ]
    parts += [
        (f"ebs_block_device[{n}]", each)
        for n, each in enumerate(blocks(attributes.get("ebs_block_device")))
    ]
    for n, mapping in enumerate(blocks(attributes.get("block_device_mappings"))):
        if ebs := block(mapping.get("ebs")):
            parts.append((f"block_device_mappings[{n}]", ebs))
    for part, each in parts:
        inventory.volumes.append(_volume(resource, part, each, count))


def _volume(resource: Resource, part: str, each: dict[str, Any], count: int) -> Volume:
    return Volume(
        resource,
        part,
        text(first(each, "volume_type", "type", default="gp2")),
        number(first(each, "volume_size", "size")),
        number(each.get("iops")),
        number(each.get("throughput")),
        count,
    )


def _read_volume(
    inventory: Inventory, resource: Resource, attributes: dict[str, Any], _: Declared
) -> None:
    inventory.volumes.append(_volume(resource, "", attributes, 1))


def _read_group(
    inventory: Inventory, resource: Resource, attributes: dict[str, Any], declared: Declared
) -> None:
    count = whole(first(attributes, "desired_capacity", "min_size", default=None))
    least = whole(attributes.get("min_size"))
    running = count if count is not None else least
    template = _template_of(resource, attributes, declared)
    kind = text(template.get("instance_type")) if template else None
    inventory.machines.append(
        Machines(
            resource,
            "asg",
            kind,
            running,
            _zones(attributes, declared),
            replaced=True,
            template=template,
        )
    )
    if template and running:
        _read_machine_volumes(inventory, resource, template, running)


def _template_of(
    resource: Resource, attributes: dict[str, Any], declared: Declared
) -> dict[str, Any] | None:
    """The launch template the group names, or the only one beside it; None where several could be
    meant."""
    near = declared.near(resource, "aws_launch_template", "aws_launch_configuration")
    mention = repr({key: attributes.get(key) for key in TEMPLATE_KEYS})
    wanted = {each.to for each in resource.references if each.at.startswith(TEMPLATE_KEYS)}
    named = [body for each, body in near if _unindexed(each.address) in wanted]
    named = named or [body for each, body in near if _mentions(mention, each)]
    bodies = named or [body for _, body in near]
    if len(bodies) != 1:
        return None
    data = bodies[0].get("launch_template_data")
    return block(data) if data else bodies[0]


def _unindexed(address: str) -> str:
    return address.partition("[")[0] if address.endswith("]") else address


def _mentions(mention: str, resource: Resource) -> bool:
    """Whether a text of references names the resource: ``type.name``, alone or with an attribute,
    or its name alone."""
    address = f"{resource.type}.{resource.name}"
    name = resource.name
    ways = (f"{address}'", f"{resource.address}'", f".{name}.", f"'{name}'")
    return any(each in mention for each in ways)


def _zones(attributes: dict[str, Any], declared: Declared) -> int | None:
    """How many zones are listed, by name or through subnets; None where the list is open, or has
    only one subnet and there may be more of some. A subnet whose zone isn't known counts as a zone
    of its own."""
    keys = (
        "availability_zones",
        "vpc_zone_identifier",
        "subnet_ids",
        "subnets",
        "subnet_mapping",
        "zones",
    )
    for key in keys:
        entries = listed(attributes.get(key))
        if entries:
            zones = {declared.zone_of_subnet.get(str(each), repr(each)) for each in entries}
            is_open = len(zones) < 2 and key != "availability_zones" and declared.uncounted
            return None if is_open else len(zones)
    return None


def _read_database(
    inventory: Inventory, resource: Resource, attributes: dict[str, Any], _: Declared
) -> None:
    kept = 1 if resource.origin == FileKind.CLOUDFORMATION else 0  # the two tools' defaults differ
    # Of a member of a cluster, the cluster decides about zones, backups and deletion.
    own = None if "db_cluster_identifier" in attributes else attributes
    inventory.databases.append(
        Database(
            resource,
            "rds",
            text(attributes.get("engine")),
            text(first(attributes, "instance_class", "db_instance_class")),
            None if own is None else flag(first(own, "multi_az", default=False)),
            None if own is None else number(first(own, "backup_retention_period", default=kept)),
            None if own is None else flag(first(own, "deletion_protection", default=False)),
            number(attributes.get("allocated_storage")),
            text(
                first(
                    attributes, "storage_type", default="io1" if attributes.get("iops") else "gp2"
                )
            ),
            number(attributes.get("iops")),
            is_replica=any(
                attributes.get(key)
                for key in ("replicate_source_db", "source_db_instance_identifier")
            ),
        )
    )


def _read_aurora(
    inventory: Inventory, resource: Resource, attributes: dict[str, Any], declared: Declared
) -> None:
    clusters = declared.near(resource, "aws_rds_cluster")
    inventory.databases.append(
        Database(
            resource,
            "aurora",
            text(first(attributes, "engine", default="aurora")),
            None,
            _has_standby(resource, declared) if len(clusters) == 1 else None,
            number(first(attributes, "backup_retention_period", default=1)),
            flag(first(attributes, "deletion_protection", default=False)),
        )
    )


def _has_standby(cluster: Resource, declared: Declared) -> bool | None:
    """Whether a second instance can take over; None without instances, or with one that may stand
    for several."""
    near = declared.near(cluster, "aws_rds_cluster_instance", "aws_db_instance")
    members = [
        each
        for each, body in near
        if resource_type(each) != "aws_db_instance" or "db_cluster_identifier" in body
    ]
    if len(members) >= 2:
        return True
    return False if members and all(each.count_known for each in members) else None


def _read_cloud_sql(
    inventory: Inventory, resource: Resource, attributes: dict[str, Any], _: Declared
) -> None:
    settings = block(attributes.get("settings"))
    backup = block(settings.get("backup_configuration"))
    kept = {True: 7.0, False: 0.0, None: None}[flag(first(backup, "enabled", default=False))]
    inventory.databases.append(
        Database(
            resource,
            "cloudsql",
            text(attributes.get("database_version")),
            text(settings.get("tier")),
            first(settings, "availability_type", default="ZONAL") == "REGIONAL",
            kept,
            flag(first(attributes, "deletion_protection", default=True)),
            number(settings.get("disk_size")),
        )
    )


def _read_cache(
    inventory: Inventory, resource: Resource, attributes: dict[str, Any], _: Declared
) -> None:
    group = resource_type(resource) == "aws_elasticache_replication_group"
    nodes = _cache_nodes(attributes)
    engine = text(first(attributes, "engine", default="redis" if group else None))
    failover = (
        flag(first(attributes, "automatic_failover_enabled", default=False)) if group else False
    )
    node_type = text(first(attributes, "node_type", "cache_node_type"))
    inventory.caches.append(Cache(resource, engine, node_type, nodes, failover))


def _cache_nodes(attributes: dict[str, Any]) -> int | None:
    """How many nodes: of each shard the primary and its replicas, where shards are declared."""
    shape = {**attributes, **block(attributes.get("cluster_mode"))}
    if "replicas_per_node_group" in shape:
        shape.setdefault("num_node_groups", 1)
    if "num_node_groups" not in shape:
        keys = ("num_cache_clusters", "number_cache_clusters", "num_cache_nodes")
        return whole(first(attributes, *keys, default=1))
    shards = whole(shape["num_node_groups"])
    replicas = whole(shape.get("replicas_per_node_group", 0))
    return None if shards is None or replicas is None else shards * (1 + replicas)


def _read_balancer(
    inventory: Inventory, resource: Resource, attributes: dict[str, Any], declared: Declared
) -> None:
    classic = resource_type(resource) == "aws_elb"
    kind = (
        "classic"
        if classic
        else text(first(attributes, "load_balancer_type", "type", default="application"))
    )
    protected = None if classic else flag(_is_protected(attributes))
    scheme = {"internal": True, "internet-facing": False}.get(str(attributes.get("scheme")))
    internal = scheme if scheme is not None else flag(first(attributes, "internal", default=False))
    zones = _zones(attributes, declared)
    inventory.load_balancers.append(
        LoadBalancer(resource, kind or "unknown", zones, protected, internal)
    )


def _is_protected(attributes: dict[str, Any]) -> object:
    """CloudFormation keeps the setting in a list of keys and values."""
    for each in blocks(attributes.get("load_balancer_attributes")):
        if each.get("key") == "deletion_protection.enabled":
            return each.get("value")
    return first(attributes, "enable_deletion_protection", default=False)


def _read_nodes(
    inventory: Inventory, resource: Resource, attributes: dict[str, Any], declared: Declared
) -> None:
    scaling = block(attributes.get("scaling_config"))
    named = "launch_template" in attributes
    template = _template_of(resource, attributes, declared) if named else None
    usual = None if named and template is None else "t3.medium"
    if template and "instance_type" in template:
        usual = text(template["instance_type"])
    kinds = listed(first(attributes, "instance_types", default=[usual])) or []
    count = whole(first(scaling, "desired_size", "min_size"))
    kind = text(kinds[0]) if kinds else None
    inventory.machines.append(
        Machines(
            resource,
            "eks_nodes",
            kind,
            count,
            _zones(attributes, declared),
            replaced=True,
            template=template,
        )
    )
    size = number(first(attributes, "disk_size", default=20))
    if count and "launch_template" not in attributes:
        inventory.volumes.append(Volume(resource, "node disk", "gp2", size, None, None, count))


def _read_ecs(
    inventory: Inventory, resource: Resource, attributes: dict[str, Any], declared: Declared
) -> None:
    if text(attributes.get("scheduling_strategy")) == "DAEMON":
        return
    network = block(attributes.get("network_configuration"))
    network = block(network.get("awsvpc_configuration")) or network
    usual = 1 if resource.origin == FileKind.CLOUDFORMATION else None
    count = whole(attributes.get("desired_count", usual))
    if scaled := _scaling_target(resource, declared):
        count = whole(scaled.get("min_capacity"))
    inventory.machines.append(
        Machines(resource, "ecs", None, count, _zones(network, declared), replaced=True)
    )


def _scaling_target(resource: Resource, declared: Declared) -> dict[str, Any] | None:
    """What scales a service, and so decides how many of its tasks always run."""
    folder = PurePosixPath(resource.file).parent
    is_template = resource.origin == FileKind.CLOUDFORMATION
    name = resource.name if is_template else _unindexed(resource.address)
    return declared.scaling.get((folder, name))


def _read_compose(
    inventory: Inventory, resource: Resource, attributes: dict[str, Any], declared: Declared
) -> None:
    place = PurePosixPath(resource.file).parent, resource.name
    ends = place in declared.completing
    inventory.compose.append(ComposeService(resource, attributes, ends))


def _awaited(attributes: dict[str, Any]) -> Iterator[str]:
    """The services whose end a Compose service waits for."""
    for name, each in block(attributes.get("depends_on")).items():
        if block(each).get("condition") == "service_completed_successfully":
            yield name


def _service(kind: str) -> Reader:
    def read(
        inventory: Inventory, resource: Resource, attributes: dict[str, Any], _: Declared
    ) -> None:
        inventory.services.append(Service(resource, kind, attributes))

    return read


_READERS: dict[str, Reader] = {
    "aws_api_gateway_rest_api": _service("api_gateway"),
    "aws_apigatewayv2_api": _service("api_gateway"),
    "aws_autoscaling_group": _read_group,
    "aws_alb": _read_balancer,
    "aws_cloudfront_distribution": _service("cdn"),
    "aws_db_instance": _read_database,
    "aws_dynamodb_table": _service("dynamodb"),
    "aws_ebs_volume": _read_volume,
    "aws_ecs_service": _read_ecs,
    "aws_efs_file_system": _service("efs"),
    "aws_eip": _service("public_ipv4"),
    "aws_eks_cluster": _service("eks"),
    "aws_eks_node_group": _read_nodes,
    "aws_elasticache_cluster": _read_cache,
    "aws_elasticache_replication_group": _read_cache,
    "aws_elb": _read_balancer,
    "aws_instance": _read_instance,
    "aws_kms_key": _service("kms"),
    "aws_lambda_function": _service("lambda"),
    "aws_lb": _read_balancer,
    "aws_nat_gateway": _service("nat"),
    "aws_rds_cluster": _read_aurora,
    "aws_route53_zone": _service("dns_zone"),
    "aws_s3_bucket": _service("s3"),
    "azurerm_linux_virtual_machine": _read_instance,
    "azurerm_virtual_machine": _read_instance,
    "azurerm_windows_virtual_machine": _read_instance,
    "compose_service": _read_compose,
    "google_compute_instance": _read_instance,
    "google_sql_database_instance": _read_cloud_sql,
}


def _read_kubernetes(inventory: Inventory, resources: list[Resource]) -> None:
    objects = [each for each in resources if each.origin == FileKind.KUBERNETES]
    budgets = _index(_selector(each) for each in objects if each.type == "PodDisruptionBudget")
    autoscaled = dict(
        _autoscaled(each) for each in objects if each.type == "HorizontalPodAutoscaler"
    )
    for each in objects:
        if each.type in WORKLOAD_KINDS and not _is_hook(each):
            inventory.workloads.append(_workload(each, budgets, autoscaled))


def _is_hook(resource: Resource) -> bool:
    """Whether Helm runs it once, as a test or a job around an installation."""
    metadata = block(resource.attributes.get("metadata"))
    return "helm.sh/hook" in block(metadata.get("annotations"))


Selector = tuple[str, dict[str, str]]
Label = tuple[str, str]
Index = dict[tuple[str, Label], set[frozenset[Label]]]
"""Selectors by namespace and by their first label, so that finding those of one workload doesn't
read them all."""


def _workload(
    resource: Resource, budgets: Index, autoscaled: dict[tuple[str, str, str], int]
) -> Workload:
    spec = block(resource.attributes.get("spec"))
    template = resource.attributes if resource.type == "Pod" else block(spec.get("template"))
    pod = block(template.get("spec"))
    namespace, name = _named(resource)
    labels = {
        str(k): str(v) for k, v in block(block(template.get("metadata")).get("labels")).items()
    }
    replicas = whole(spec.get("replicas", 1))
    return Workload(
        resource,
        resource.type,
        namespace,
        name,
        labels,
        autoscaled.get((namespace, resource.type, name), replicas),
        pod,
        tuple(blocks(pod.get("containers"))),
        disruption_budget=_selected(budgets, namespace, labels),
        attributes=spec,
    )


def _named(resource: Resource) -> tuple[str, str]:
    metadata = block(resource.attributes.get("metadata"))
    return text(metadata.get("namespace")) or "default", text(metadata.get("name")) or resource.name


def _selector(resource: Resource) -> Selector:
    namespace, _ = _named(resource)
    selector = block(block(resource.attributes.get("spec")).get("selector"))
    labels = block(selector.get("matchLabels")) if "matchLabels" in selector else selector
    return namespace, {str(k): str(v) for k, v in labels.items()}


def _index(selectors: Iterable[Selector]) -> Index:
    found: Index = {}
    for namespace, labels in selectors:
        if labels:
            found.setdefault((namespace, min(labels.items())), set()).add(frozenset(labels.items()))
    return found


def _selected(index: Index, namespace: str, labels: dict[str, str]) -> bool:
    own = frozenset(labels.items())
    return any(wanted <= own for label in own for wanted in index.get((namespace, label), ()))


def _autoscaled(resource: Resource) -> tuple[tuple[str, str, str], int]:
    spec = block(resource.attributes.get("spec"))
    target = block(spec.get("scaleTargetRef"))
    key = (_named(resource)[0], str(target.get("kind", "")), str(target.get("name", "")))
    return key, whole(spec.get("minReplicas", 1)) or 1
