"""What a scope is built from: a plan with its source, a stack's parameters and Conditions, an
override with a Compose file."""

from __future__ import annotations

import json
from typing import Any

from assessments.scan.merge import ScanResult
from assessments.scan.types import Outcome, ScopeKind
from tests.assessments.scanning import files_of, scan

SOURCE = """\
variable "n" {
  default = 2
}
provider "aws" {
  region = "eu-west-1"
}
resource "aws_instance" "web" {
  count         = var.n
  instance_type = "t3.large"
}
resource "aws_instance" "batch" {
  instance_type = "t3.large"
}
"""


def plan(*addresses: str, key: str = "aws") -> str:
    names = sorted({address.split("[")[0] for address in addresses})
    document: dict[str, Any] = {
        "format_version": "1.2",
        "terraform_version": "1.9.0",
        "variables": {"region": {"value": "us-west-2"}},
        "planned_values": {
            "root_module": {
                "resources": [
                    {
                        "address": address,
                        "mode": "managed",
                        "type": "aws_instance",
                        "name": address,
                        "values": {"instance_type": "m5.large"},
                    }
                    for address in addresses
                ]
            }
        },
        "resource_changes": [],
        "configuration": {
            "provider_config": {
                "aws": {
                    "name": "aws",
                    "expressions": {"region": {"constant_value": "eu-central-1"}},
                },
                "aws.west": {
                    "name": "aws",
                    "alias": "west",
                    "expressions": {"region": {"references": ["var.region"]}},
                },
            },
            "root_module": {
                "resources": [{"address": name, "provider_config_key": key} for name in names]
            },
        },
    }
    return json.dumps(document)


def shapes(result: ScanResult) -> dict[str, str]:
    return {
        each.address: str(each.attributes.get("instance_type"))
        for each in result.resources
        if each.type == "aws_instance"
    }


def test_a_plan_beside_its_source_says_what_will_be_and_nothing_is_counted_twice() -> None:
    planned = plan("aws_instance.web[0]", "aws_instance.batch")
    for place in ("infra/plan.json", "plans/plan.json"):
        result = scan(files_of(**{"infra/main.tf": SOURCE, place: planned}))
        assert [(scope.key, scope.kind) for scope in result.scopes] == [
            ("infra", ScopeKind.TERRAFORM)
        ]
        assert shapes(result) == {
            "aws_instance.web[0]": "m5.large",
            "aws_instance.batch": "m5.large",
        }
        assert any(check.file == "infra/main.tf" for check in result.checks)


def test_a_plan_of_another_root_is_a_scope_of_its_own() -> None:
    result = scan(files_of(**{"infra/main.tf": SOURCE, "plan.json": plan("aws_instance.other")}))
    assert [scope.key for scope in result.scopes] == ["infra", "plan.json"]


def test_a_plan_that_could_be_of_two_roots_is_a_scope_of_its_own() -> None:
    planned = plan("aws_instance.web[0]", "aws_instance.batch")
    files = {"prod/main.tf": SOURCE, "test/main.tf": SOURCE, "plan.json": planned}
    result = scan(files_of(**files), engines=["tfparse", "resources"])
    assert [scope.key for scope in result.scopes] == ["plan.json", "prod", "test"]
    assert len([each for each in result.resources if each.type == "aws_instance"]) == 8


def test_a_plans_resources_have_their_providers_region() -> None:
    for key, expected in {
        "aws": ("eu-central-1", ""),
        "aws.west": ("us-west-2", "aws.west"),
    }.items():
        result = scan(
            files_of(**{"plan.json": plan("aws_instance.a", key=key)}), engines=["resources"]
        )
        found = [each for each in result.resources if each.type == "aws_instance"]
        assert [(each.region, each.provider_alias) for each in found] == [expected]


TEMPLATE = """\
Parameters:
  Environment: {Type: String, Default: test}
  Size: {Type: String, Default: db.t3.micro}
  Asked: {Type: String}
Conditions:
  IsProduction: !Equals [!Ref Environment, production]
  IsAsked: !Equals [!Ref Asked, "yes"]
Resources:
  Database:
    Type: AWS::RDS::DBInstance
    Properties:
      DBInstanceClass: !Ref Size
      Engine: mysql
      MultiAZ: !If [IsProduction, true, false]
  Replica:
    Type: AWS::RDS::DBInstance
    Condition: IsProduction
    Properties: {SourceDBInstanceIdentifier: !Ref Database, DBInstanceClass: !Ref Size}
  Queue:
    Type: AWS::SQS::Queue
    Condition: IsAsked
"""


