"""The reference graph of one scope: which resource refers to which, and where.

An edge only means that one declaration mentions another resource. ``flow`` and ``exposure``
interpret it (a request passes, a group grants access).
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import block, blocks
from assessments.agents.inventory import CLOUDFORMATION_TYPES
from assessments.scan.types import FileKind, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_INSTANCES = 20
"""Instances of one block that a name without an index is taken for."""
MAX_DEPTH = 20
MAX_TEXT = 4_000

MORE_CLOUDFORMATION_TYPES = {
    "AWS::ApiGateway::Method": "aws_api_gateway_integration",
    "AWS::ApiGateway::Stage": "aws_api_gateway_stage",
    "AWS::ApiGateway::VpcLink": "aws_api_gateway_vpc_link",
    "AWS::ApiGatewayV2::Api": "aws_apigatewayv2_api",
    "AWS::ApiGatewayV2::Integration": "aws_apigatewayv2_integration",
    "AWS::ApiGatewayV2::Route": "aws_apigatewayv2_route",
    "AWS::CloudWatch::Alarm": "aws_cloudwatch_metric_alarm",
    "AWS::CloudWatch::CompositeAlarm": "aws_cloudwatch_composite_alarm",
    "AWS::EC2::InternetGateway": "aws_internet_gateway",
    "AWS::EC2::Route": "aws_route",
    "AWS::EC2::RouteTable": "aws_route_table",
    "AWS::EC2::SecurityGroup": "aws_security_group",
    "AWS::EC2::SecurityGroupIngress": "aws_security_group_rule",
    "AWS::EC2::SubnetRouteTableAssociation": "aws_route_table_association",
    "AWS::ECR::Repository": "aws_ecr_repository",
    "AWS::ECS::TaskDefinition": "aws_ecs_task_definition",
    "AWS::ElasticLoadBalancingV2::Listener": "aws_lb_listener",
    "AWS::ElasticLoadBalancingV2::ListenerRule": "aws_lb_listener_rule",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "aws_lb_target_group",
    "AWS::IAM::InstanceProfile": "aws_iam_instance_profile",
    "AWS::IAM::ManagedPolicy": "aws_iam_policy",
    "AWS::IAM::Policy": "aws_iam_policy",
    "AWS::IAM::Role": "aws_iam_role",
    "AWS::Kinesis::Stream": "aws_kinesis_stream",
    "AWS::Lambda::Permission": "aws_lambda_permission",
    "AWS::Lambda::Url": "aws_lambda_function_url",
    "AWS::Logs::LogGroup": "aws_cloudwatch_log_group",
    "AWS::MSK::Cluster": "aws_msk_cluster",
    "AWS::Neptune::DBCluster": "aws_neptune_cluster",
    "AWS::OpenSearchService::Domain": "aws_opensearch_domain",
    "AWS::RDS::DBProxy": "aws_db_proxy",
    "AWS::RDS::DBProxyTargetGroup": "aws_db_proxy_target",
    "AWS::RDS::DBSubnetGroup": "aws_db_subnet_group",
    "AWS::Route53::RecordSet": "aws_route53_record",
    "AWS::S3::BucketPolicy": "aws_s3_bucket_policy",
    "AWS::SNS::Topic": "aws_sns_topic",
    "AWS::SQS::Queue": "aws_sqs_queue",
    "AWS::SecretsManager::Secret": "aws_secretsmanager_secret",
    "AWS::Serverless::Api": "aws_api_gateway_rest_api",
    "AWS::Serverless::HttpApi": "aws_apigatewayv2_api",
    "AWS::Serverless::SimpleTable": "aws_dynamodb_table",
    "AWS::Serverless::StateMachine": "aws_sfn_state_machine",
    "AWS::StepFunctions::StateMachine": "aws_sfn_state_machine",
}
OTHER_NAMES = {
    "aws_alb": "aws_lb",
    "aws_alb_listener": "aws_lb_listener",
    "aws_alb_listener_rule": "aws_lb_listener_rule",
    "aws_alb_target_group": "aws_lb_target_group",
    "aws_alb_target_group_attachment": "aws_lb_target_group_attachment",
}
_INDEXES = re.compile(r"\[[^\]]{0,200}\]")
_SUBSTITUTED = re.compile(r"\$\{([A-Za-z0-9]{1,255})(?:\.[A-Za-z0-9.]{1,255})?\}")
_HOST = re.compile(
    r"(?P<before>//|@|^|[\s=,\"'])(?P<host>[A-Za-z0-9][\w.-]{0,252})(?P<port>:\d{1,5})?"
)
_ADDRESS_KEY = re.compile(
    r"(?:host|hosts|hostname|addr|address|server|servers|url|uri|endpoint|upstream|service|broker|"
    r"brokers|dsn|nodes|proxy|svc|backend)$|service_name$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Edge:
    """``source`` names ``target`` in its attribute ``at`` (dotted), on ``line`` of its file."""

    source: Resource
    target: Resource
    at: str
    line: int

    @property
    def place(self) -> str:
        return f"{self.source.file}:{self.line}"


@dataclass
class Graph:
    """Resources by address, and their edges both ways, in an order that the input can't change."""

    resources: dict[str, Resource] = field(default_factory=dict)
    _out: dict[str, list[Edge]] = field(default_factory=dict)
    _into: dict[str, list[Edge]] = field(default_factory=dict)

    def names(self, resource: Resource, *kinds: str) -> list[Edge]:
        """What ``resource`` refers to, of some kinds or of any."""
        edges = self._out.get(resource.address, [])
        return [each for each in edges if not kinds or kind_of(each.target) in kinds]

    def named_by(self, resource: Resource, *kinds: str) -> list[Edge]:
        """What refers to ``resource``."""
        edges = self._into.get(resource.address, [])
        return [each for each in edges if not kinds or kind_of(each.source) in kinds]

    def edges(self) -> Iterator[Edge]:
        for edges in self._out.values():
            yield from edges

    def of_kind(self, *kinds: str) -> list[Resource]:
        return [each for each in self.resources.values() if kind_of(each) in kinds]

    def add(self, edge: Edge) -> None:
        if edge.source.address != edge.target.address:
            self._out.setdefault(edge.source.address, []).append(edge)
            self._into.setdefault(edge.target.address, []).append(edge)


