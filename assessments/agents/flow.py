"""Where requests go: a scope's references, interpreted as "passes requests to".

Some declarations name what they pass requests to (a listener its target group), others what passes
requests to them (a service its target group). ``_FORWARD`` and ``_BACK`` say which is which; what
is in neither carries no request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assessments.agents.references import WORKLOADS, Edge, Graph, kind_of
from assessments.scan.types import FileKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.scan.types import Resource


@dataclass(frozen=True, slots=True)
class Hop:
    """``source`` passes requests to ``target``; ``why`` in words, ``place`` as file:line."""

    source: Resource
    target: Resource
    why: str
    place: str


STORES = frozenset(
    {
        "aws_db_instance",
        "aws_docdb_cluster",
        "aws_dynamodb_table",
        "aws_efs_file_system",
        "aws_elasticache_cluster",
        "aws_elasticache_replication_group",
        "aws_elasticache_serverless_cache",
        "aws_elasticsearch_domain",
        "aws_kinesis_stream",
        "aws_memorydb_cluster",
        "aws_mq_broker",
        "aws_msk_cluster",
        "aws_neptune_cluster",
        "aws_opensearch_domain",
        "aws_rds_cluster",
        "aws_redshift_cluster",
        "aws_s3_bucket",
        "aws_sns_topic",
        "aws_sqs_queue",
        "azurerm_cosmosdb_account",
        "azurerm_eventhub_namespace",
        "azurerm_mssql_database",
        "azurerm_mssql_server",
        "azurerm_mysql_flexible_server",
        "azurerm_mysql_server",
        "azurerm_postgresql_flexible_server",
        "azurerm_postgresql_server",
        "azurerm_redis_cache",
        "azurerm_servicebus_namespace",
        "azurerm_sql_database",
        "azurerm_sql_server",
        "azurerm_storage_account",
        "google_bigtable_instance",
        "google_firestore_database",
        "google_pubsub_topic",
        "google_redis_instance",
        "google_spanner_instance",
        "google_sql_database_instance",
        "google_storage_bucket",
    }
)
"""What keeps data: the end of a path."""
SERVING = frozenset(
    {
        *WORKLOADS,
        "aws_apprunner_service",
        "aws_autoscaling_group",
        "aws_ecs_service",
        "aws_instance",
        "aws_lambda_function",
        "azurerm_app_service",
        "azurerm_container_app",
        "azurerm_container_group",
        "azurerm_function_app",
        "azurerm_linux_function_app",
        "azurerm_linux_virtual_machine",
        "azurerm_linux_virtual_machine_scale_set",
        "azurerm_linux_web_app",
        "azurerm_virtual_machine",
        "azurerm_virtual_machine_scale_set",
        "azurerm_windows_function_app",
        "azurerm_windows_virtual_machine",
        "azurerm_windows_virtual_machine_scale_set",
        "azurerm_windows_web_app",
        "compose_service",
        "google_cloud_run_service",
        "google_cloud_run_v2_service",
        "google_cloudfunctions2_function",
        "google_cloudfunctions_function",
        "google_compute_instance",
        "google_compute_instance_group_manager",
        "google_compute_region_instance_group_manager",
    }
)
"""What answers requests."""
FRONTS = frozenset(
    {
        "Ingress",
        "HTTPRoute",
        "Service",
        "aws_api_gateway_rest_api",
        "aws_apigatewayv2_api",
        "aws_cloudfront_distribution",
        "aws_elb",
        "aws_lambda_function_url",
        "aws_lb",
        "azurerm_application_gateway",
        "azurerm_cdn_frontdoor_endpoint",
        "azurerm_frontdoor",
        "azurerm_lb",
        "google_compute_forwarding_rule",
        "google_compute_global_forwarding_rule",
    }
)
"""Where requests come in, unless something stands before it."""
SINGLES = frozenset(
    {
        "aws_instance",
        "azurerm_linux_virtual_machine",
        "azurerm_virtual_machine",
        "azurerm_windows_virtual_machine",
        "google_compute_instance",
    }
)
"""Machines that share the work with others behind the same front."""
_BY_ROLE = ("aws_dynamodb_table", "aws_sqs_queue")
"""Stores without a network of their own, that nothing but a role's policy leads to. Buckets are not
among them: policies name those for logs and artifacts, too."""
_PROXY = "aws_db_proxy"
_TEMPLATES = (
    "aws_ecs_task_definition",
    "aws_launch_configuration",
    "aws_launch_template",
    "google_compute_instance_template",
    "google_compute_region_instance_template",
)
_APIS = ("aws_api_gateway_rest_api", "aws_apigatewayv2_api")
_AWS_FRONTS = ("aws_lb", "aws_elb", *_APIS, "aws_cloudfront_distribution")

_FORWARD: dict[str, tuple[str, ...]] = {
    "aws_api_gateway_integration": (
        "aws_lambda_function",
        "aws_lb",
        "aws_api_gateway_vpc_link",
        "aws_sqs_queue",
        "aws_dynamodb_table",
        "aws_s3_bucket",
    ),
    "aws_api_gateway_rest_api": ("aws_lambda_function",),
    "aws_api_gateway_stage": ("aws_api_gateway_vpc_link",),
    "aws_api_gateway_vpc_link": ("aws_lb",),
    "aws_apigatewayv2_api": ("aws_lambda_function",),
    "aws_apigatewayv2_integration": ("aws_lambda_function", "aws_lb", "aws_lb_listener"),
    "aws_apigatewayv2_route": ("aws_apigatewayv2_integration",),
    "aws_autoscaling_attachment": ("aws_autoscaling_group",),
    "aws_cloudfront_distribution": (
        "aws_lb",
        "aws_elb",
        *_APIS,
        "aws_s3_bucket",
        "aws_lambda_function_url",
        "aws_instance",
    ),
    "aws_db_proxy_target": ("aws_db_instance", "aws_rds_cluster"),
    "aws_eip": ("aws_instance",),
    "aws_elb": ("aws_instance",),
    "aws_elb_attachment": ("aws_instance",),
    "aws_lambda_function_url": ("aws_lambda_function",),
    "aws_lambda_permission": ("aws_lambda_function",),
    "aws_lb_listener": ("aws_lb_target_group",),
    "aws_lb_listener_rule": ("aws_lb_target_group",),
    "aws_lb_target_group": ("aws_instance", "aws_lambda_function"),
    "aws_lb_target_group_attachment": ("aws_instance", "aws_lambda_function", "aws_lb"),
    "azurerm_application_gateway": (
        "azurerm_app_service",
        "azurerm_linux_web_app",
        "azurerm_windows_web_app",
        "azurerm_container_group",
        "azurerm_storage_account",
    ),
    "azurerm_cdn_frontdoor_origin": (
        "azurerm_app_service",
        "azurerm_linux_web_app",
        "azurerm_windows_web_app",
        "azurerm_storage_account",
        "azurerm_application_gateway",
    ),
    "azurerm_cdn_frontdoor_route": ("azurerm_cdn_frontdoor_origin_group",),
    "azurerm_frontdoor": (
        "azurerm_app_service",
        "azurerm_linux_web_app",
        "azurerm_windows_web_app",
        "azurerm_application_gateway",
        "azurerm_storage_account",
    ),
    "azurerm_lb_rule": ("azurerm_lb_backend_address_pool",),
    "azurerm_network_interface_application_gateway_backend_address_pool_association": (
        "azurerm_network_interface",
    ),
    "azurerm_network_interface_backend_address_pool_association": ("azurerm_network_interface",),
    "google_compute_backend_bucket": ("google_storage_bucket",),
    "google_compute_backend_service": (
        "google_compute_instance_group",
        "google_compute_instance_group_manager",
        "google_compute_region_instance_group_manager",
        "google_compute_region_network_endpoint_group",
        "google_compute_network_endpoint_group",
    ),
    "google_compute_instance_group": ("google_compute_instance",),
    "google_compute_region_network_endpoint_group": (
        "google_cloud_run_service",
        "google_cloud_run_v2_service",
        "google_cloudfunctions_function",
        "google_cloudfunctions2_function",
    ),
    "google_compute_target_instance": ("google_compute_instance",),
    "google_compute_target_pool": ("google_compute_instance",),
    "google_compute_url_map": ("google_compute_backend_service", "google_compute_backend_bucket"),
    "HTTPRoute": ("Service",),
    "Ingress": ("Service",),
    "Service": WORKLOADS,
    "compose_service": ("compose_service",),
}
_PROXIES = tuple(
    f"google_compute_{region}target_{protocol}_proxy"
    for region in ("", "region_")
    for protocol in ("http", "https", "tcp", "ssl")
)
for _proxy in _PROXIES:
    _FORWARD[_proxy] = (
        "google_compute_url_map",
        "google_compute_region_url_map",
        "google_compute_backend_service",
        "google_compute_region_backend_service",
    )
_FORWARD["google_compute_region_backend_service"] = _FORWARD["google_compute_backend_service"]
_FORWARD["google_compute_region_url_map"] = ("google_compute_region_backend_service",)
for _rule in ("google_compute_forwarding_rule", "google_compute_global_forwarding_rule"):
    _FORWARD[_rule] = (
        *_PROXIES,
        "google_compute_backend_service",
        "google_compute_region_backend_service",
        "google_compute_target_pool",
        "google_compute_target_instance",
    )

_BACK: dict[str, tuple[str, ...]] = {
    "aws_api_gateway_integration": ("aws_api_gateway_rest_api",),
    "aws_api_gateway_stage": ("aws_api_gateway_rest_api",),
    "aws_apigatewayv2_integration": ("aws_apigatewayv2_api",),
    "aws_apigatewayv2_route": ("aws_apigatewayv2_api",),
    "aws_autoscaling_attachment": ("aws_lb_target_group", "aws_elb"),
    "aws_autoscaling_group": ("aws_lb_target_group", "aws_elb"),
    "aws_db_proxy_target": ("aws_db_proxy",),
    "aws_ecs_service": ("aws_lb_target_group", "aws_elb"),
    "aws_elb_attachment": ("aws_elb",),
    "aws_lambda_function": _APIS,
    "aws_lambda_permission": _APIS,
    "aws_lb_listener": ("aws_lb",),
    "aws_lb_listener_rule": ("aws_lb_listener",),
    "aws_lb_target_group_attachment": ("aws_lb_target_group",),
    "azurerm_cdn_frontdoor_origin": ("azurerm_cdn_frontdoor_origin_group",),
    "azurerm_cdn_frontdoor_route": ("azurerm_cdn_frontdoor_endpoint",),
    "azurerm_lb_backend_address_pool": ("azurerm_lb",),
    "azurerm_lb_rule": ("azurerm_lb",),
    "azurerm_linux_virtual_machine": ("azurerm_network_interface",),
    "azurerm_linux_virtual_machine_scale_set": (
        "azurerm_lb_backend_address_pool",
        "azurerm_application_gateway",
    ),
    "azurerm_network_interface_application_gateway_backend_address_pool_association": (
        "azurerm_application_gateway",
    ),
    "azurerm_network_interface_backend_address_pool_association": (
        "azurerm_lb_backend_address_pool",
    ),
    "azurerm_virtual_machine": ("azurerm_network_interface",),
    "azurerm_virtual_machine_scale_set": (
        "azurerm_lb_backend_address_pool",
        "azurerm_application_gateway",
    ),
    "azurerm_windows_virtual_machine": ("azurerm_network_interface",),
    "azurerm_windows_virtual_machine_scale_set": (
        "azurerm_lb_backend_address_pool",
        "azurerm_application_gateway",
    ),
    "google_compute_instance_group_manager": ("google_compute_target_pool",),
    "google_compute_region_instance_group_manager": ("google_compute_target_pool",),
}
_NEVER = ("depends_on", "logging", "access_logs", "lifecycle", "tags", "replicate_source_db")
"""Attributes that order, describe or copy: a name there carries no request."""
_ONLY_AT = {
    "aws_cloudfront_distribution": ("origin", "DistributionConfig.Origins"),
    "aws_lambda_function": ("environment", "Environment", "Events", "Policies", "vpc", "Vpc"),
}
"""Of these kinds, where a name must stand: a log bucket is no origin, and the bucket that a
function's code lies in is not in its way."""


