"""What a type of resource is for, its short name, and what it belongs to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from assessments.agents.attributes import block, blocks
from assessments.agents.flow import FRONTS, SERVING, STORES
from assessments.agents.references import WORKLOADS, kind_of, template_of
from assessments.diagram.types import Role

if TYPE_CHECKING:
    from assessments.scan.types import Resource

NETWORKS = frozenset(
    {
        "alicloud_vpc",
        "aws_default_vpc",
        "aws_vpc",
        "azurerm_virtual_network",
        "google_compute_network",
        "oci_core_vcn",
    }
)
SUBNETS = frozenset(
    {
        "alicloud_vswitch",
        "aws_default_subnet",
        "aws_subnet",
        "azurerm_subnet",
        "google_compute_subnetwork",
        "oci_core_subnet",
    }
)
_DATA_IMAGES = re.compile(
    r"(?:^|/)(?:postgres\w*|postgis|mysql\w*|mariadb|mongo\w*|redis\w*|valkey|memcached|elasticsearch"
    r"|opensearch|cassandra|couchdb|couchbase|clickhouse\w*|cockroach\w*|influxdb|kafka|rabbitmq"
    r"|minio|neo4j|etcd|timescaledb|mssql|oracle\w*|percona\w*)(?:[-:@]|$)",
    re.IGNORECASE,
)
"""Images of databases, caches and brokers, by the last part of their name."""

_ROLES = (
    (Role.IDENTITY, r"iam|role(?!out)|identity|kms|key_vault|secret|certificate|acm_|\bkey\b"
                    r"|serviceaccount|policy|policies|access_key|credential|permission|cognito|user"),
    (Role.DATA, r"_db_|database|sql|bucket|storage|dynamodb|redis|cache|_rds_|bigtable|bigquery"
                r"|efs_|ebs_volume|disk|persistentvolume|elasticsearch|opensearch|cosmos|documentdb|docdb"
                r"|neptune|queue|sqs|sns|topic|kinesis|msk_|eventhub|firestore|spanner|redshift"
                r"|backup|snapshot|ecr_repo|artifact_registry|container_registry"),
    (Role.ENTRY, r"_lb\b|_lb_|_elb|_alb|gateway_rest|apigateway|api_gateway|cloudfront|cdn|route53"
                 r"|dns|frontdoor|ingress|httproute|virtualservice|forwarding_rule|target_https?_proxy"
                 r"|url_map|application_gateway|waf|backend_service"),
    (Role.NETWORK, r"vpc|subnet|network|security_group|firewall|route|gateway|_eip|public_ip|nat_"
                   r"|_nsg|peering|endpoint|address"),
    (Role.COMPUTE, r"instance|function|lambda|ecs_|eks_|cluster|node_|launch_|virtual_machine|job"
                   r"|deployment|task_definition|autoscaling|app_service|web_app|compute|batch"
                   r"|container|daemonset|statefulset|pod"),
)  # fmt: skip
_PATTERNS = tuple((role, re.compile(pattern)) for role, pattern in _ROLES)

_BELONGS = {
    "aws_vpc_security_group_ingress_rule": ("aws_security_group",),
    "aws_vpc_security_group_egress_rule": ("aws_security_group",),
    "aws_route": ("aws_route_table",),
    "aws_lambda_permission": ("aws_lambda_function",),
    "aws_autoscaling_attachment": ("aws_autoscaling_group",),
    "aws_s3_object": ("aws_s3_bucket",),
    "aws_s3_bucket_object": ("aws_s3_bucket",),
    "aws_volume_attachment": ("aws_ebs_volume",),
    "aws_db_proxy_target": ("aws_db_proxy",),
    "google_project_iam_binding": ("google_project",),
}
"""Declarations that are not separate resources, and what they belong to, besides those whose type
starts with the other's (``aws_s3_bucket_policy``)."""
_API_PARTS = (
    ("aws_api_gateway_", "aws_api_gateway_rest_api"),
    ("aws_apigatewayv2_", "aws_apigatewayv2_api"),
)
_ON_THEIR_OWN = frozenset(
    {
        "aws_rds_cluster_instance",
        "aws_eks_cluster_node_group",
        "azurerm_kubernetes_cluster_node_pool",
        "google_compute_instance_group",
        "google_compute_instance_template",
    }
)
"""Types that start with another's name but are still drawn."""
_UPPER = frozenset(
    [
        "acl",
        "acm",
        "alb",
        "ami",
        "api",
        "cdn",
        "cidr",
        "db",
        "dns",
        "ebs",
        "ec2",
        "ecr",
        "ecs",
        "efs",
        "eip",
        "eks",
        "elb",
        "emr",
        "fsx",
        "iam",
        "ip",
        "kms",
        "lb",
        "mq",
        "msk",
        "mssql",
        "nat",
        "nsg",
        "oss",
        "rds",
        "s3",
        "sns",
        "sql",
        "sqs",
        "ssh",
        "ssl",
        "ssm",
        "tls",
        "ram",
        "vcn",
        "vm",
        "vpc",
        "vpn",
        "waf",
    ]
)
_PROVIDER = re.compile(
    r"^(?:aws|azurerm|azuread|google|google_beta|alicloud|oci|digitalocean|hcloud)_"
)


def role_of(resource: Resource) -> Role:
    kind = kind_of(resource)
    if kind in STORES or keeps_data(resource):
        return Role.DATA
    if kind in FRONTS and kind != "Service":
        return Role.ENTRY
    if kind in SERVING or kind == "Service":
        return Role.COMPUTE if kind != "Service" else Role.NETWORK
    name = kind.lower().replace("::", "_")
    return next((role for role, pattern in _PATTERNS if pattern.search(name)), Role.OTHER)


def keeps_data(resource: Resource) -> bool:
    """Whether it is a store, or runs the image of one."""
    return kind_of(resource) in STORES or any(map(_DATA_IMAGES.search, images_of(resource)))


def images_of(resource: Resource) -> list[str]:
    """The container images that a workload or a Compose service names."""
    if kind_of(resource) == "compose_service":
        listed = [resource.attributes]
    elif kind_of(resource) in WORKLOADS:
        listed = blocks(block(template_of(resource).get("spec")).get("containers"))
    else:
        listed = []
    return [image[:500] for each in listed if isinstance(image := each.get("image"), str)]


def words_for(resource: Resource) -> str:
    """``aws_db_instance`` is a "DB instance", ``AWS::RDS::OptionGroup`` an "RDS option group"."""
    if resource.type == "compose_service":
        return "Service"
    text = _PROVIDER.sub("", kind_of(resource).removeprefix("AWS::"))
    if "_" not in text and "::" not in text and text[:1].isupper():
        return text[:60]
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|::|_+", " ", text[:60])
    words = [w.upper() if w.lower() in _UPPER else w.lower() for w in spaced.split()]
    joined = " ".join(words)
    return joined[:1].upper() + joined[1:]


def belongs_to(kind: str, other: str) -> bool:
    """Whether a declaration of type ``kind`` is a part of the resource of type ``other`` that it
    names."""
    if other in NETWORKS or other in SUBNETS or kind in _ON_THEIR_OWN:
        return False
    if kind in SERVING or kind in STORES or kind in FRONTS:
        return False
    if other in _BELONGS.get(kind, ()) or kind.startswith(f"{other}_"):
        return True
    return any(kind.startswith(start) and other == api for start, api in _API_PARTS)