def kind_of(resource: Resource) -> str:
    """The type in Terraform's words, the same for all spellings of it."""
    name = CLOUDFORMATION_TYPES.get(resource.type) or MORE_CLOUDFORMATION_TYPES.get(
        resource.type, resource.type
    )
    return OTHER_NAMES.get(name, name)


def read_graph(resources: Iterable[Resource]) -> Graph:
    """The graph of the resources of one scope."""
    ordered = sorted(resources, key=lambda each: (each.address, each.file, each.line_start))
    graph = Graph({each.address: each for each in ordered})
    edges = [
        *_terraform(ordered),
        *_cloudformation([r for r in ordered if r.origin == FileKind.CLOUDFORMATION]),
        *_kubernetes([r for r in ordered if r.origin == FileKind.KUBERNETES]),
        *_compose([r for r in ordered if r.origin == FileKind.COMPOSE]),
    ]
    for _, edge in sorted({_order(edge): edge for edge in edges}.items()):
        graph.add(edge)
    return graph


def _order(edge: Edge) -> tuple[str, str, str, int]:
    return edge.source.address, edge.target.address, edge.at, edge.line


def _terraform(resources: list[Resource]) -> Iterator[Edge]:
    by_name: dict[str, list[Resource]] = {}
    for each in resources:
        by_name.setdefault(each.address, []).append(each)
        base = _INDEXES.sub("", each.address)
        if base != each.address:
            by_name.setdefault(base, []).append(each)
    for each in resources:
        for name in each.references:
            for target in by_name.get(name.to, [])[:MAX_INSTANCES]:
                yield Edge(each, target, name.at, name.line)