class Flow:
    """The hops of one scope, by the address of what they start from."""

    def __init__(self, graph: Graph) -> None:
        self._from: dict[str, dict[str, Hop]] = {}
        self._into: dict[str, set[str]] = {}
        for hop in _hops(graph):
            self._from.setdefault(hop.source.address, {}).setdefault(hop.target.address, hop)
            self._into.setdefault(hop.target.address, set()).add(hop.source.address)

    def after(self, resource: Resource) -> list[Hop]:
        """What ``resource`` passes requests to."""
        return list(self._from.get(resource.address, {}).values())

    def is_behind(self, resource: Resource) -> bool:
        """Whether something passes requests to it that does not itself get them from it: an
        application is often told its own public name."""
        sources = self._into.get(resource.address, set())
        return bool(sources) and not sources <= self._reached(resource.address)

    def _reached(self, start: str) -> set[str]:
        reached: set[str] = set()
        waiting = [start]
        while waiting:
            found = self._from.get(waiting.pop(), {}).keys() - reached
            reached |= found
            waiting += found
        return reached


def _hops(graph: Graph) -> Iterator[Hop]:
    for edge in graph.edges():
        if edge.source.type != "compose_service" and edge.at.startswith(_NEVER):
            continue
        yield from _hop(edge)
    yield from _let_in(graph)
    yield from _allowed(graph)