def test_a_resource_whose_condition_is_false_does_not_exist() -> None:
    result = scan(files_of(**{"stack.yaml": TEMPLATE}))
    found = {each.address: each for each in result.resources}
    assert set(found) == {"Database", "Queue"}
    assert not any(check.resource == "Replica" for check in result.checks)
    assert found["Database"].attributes["MultiAZ"] is False
    assert not found["Database"].uncertain
    assert "IsAsked" in found["Queue"].uncertain


def test_each_parameter_file_is_a_scope_with_its_own_values() -> None:
    production = [
        {"ParameterKey": "Environment", "ParameterValue": "production"},
        {"ParameterKey": "Size", "ParameterValue": "db.m5.large"},
    ]
    result = scan(
        files_of(
            **{
                "stack.yaml": TEMPLATE,
                "stack-production.parameters.json": json.dumps(production),
                "stack-test.parameters.json": json.dumps([]),
            }
        )
    )
    sizes = {
        (each.scope, each.address): each.attributes["DBInstanceClass"]
        for each in result.resources
        if each.type == "AWS::RDS::DBInstance"
    }
    assert sizes == {
        ("stack.yaml:stack-production.parameters.json", "Database"): "db.m5.large",
        ("stack.yaml:stack-production.parameters.json", "Replica"): "db.m5.large",
        ("stack.yaml:stack-test.parameters.json", "Database"): "db.t3.micro",
    }
    outcomes = {
        check.scope: check.outcome
        for check in result.checks
        if check.rule == "CKV_AWS_157" and check.resource == "Database"
    }
    assert outcomes["stack.yaml:stack-test.parameters.json"] is Outcome.FAILED


def test_an_override_changes_the_service_of_the_file_beside_it() -> None:
    result = scan(
        files_of(
            **{
                "compose.yaml": (
                    "services:\n  web:\n    image: nginx:1.26\n    environment: [A=1, B=2]\n"
                    '    ports: ["80:80"]\n    command: [run]\n'
                ),
                "compose.override.yaml": (
                    "services:\n  web:\n    image: nginx:1.27\n    environment: {B: 3}\n"
                    '    ports: ["443:443"]\n    command: [debug]\n    privileged: true\n'
                ),
            }
        ),
        engines=["resources", "compose-lint"],
    )
    assert [scope.key for scope in result.scopes] == ["compose.yaml"]
    (web,) = result.resources
    assert (web.address, web.file) == ("compose/web", "compose.yaml")
    assert web.attributes["image"] == "nginx:1.27"
    assert web.attributes["environment"] == {"A": "1", "B": 3}
    assert web.attributes["ports"] == ["80:80", "443:443"]
    assert web.attributes["command"] == ["debug"]
    assert any(check.rule == "CL-0002" for check in result.checks)


def test_a_service_inherits_from_the_one_it_extends() -> None:
    result = scan(
        files_of(
            **{
                "compose.yaml": (
                    "services:\n  base:\n    restart: always\n    image: nginx\n"
                    "  web:\n    extends: base\n    image: httpd\n"
                    "  job:\n    extends: {file: common.yaml, service: job}\n"
                    "  lost:\n    image: a\n    extends: {file: gone.yaml, service: x}\n"
                ),
                "common.yaml": "services:\n  job:\n    image: busybox\n    restart: always\n",
            }
        ),
        engines=["resources"],
    )
    found = {each.address: each.attributes for each in result.resources}
    assert found["compose/web"] == {"restart": "always", "image": "httpd"}
    assert found["compose/job"] == {"restart": "always", "image": "busybox"}
    assert "extends" in found["compose/lost"]


def test_compose_findings_claim_nothing_that_the_file_leaves_open() -> None:
    text = """\
services:
  web: {image: "${IMAGE}"}
  api: {image: "${REGISTRY}/api", environment: {SECRET_PROVIDER: vault}}
  db: {image: "postgres:${TAG}", environment: {DB_PASSWORD: hunter2hunter2}}
  part: {ports: ["80:80"]}
"""
    result = scan(files_of(**{"compose.prod.yaml": text}), engines=["compose-lint"])
    found = {(check.rule, check.resource.removeprefix("compose/")) for check in result.checks}
    assert {name for rule, name in found if rule == "CL-0004"} == {"api"}
    assert {name for rule, name in found if rule == "CL-0019"} == set()
    assert {name for rule, name in found if rule == "CL-0020"} == {"db"}
    assert {name for rule, name in found if rule == "CL-0003"} == {"web", "api", "db"}
    assert {rule for rule, name in found if name == "part"} == {"CL-0005"}