def _cloudformation(resources: list[Resource]) -> Iterator[Edge]:
    by_name = {(each.file, each.name): each for each in resources}
    for each in resources:
        for name, at in _logical_ids(each.attributes, "", depth=0):
            target = by_name.get((each.file, name))
            if target is not None:
                yield Edge(each, target, at, each.line_start)


def _logical_ids(value: Any, at: str, *, depth: int) -> Iterator[tuple[str, str]]:
    """What Ref, Fn::GetAtt and Fn::Sub name, and where."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, list):
        for each in value:
            yield from _logical_ids(each, at, depth=depth + 1)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key == "Ref" and isinstance(each, str):
                yield each, at
            elif key == "Fn::GetAtt":
                name = each[0] if isinstance(each, list) and each else each
                if isinstance(name, str):
                    yield name.split(".")[0], at
            else:
                inner = at if key.startswith("Fn::") else f"{at}.{key}".strip(".")
                yield from _logical_ids(each, inner, depth=depth + 1)
    elif isinstance(value, str) and "${" in value:
        for match in _SUBSTITUTED.finditer(value[:MAX_TEXT]):
            yield match[1], at


def _kubernetes(objects: list[Resource]) -> Iterator[Edge]:
    by_name = {(each.type, *named(each)): each for each in objects}
    services = {key[1:]: each for key, each in by_name.items() if key[0] == "Service"}
    selected = _Selected(objects)
    for each in objects:
        namespace, _ = named(each)
        spec = block(each.attributes.get("spec"))
        if each.type == "Service":
            for target in selected.by(namespace, labels_of(spec.get("selector"))):
                yield Edge(each, target, "spec.selector", each.line_start)
        elif each.type in ("Ingress", "HTTPRoute", "GRPCRoute", "TCPRoute", "VirtualService"):
            for name in service_names(spec, depth=10):
                if target_service := services.get((namespace, name.split(".")[0])):
                    yield Edge(each, target_service, "spec", each.line_start)
        for key, value in _settings_of(each, by_name):
            for labels in _hosts(key, value):
                place = (labels[1] if len(labels) > 1 else namespace, labels[0])
                found = services.get(place) or services.get((namespace, labels[0]))
                if found is not None:
                    yield Edge(each, found, f"env {key}" if key else "args", each.line_start)


class _Selected:
    """The pods and workloads that a label selector picks, found by their first label."""

    def __init__(self, objects: list[Resource]) -> None:
        self._by_label: dict[tuple[str, str, str], list[tuple[dict[str, str], Resource]]] = {}
        for each in objects:
            if each.type not in WORKLOADS:
                continue
            labels = labels_of(block(template_of(each).get("metadata")).get("labels"))
            for key, value in labels.items():
                place = named(each)[0], key, value
                self._by_label.setdefault(place, []).append((labels, each))

    def by(self, namespace: str, selector: dict[str, str]) -> list[Resource]:
        if not selector:
            return []
        key = min(selector)
        known = self._by_label.get((namespace, key, selector[key]), [])
        return [each for labels, each in known if selector.items() <= labels.items()]


WORKLOADS = (
    "Deployment",
    "StatefulSet",
    "ReplicaSet",
    "Rollout",
    "DaemonSet",
    "Pod",
    "ReplicationController",
)


def named(resource: Resource) -> tuple[str, str]:
    """Namespace and name of a Kubernetes object."""
    metadata = block(resource.attributes.get("metadata"))
    return str(metadata.get("namespace") or "default"), str(metadata.get("name") or resource.name)


def template_of(resource: Resource) -> dict[str, Any]:
    """A workload's pod template; a bare pod is its own."""
    if resource.type == "Pod":
        return resource.attributes
    return block(block(resource.attributes.get("spec")).get("template"))