def _hop(edge: Edge) -> Iterator[Hop]:
    namer, named = kind_of(edge.source), kind_of(edge.target)
    if namer in _ONLY_AT and not edge.at.startswith(_ONLY_AT[namer]):
        return
    forward = named in _FORWARD.get(namer, ()) or _uses(namer, named)
    if forward:
        yield Hop(edge.source, edge.target, _named_at(edge), edge.place)
    if named in _BACK.get(namer, ()) and not forward:
        yield Hop(edge.target, edge.source, _named_at(edge), edge.place)


def _uses(namer: str, named: str) -> bool:
    """Whether what serves names something that it talks to, in its environment or otherwise."""
    if namer in _TEMPLATES:
        return named in {*STORES, *_AWS_FRONTS, _PROXY, "aws_lambda_function"}
    if namer in WORKLOADS:
        return named == "Service"
    if namer not in SERVING:
        return False
    fronts = named in _AWS_FRONTS and namer not in _BACK
    return named in STORES or named in _TEMPLATES or named == _PROXY or fronts


def _named_at(edge: Edge) -> str:
    where = f" in {edge.at}" if edge.at else ""
    if edge.source.origin == FileKind.KUBERNETES and edge.at == "spec.selector":
        return f"{edge.source.address} selects its pods"
    return f"{edge.source.address} names {edge.target.address}{where}"


