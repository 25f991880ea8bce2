"""What the internet can reach on AWS.

Conservative: a public address counts only with a security group that lets the internet in, and
anything the code leaves open (a group of another stack, a value known at apply) counts as not
exposed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import block, blocks, first, flag, text
from assessments.agents.exposure.evidence import Exposure, exposed, is_everywhere, place_of, texts
from assessments.agents.exposure.groups import open_groups
from assessments.agents.inventory import attributes_of
from assessments.agents.references import Graph, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from assessments.scan.types import Resource

TEMPLATES = ("aws_launch_template", "aws_launch_configuration")
MAX_POLICY = 100_000


class Aws:
    """The graph with its open groups, queried one resource at a time."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.open = open_groups(graph)
        self._gateways = {
            edge.target.address
            for gateway in graph.of_kind("aws_internet_gateway")
            for edge in graph.names(gateway, "aws_vpc")
        } | {
            edge.target.address
            for attachment in graph.of_kind(
                "aws_internet_gateway_attachment", "AWS::EC2::VPCGatewayAttachment"
            )
            for edge in graph.names(attachment)
            if kind_of(edge.target) in ("aws_vpc", "AWS::EC2::VPC")
        }

    def exposures(self) -> Iterator[Exposure]:
        for resource in self.graph.resources.values():
            look = _LOOKS.get(kind_of(resource))
            if look and (reason := look(self, resource, attributes_of(resource))):
                yield exposed(resource, *reason)

    def let_in(self, *carriers: Resource) -> str:
        """The opening of a group that one of ``carriers`` names, in words; empty if there is
        none."""
        for carrier in carriers:
            for edge in self.graph.names(carrier, "aws_security_group"):
                if words := self.open.get(edge.target.address):
                    return words
        return ""

    def public_subnet(self, *carriers: Resource) -> str:
        """A subnet that assigns public addresses, in a network with an internet gateway."""
        for carrier in carriers:
            for edge in self.graph.names(carrier, "aws_subnet", "AWS::EC2::Subnet"):
                subnet = edge.target
                gives = flag(attributes_of(subnet).get("map_public_ip_on_launch"))
                vpcs = self.graph.names(subnet, "aws_vpc", "AWS::EC2::VPC")
                if gives and any(each.target.address in self._gateways for each in vpcs):
                    return f"{subnet.address} gives it a public address ({place_of(subnet)})"
        return ""


Reason = tuple[str, ...] | None


def _balancer(aws: Aws, resource: Resource, attributes: dict[str, Any]) -> Reason:
    scheme = attributes.get("scheme")
    internal = flag(first(attributes, "internal", default=False))
    if scheme is not None:
        internal = {"internal": True, "internet-facing": False}.get(str(scheme))
    if internal is not False:
        return None
    kind = text(first(attributes, "load_balancer_type", "type", default="application"))
    named = attributes.get("security_groups", []) or aws.graph.names(resource, "aws_security_group")
    if kind == "network" and named == []:
        return ("it is internet-facing and has no security group",)
    words = aws.let_in(resource)
    return ("it is internet-facing", words) if words else None


def _machine(aws: Aws, resource: Resource, attributes: dict[str, Any]) -> Reason:
    templates = [edge.target for edge in aws.graph.names(resource, *TEMPLATES)]
    words = aws.let_in(resource, *templates)
    address = _public_address(aws, resource, attributes, templates) if words else ""
    return (address, words) if address else None


def _public_address(
    aws: Aws, resource: Resource, attributes: dict[str, Any], templates: list[Resource]
) -> str:
    settings = [attributes, *(_template(each) for each in templates)]
    for each in settings:
        interfaces = blocks(each.get("network_interfaces"))
        values = [part.get("associate_public_ip_address") for part in (each, *interfaces)]
        if any(flag(value) is True for value in values):
            return "it has a public address"
        if any(flag(value) is False for value in values):
            return ""
    for edge in aws.graph.named_by(resource, "aws_eip", "aws_eip_association"):
        return f"{edge.source.address} gives it a public address ({edge.place})"
    return aws.public_subnet(resource, *templates)


def _template(resource: Resource) -> dict[str, Any]:
    attributes = attributes_of(resource)
    return block(attributes.get("launch_template_data")) or attributes


def _service(aws: Aws, resource: Resource, attributes: dict[str, Any]) -> Reason:
    network = block(attributes.get("network_configuration"))
    network = block(network.get("awsvpc_configuration")) or network
    if flag(network.get("assign_public_ip")) is not True:
        return None
    words = aws.let_in(resource)
    return ("its tasks have public addresses", words) if words else None


def _database(aws: Aws, resource: Resource, attributes: dict[str, Any]) -> Reason:
    if flag(attributes.get("publicly_accessible")) is not True:
        return None
    clusters = [edge.target for edge in aws.graph.names(resource, "aws_rds_cluster")]
    words = aws.let_in(resource, *clusters)
    return ("it is publicly accessible", words) if words else None