def labels_of(value: Any) -> dict[str, str]:
    return {str(key): str(each) for key, each in block(value).items()}


def service_names(value: object, *, depth: int) -> set[str]:
    """The Services that a route names, in any version of its schema."""
    if depth <= 0:
        return set()
    if isinstance(value, list):
        return {name for each in value for name in service_names(each, depth=depth - 1)}
    if not isinstance(value, dict):
        return set()
    found = {name for each in value.values() for name in service_names(each, depth=depth - 1)}
    own = [block(value.get("service")).get("name"), value.get("serviceName")]
    own += [each.get("name") for each in blocks(value.get("backendRefs"))]
    own += [block(value.get("destination")).get("host")]
    return found | {name for name in own if isinstance(name, str)}


Objects = dict[tuple[str, str, str], Resource]


def _settings_of(resource: Resource, objects: Objects) -> Iterator[tuple[str, str]]:
    """Name and value of what a workload's containers are given: environment, also out of config
    maps, and arguments (without a name)."""
    if resource.type not in WORKLOADS:
        return
    namespace, _ = named(resource)
    for container in blocks(block(template_of(resource).get("spec")).get("containers")):
        for entry in blocks(container.get("env")):
            name, value = str(entry.get("name", "")), entry.get("value")
            wanted = block(block(entry.get("valueFrom")).get("configMapKeyRef"))
            if wanted:
                data = _config_map(objects, namespace, wanted.get("name"))
                value = data.get(str(wanted.get("key")))
            if isinstance(value, str):
                yield name, value[:MAX_TEXT]
        for source in blocks(container.get("envFrom")):
            data = _config_map(objects, namespace, block(source.get("configMapRef")).get("name"))
            yield from ((key, str(value)[:MAX_TEXT]) for key, value in data.items())
        for part in ("command", "args"):
            words = container.get(part)
            listed = words if isinstance(words, list) else ()
            yield from (("", str(each)[:MAX_TEXT]) for each in listed)


def _config_map(objects: Objects, namespace: str, name: object) -> dict[str, Any]:
    found = objects.get(("ConfigMap", namespace, str(name)))
    return block(found.attributes.get("data")) if found is not None else {}


def _compose(services: list[Resource]) -> Iterator[Edge]:
    by_name = {(posixpath.dirname(each.file), each.name): each for each in services}
    for each in services:
        folder = posixpath.dirname(each.file)
        for at, name in _compose_names(each.attributes):
            target = by_name.get((folder, name))
            if target is not None:
                yield Edge(each, target, at, each.line_start)


def _compose_names(attributes: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for at in ("depends_on", "links"):
        value = attributes.get(at)
        for name in value if isinstance(value, list | dict) else ():
            yield at, str(name).split(":")[0]
    environment = attributes.get("environment")
    pairs = environment.items() if isinstance(environment, dict) else ()
    listed = environment if isinstance(environment, list) else ()
    settings = [(str(key), str(value)) for key, value in pairs if value is not None]
    settings += [(key, value) for key, _, value in (str(each).partition("=") for each in listed)]
    for key, value in settings:
        for labels in _hosts(key, value[:MAX_TEXT]):
            yield f"environment {key}", labels[0]
    for at in ("command", "entrypoint"):
        value = attributes.get(at)
        for word in value if isinstance(value, list) else [value]:
            for labels in _hosts("", str(word)[:MAX_TEXT]):
                yield at, labels[0]


def _hosts(key: str, value: str) -> Iterator[list[str]]:
    """Host names in a setting, by their labels: in a URL, before a port, or as the whole of a
    value whose name says that it is an address."""
    for match in _HOST.finditer(value):
        is_whole = match["host"] == value.strip() and bool(_ADDRESS_KEY.search(key))
        if match["port"] or match["before"] in ("//", "@") or is_whole:
            yield match["host"].rstrip(".").split(".")
