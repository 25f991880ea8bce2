"""Which checks are meaningful for the resource they ran on.

Checkov reports a pass for every rule whose resource type fits, even if the rule looked at nothing:
the kube-apiserver's flags on an nginx container, Defender for Key Vault on a plan that covers
virtual machines. Such a pass is left out. Failures always count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from assessments.agents.datasets import load
from assessments.scan.types import CheckResult, Outcome, Resource

ABSENCE_RULES = frozenset({"CKV_K8S_33", "CKV_K8S_34", "CKV_K8S_44", "CKV_K8S_45", "CKV_K8S_159"})
"""Rules that ask whether a resource is the Kubernetes dashboard, Tiller or git-sync: their pass
says only that it is something else."""
MAX_DEPTH = 12
MAX_TYPES = 12
"""Rules that inspect more types are about any resource, and make no two of them twins."""
TWINS = {
    "AWS::ApiGateway::RestApi": "aws_api_gateway_rest_api",
    "AWS::ApiGatewayV2::Stage": "aws_apigatewayv2_stage",
    "AWS::AutoScaling::AutoScalingGroup": "aws_autoscaling_group",
    "AWS::CloudFormation::Stack": "aws_cloudformation_stack",
    "AWS::CloudWatch::Alarm": "aws_cloudwatch_metric_alarm",
    "AWS::CodePipeline::Pipeline": "aws_codepipeline",
    "AWS::Cognito::UserPool": "aws_cognito_user_pool",
    "AWS::Config::ConfigurationRecorder": "aws_config_configuration_recorder",
    "AWS::EC2::EIP": "aws_eip",
    "AWS::EC2::NetworkAcl": "aws_network_acl",
    "AWS::EC2::NetworkAclEntry": "aws_network_acl_rule",
    "AWS::EC2::Route": "aws_route",
    "AWS::EC2::Subnet": "aws_subnet",
    "AWS::EC2::VPC": "aws_vpc",
    "AWS::EC2::VPCPeeringConnection": "aws_vpc_peering_connection",
    "AWS::ECS::Service": "aws_ecs_service",
    "AWS::ElastiCache::CacheCluster": "aws_elasticache_cluster",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "aws_lb_target_group",
    "AWS::EMR::Cluster": "aws_emr_cluster",
    "AWS::GuardDuty::Detector": "aws_guardduty_detector",
    "AWS::IAM::ManagedPolicy": "aws_iam_policy",
    "AWS::KinesisFirehose::DeliveryStream": "aws_kinesis_firehose_delivery_stream",
    "AWS::Route53::HostedZone": "aws_route53_zone",
    "AWS::Route53::RecordSet": "aws_route53_record",
    "AWS::S3::BucketPolicy": "aws_s3_bucket_policy",
    "AWS::SSM::Parameter": "aws_ssm_parameter",
    "AWS::StepFunctions::StateMachine": "aws_sfn_state_machine",
}
"""Types that no rule inspects in both languages, by the resources' own documentation."""
ARGUMENTS = ("resource_type", "name")


class Applicability:
    """What applies to ``resources``, all of one scope."""

    def __init__(self, resources: Iterable[Resource], checks: Iterable[CheckResult]) -> None:
        self._roles: dict[str, frozenset[str]] = {}
        self._of_type: dict[str, set[str]] = {}
        for resource in resources:
            roles = frozenset(_roles_of(resource))
            self._roles[resource.address] = roles
            self._of_type.setdefault(resource.type, set()).update(roles)
        for check in checks:
            self._of_type.setdefault(check.resource_type, set())
        for kind in list(self._of_type):
            for twin in twins_of(kind):
                self._of_type.setdefault(twin, set())

    def says_something(self, check: CheckResult) -> bool:
        """False for a pass of a rule that looks for a role which the resource doesn't have."""
        if check.outcome is not Outcome.PASSED:
            return True
        wanted = roles_of_rule(check.rule)
        if not wanted:
            return check.rule not in ABSENCE_RULES
        address = check.resource
        has = self._roles.get(address) or self._roles.get(address.partition("[")[0], frozenset())
        return not wanted.isdisjoint(has)

    def applies(self, rule: str) -> bool:
        """Whether a resource is declared that ``rule`` looks at."""
        wanted = roles_of_rule(rule)
        return any(
            not wanted or not wanted.isdisjoint(self._of_type[kind])
            for kind in entities_of_rule(rule)
            if kind in self._of_type
        )


def saying(checks: Iterable[CheckResult], resources: Iterable[Resource]) -> list[CheckResult]:
    """The checks without passes of rules that looked at nothing."""
    every = list(checks)
    applicability = Applicability(resources, every)
    return [each for each in every if applicability.says_something(each)]


@cache
def roles_of_rule(rule: str) -> frozenset[str]:
    """What a resource must be for ``rule`` to look at it (``command=kube-apiserver``,
    ``resource_type=appservices``), any of them; empty where its type is enough."""
    return frozenset(each.lower() for each in load("checkov_rules.json")["roles"].get(rule, ()))


@cache
def entities_of_rule(rule: str) -> tuple[str, ...]:
    """The resource types and kinds of objects that ``rule`` inspects, by Checkov's own metadata."""
    return tuple(load("checkov_rules.json")["entities"].get(rule, ()))


@cache
def twins_of(kind: str) -> frozenset[str]:
    """What Terraform calls resources of a type of CloudFormation or Azure Resource Manager: the
    types that rules inspect most often along with it. A rule that is written for Terraform alone
    still asks something of such a resource, and no check covers it."""
    prefix = "aws_" if "::" in kind else "azurerm_" if "/" in kind else ""
    if not prefix:
        return frozenset()
    if kind in TWINS:
        return frozenset({TWINS[kind]})
    found = Counter(
        each
        for entities in load("checkov_rules.json")["entities"].values()
        if kind in entities and len(entities) <= MAX_TYPES
        for each in entities
        if each.startswith(prefix)
    )
    most = max(found.values(), default=0)
    return frozenset(each for each, count in found.items() if 2 * count >= most)


def _roles_of(resource: Resource) -> Iterator[str]:
    for argument in ARGUMENTS:
        value = resource.attributes.get(argument)
        if isinstance(value, str):
            yield f"{argument}={value}".lower()
    for word in _commands(resource.attributes, MAX_DEPTH):
        yield f"command={word.partition('=')[0]}".lower()


def _commands(value: Any, depth: int) -> Iterator[str]:
    """Every word of every container's command in a manifest: where Checkov looks for a program's
    name."""
    if depth <= 0:
        return
    if isinstance(value, list):
        for each in value:
            yield from _commands(each, depth - 1)
    elif isinstance(value, dict):
        command = value.get("command")
        if isinstance(command, list):
            yield from (word for word in command if isinstance(word, str))
        for each in value.values():
            yield from _commands(each, depth - 1)