def _cluster(aws: Aws, resource: Resource, attributes: dict[str, Any]) -> Reason:
    network = block(first(attributes, "vpc_config", "resources_vpc_config", default={}))
    if flag(first(network, "endpoint_public_access", default=True)) is not True:
        return None
    cidrs = network.get("public_access_cidrs")
    if cidrs and not is_everywhere(cidrs):
        return None
    return ("the endpoint of its API server is public and open to any address",)


def _api(aws: Aws, resource: Resource, attributes: dict[str, Any]) -> Reason:
    endpoint = block(attributes.get("endpoint_configuration"))
    if "PRIVATE" in texts(endpoint.get("types")):
        return None
    if flag(attributes.get("disable_execute_api_endpoint")) is True:
        return None
    return ("its endpoint is public",)


def _cdn(aws: Aws, resource: Resource, attributes: dict[str, Any]) -> Reason:
    settings = block(attributes.get("distribution_config")) or attributes
    return None if flag(settings.get("enabled")) is False else ("it serves the internet",)


def _function_url(aws: Aws, resource: Resource, attributes: dict[str, Any]) -> Reason:
    kind = text(first(attributes, "authorization_type", "auth_type"))
    return ("it is a public URL without authorization",) if kind == "NONE" else None


def _bucket(aws: Aws, resource: Resource, attributes: dict[str, Any]) -> Reason:
    if _is_blocked(aws, resource):
        return None
    acl = str(first(attributes, "acl", "access_control", default="")).lower().replace("-", "")
    if acl.startswith("publicread"):
        return ("its ACL grants everyone access",)
    parts = ("aws_s3_bucket_acl", "aws_s3_bucket_policy")
    for edge in aws.graph.named_by(resource, *parts):
        part = attributes_of(edge.source)
        if str(part.get("acl", "")).startswith("public-read"):
            return (f"{edge.source.address} grants everyone access ({edge.place})",)
        if _allows_everyone(first(part, "policy", "policy_document")):
            return (f"{edge.source.address} allows everyone ({edge.place})",)
    own = attributes.get("policy")
    return ("its policy allows everyone",) if _allows_everyone(own) else None


def _is_blocked(aws: Aws, resource: Resource) -> bool:
    own = block(attributes_of(resource).get("public_access_block_configuration"))
    settings = [own] + [
        attributes_of(edge.source)
        for edge in aws.graph.named_by(resource, "aws_s3_bucket_public_access_block")
    ]
    keys = ("ignore_public_acls", "restrict_public_buckets", "block_public_acls")
    return any(flag(each.get(key)) is True for each in settings for key in keys)


def _search(aws: Aws, resource: Resource, attributes: dict[str, Any]) -> Reason:
    if attributes.get("vpc_options"):
        return None
    policies = [attributes.get("access_policies")]
    kinds = ("aws_elasticsearch_domain_policy", "aws_opensearch_domain_policy")
    policies += [
        attributes_of(edge.source).get("access_policies")
        for edge in aws.graph.named_by(resource, *kinds)
    ]
    if any(_allows_everyone(each) for each in policies):
        return ("its endpoint is public and its access policy allows everyone",)
    return None


def _allows_everyone(policy: object) -> bool:
    """Whether a policy has a statement that allows any principal without a condition."""
    if isinstance(policy, str) and len(policy) <= MAX_POLICY:
        try:
            policy = json.loads(policy)
        except (ValueError, RecursionError):
            return False
    keys = {str(key).lower(): value for key, value in block(policy).items()}
    for statement in blocks(keys.get("statement")):
        each = {str(key).lower(): value for key, value in statement.items()}
        principal = each.get("principal")
        named = principal.values() if isinstance(principal, dict) else [principal]
        anyone = any("*" in texts(value) for value in named)
        if anyone and str(each.get("effect")).lower() == "allow" and not each.get("condition"):
            return True
    return False


_LOOKS: dict[str, Callable[[Aws, Resource, dict[str, Any]], Reason]] = {
    "aws_api_gateway_rest_api": _api,
    "aws_apigatewayv2_api": _api,
    "aws_autoscaling_group": _machine,
    "aws_cloudfront_distribution": _cdn,
    "aws_db_instance": _database,
    "aws_ecs_service": _service,
    "aws_eks_cluster": _cluster,
    "aws_elasticsearch_domain": _search,
    "aws_elb": _balancer,
    "aws_instance": _machine,
    "aws_lambda_function_url": _function_url,
    "aws_lb": _balancer,
    "aws_mq_broker": _database,
    "aws_opensearch_domain": _search,
    "aws_rds_cluster_instance": _database,
    "aws_redshift_cluster": _database,
    "aws_s3_bucket": _bucket,
}