def _let_in(graph: Graph) -> Iterator[Hop]:
    """A store whose security group lets in another group: who carries that one talks to it."""
    for store in graph.of_kind(*STORES):
        for own in graph.names(store, "aws_security_group"):
            for allowed, place in _sources(graph, own.target):
                for user in _users(graph, allowed):
                    why = f"{own.target.address} allows {allowed.address}"
                    yield Hop(user, store, why, place)


def _sources(graph: Graph, group: Resource) -> Iterator[tuple[Resource, str]]:
    for edge in graph.names(group, "aws_security_group"):
        if edge.at.lower().replace("_", "").startswith(("ingress", "securitygroupingress")):
            yield edge.target, edge.place
    rules = ("aws_security_group_rule", "aws_vpc_security_group_ingress_rule")
    for named in graph.named_by(group, *rules):
        if "source" in named.at.lower() or "referenced" in named.at.lower():
            continue
        if str(named.source.attributes.get("type", "ingress")) != "ingress":
            continue
        for edge in graph.names(named.source, "aws_security_group"):
            if "source" in edge.at.lower() or "referenced" in edge.at.lower():
                yield edge.target, edge.place


def _users(graph: Graph, group: Resource) -> Iterator[Resource]:
    """What serves and carries the group, itself or by its launch template."""
    for edge in graph.named_by(group):
        if kind_of(edge.source) in SERVING:
            yield edge.source
        elif kind_of(edge.source) in _TEMPLATES:
            yield from (each.source for each in graph.named_by(edge.source, *SERVING))


def _allowed(graph: Graph) -> Iterator[Hop]:
    """A table or queue that a role's policy names: what runs under the role talks to it."""
    for store in graph.of_kind(*_BY_ROLE):
        for named in graph.named_by(store, "aws_iam_role_policy", "aws_iam_policy", "aws_iam_role"):
            for role in _roles(graph, named.source):
                for edge in graph.named_by(role, *SERVING, *_TEMPLATES, *_APIS):
                    why = f"{named.source.address} lets {role.address} use it"
                    yield Hop(edge.source, store, why, named.place)


def _roles(graph: Graph, policy: Resource) -> list[Resource]:
    """The roles that carry a policy, by its own word or by an attachment's."""
    if kind_of(policy) == "aws_iam_role":
        return [policy]
    found = [each.target for each in graph.names(policy, "aws_iam_role")]
    for attached in graph.named_by(policy, "aws_iam_role_policy_attachment"):
        found += [each.target for each in graph.names(attached.source, "aws_iam_role")]
    return found
