"""The scan end to end, with the real engines, on the sample and on small inputs."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from typing import Any

from assessments.requirements import Requirements
from assessments.scan.classify import Role, classify
from assessments.scan.engines import run_shard
from assessments.scan.intake import InputFile
from assessments.scan.merge import merge, shard_failure
from assessments.scan.sandbox import ProcessLimits
from assessments.scan.shards import make_shards
from assessments.scan.types import CoverageStatus, FileKind, Outcome
from tests.assessments.scanning import (
    PLAIN,
    SAMPLE,
    WARM,
    coverage_of,
    files_of,
    folder_files,
    run_quietly,
    scan,
    scan_outputs,
)

TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Size:
    Type: String
    Default: t3.large
Resources:
  Web:
    Type: AWS::EC2::Instance
    Properties:
      InstanceType: !Ref Size
      ImageId: ami-12345678
      Colour: blue
"""
PLAN: dict[str, Any] = {
    "format_version": "1.2",
    "terraform_version": "1.9.0",
    "planned_values": {
        "root_module": {
            "resources": [
                {
                    "address": "aws_db_instance.orders",
                    "mode": "managed",
                    "type": "aws_db_instance",
                    "name": "orders",
                    "values": {
                        "instance_class": "db.t3.medium",
                        "multi_az": False,
                        "marker": "hidden-by-terraform",
                    },
                    "sensitive_values": {"marker": True},
                }
            ],
        }
    },
    "resource_changes": [
        {
            "address": "aws_db_instance.orders",
            "mode": "managed",
            "type": "aws_db_instance",
            "name": "orders",
            "change": {
                "actions": ["create"],
                "before": None,
                "after": {"instance_class": "db.t3.medium", "multi_az": False},
            },
        }
    ],
    "configuration": {
        "provider_config": {
            "aws": {"name": "aws", "expressions": {"region": {"constant_value": "eu-west-1"}}}
        }
    },
}
WORKFLOW = """\
on: push
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: echo ${{ github.event.issue.title }}
"""


def test_the_sample_is_read_whole_and_its_flaws_are_found_at_their_lines() -> None:
    files = folder_files(SAMPLE)
    result = scan(files)
    failed = {
        (check.rule, check.resource, check.file)
        for check in result.checks
        if check.outcome is Outcome.FAILED
    }
    assert ("CKV_AWS_24", "aws_security_group.web", "terraform/web.tf") in failed
    assert ("CKV_AWS_17", "aws_db_instance.orders", "terraform/data.tf") in failed
    assert ("CKV_K8S_13", "Deployment/shop/cart", "kubernetes/cart.yaml") in failed
    assert (
        "CKV_K8S_16",
        "Deployment/shop/recommendations",
        "kubernetes/recommendations.yaml",
    ) in failed
    assert {"DL3007", "DL3020"} <= {
        rule for rule, _, file in failed if file == "compose/api/Dockerfile"
    }
    assert any(rule.startswith("CL-") and resource == "compose/db" for rule, resource, _ in failed)
    assert not any(
        resource == "Deployment/shop/catalog" and rule == "CKV_K8S_13"
        for rule, resource, _ in failed
    )
    ssh = next(check for check in result.checks if check.rule == "CKV_AWS_24")
    assert (ssh.line_start, ssh.line_end) == (1, 28)
    assert any(line.number == ssh.focus and "0.0.0.0/0" in line.text for line in ssh.evidence)
    assert len(ssh.evidence) == 7
    unread = {entry.path for entry in result.coverage if entry.status is not CoverageStatus.READ}
    assert unread == {"README.md", "requirements.json"}
    assert [entry.path for entry in result.coverage] == sorted(file.path for file in files)


def test_the_samples_resources_come_from_all_its_kinds_of_file() -> None:
    resources = {resource.address: resource for resource in scan(folder_files(SAMPLE)).resources}
    web = resources["aws_instance.web[2]"]
    assert (web.provider, web.exact, web.file, web.line_start, web.line_end) == (
        "aws",
        False,
        "terraform/web.tf",
        30,
        50,
    )
    assert web.attributes["root_block_device"] == {"volume_type": "gp2", "volume_size": 100}
    assert web.attributes["subnet_id"] == "aws_subnet.private[0]"
    assert resources["provider.aws"].attributes == {"region": "eu-west-1"}
    cart = resources["Deployment/shop/cart"]
    assert (cart.type, cart.provider, cart.exact, cart.line_start, cart.line_end) == (
        "Deployment",
        "kubernetes",
        True,
        1,
        25,
    )
    assert resources["compose/api"].line_end == 9
    assert "aws_nat_gateway.shop[1]" in resources


def test_the_samples_requirements_are_valid() -> None:
    Requirements.model_validate_json((SAMPLE / "requirements.json").read_text())


def test_the_same_input_gives_equal_output_in_whatever_order_it_comes() -> None:
    files = folder_files(SAMPLE)
    shuffled = list(files)
    random.Random(5).shuffle(shuffled)
    outputs = scan_outputs(files)
    again = scan_outputs(shuffled)
    first = merge(outputs, files=files)
    random.Random(6).shuffle(again)
    assert merge(again, files=shuffled).to_json() == first.to_json()


def test_the_plain_way_gives_what_the_warm_way_gives() -> None:
    files = [file for file in folder_files(SAMPLE) if file.path.startswith("terraform/")]
    assert scan(files, sandbox=PLAIN).to_json() == scan(files, sandbox=WARM).to_json()


def test_no_secret_of_the_sample_is_in_any_shards_output() -> None:
    files = folder_files(SAMPLE)
    for output in scan_outputs(files):
        text = output.to_json().decode()
        assert "Tr0ub4dor" not in text
        assert "Wint3r" not in text


def test_a_template_gives_resources_with_defaults_and_cfn_lints_findings() -> None:
    result = scan(files_of(**{"template.yaml": TEMPLATE}))
    (web,) = result.resources
    assert (web.address, web.type, web.line_start, web.line_end) == (
        "Web",
        "AWS::EC2::Instance",
        7,
        12,
    )
    assert web.attributes["InstanceType"] == "t3.large"
    invalid = next(
        check for check in result.checks if check.engine == "cfn-lint" and "Colour" in check.title
    )
    assert (invalid.resource, invalid.line_start, invalid.engine_severity) == ("Web", 12, "high")
    assert any(check.engine == "checkov" and check.resource == "Web" for check in result.checks)


def test_a_plan_is_exact_and_keeps_what_terraform_calls_sensitive_to_itself() -> None:
    result = scan(files_of(**{"plan.json": json.dumps(PLAN)}))
    by_address = {resource.address: resource for resource in result.resources}
    assert by_address["aws_db_instance.orders"].exact
    assert by_address["aws_db_instance.orders"].attributes["instance_class"] == "db.t3.medium"
    assert by_address["provider.aws"].attributes == {"region": "eu-west-1"}
    assert any(
        check.rule == "CKV_AWS_157" and check.outcome is Outcome.FAILED for check in result.checks
    )
    assert "hidden-by-terraform" not in result.to_json().decode()


def test_a_plan_that_checkov_passes_over_is_said_to_be_partly_read() -> None:
    result = scan(
        files_of(
            **{"plan.json": json.dumps({**PLAN, "terraform_version": None, "resource_changes": []})}
        )
    )
    assert result.checks == []
    assert coverage_of(result, "plan.json").status is CoverageStatus.PARTLY_READ


def test_a_file_that_an_engine_cannot_stand_is_the_only_gap_of_its_shard() -> None:
    change = {
        key: value
        for key, value in PLAN["resource_changes"][0]["change"].items()
        if key != "before"
    }
    broken = {**PLAN, "resource_changes": [{**PLAN["resource_changes"][0], "change": change}]}
    files = files_of(
        **{"a.json": json.dumps(PLAN), "b.json": json.dumps(broken), "c.json": json.dumps(PLAN)}
    )
    shard = next(shard for shard in make_shards(files) if shard.framework == "terraform_plan")
    whole = shard.replace(paths=["a.json", "b.json", "c.json"], units=3)
    output = run_shard(whole, files, sandbox=WARM, on_progress=lambda done, total, message: None)
    assert [(gap.path, gap.status) for gap in output.coverage] == [
        ("b.json", CoverageStatus.PARTLY_READ)
    ]
    assert {check.file for check in output.checks} == {"a.json", "c.json"}


def test_a_workflow_is_checked() -> None:
    result = scan(files_of(**{".github/workflows/ci.yml": WORKFLOW}))
    injection = next(
        check
        for check in result.checks
        if check.rule == "CKV_GHA_2" and check.outcome is Outcome.FAILED
    )
    assert injection.line_start == 6
    assert coverage_of(result, ".github/workflows/ci.yml").kind is FileKind.GITHUB_ACTIONS


def test_a_suppression_in_the_code_is_kept_with_its_reason() -> None:
    source = (
        'resource "aws_s3_bucket" "b" {\n  #checkov:skip=CKV_AWS_18:logs are kept elsewhere\n '
        ' bucket = "b"\n}\n'
    )
    result = scan(files_of(**{"main.tf": source}))
    (skipped,) = [check for check in result.checks if check.rule == "CKV_AWS_18"]
    assert (skipped.outcome, skipped.suppression) == (Outcome.SUPPRESSED, "logs are kept elsewhere")


def test_modules_of_the_upload_are_followed_and_variables_filled_in() -> None:
    files = files_of(
        **{
            "live/main.tf": (
                'module "web" {\n  source = "../modules/web"\n  size   = var.size\n}\nvariable'
                ' "size" {}\n'
            ),
            "live/terraform.tfvars": 'size = "m7g.large"\n',
            "modules/web/main.tf": (
                'variable "size" {}\nresource "aws_instance" "a" {\n  instance_type = var.size\n}\n'
            ),
        }
    )
    shards = [shard for shard in make_shards(files) if shard.engine == "tfparse"]
    assert [(scope.root, len(scope.paths)) for shard in shards for scope in shard.scopes] == [
        ("live", 3)
    ]
    result = scan(files)
    instance = next(resource for resource in result.resources if resource.type == "aws_instance")
    assert instance.address == "module.web.aws_instance.a"
    assert (instance.file, instance.line_start, instance.attributes["instance_type"]) == (
        "modules/web/main.tf",
        2,
        "m7g.large",
    )
    assert {entry.status for entry in result.coverage} == {CoverageStatus.READ}


def test_a_module_of_a_registry_is_a_gap_with_its_line() -> None:
    source = (
        'resource "aws_s3_bucket" "b" {\n}\n\nmodule "vpc" {\n  source ='
        ' "terraform-aws-modules/vpc/aws"\n}\n'
    )
    result = scan(files_of(**{"main.tf": source}))
    gap = coverage_of(result, "main.tf")
    assert (gap.status, gap.line) == (CoverageStatus.PARTLY_READ, 5)
    assert "terraform-aws-modules/vpc/aws" in gap.reason
    assert any(resource.address == "aws_s3_bucket.b" for resource in result.resources)


def test_broken_files_among_good_ones_are_named_with_their_line() -> None:
    result = scan(
        files_of(
            **{
                "good.tf": 'resource "aws_s3_bucket" "good" {\n  bucket = "good"\n}\n',
                "bad.tf": 'resource "aws_s3_bucket" "bad" {\n  bucket = \n}\n',
                "bad.yaml": "apiVersion: v1\nkind: Pod\nmetadata: [\n",
                "compose.yaml": "services:\n  web:\n    image: nginx\n   oops\n",
                "bad.json": '{"format_version": "1.2",\n "planned_values": }\n',
            }
        )
    )
    lines = {
        entry.path: entry.line for entry in result.coverage if entry.status is CoverageStatus.FAILED
    }
    assert lines == {"bad.tf": 2, "bad.yaml": 4, "compose.yaml": 4, "bad.json": 2}
    assert coverage_of(result, "good.tf").status is CoverageStatus.READ
    assert [resource.address for resource in result.resources] == ["aws_s3_bucket.good"]


def test_progress_counts_finished_objects_over_known_objects_and_never_goes_back() -> None:
    pods = "---\n".join(
        f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: p{n}\nspec:\n  containers: []\n"
        for n in range(40)
    )
    files = files_of(**{"pods.yaml": pods})
    (shard,) = [shard for shard in make_shards(files) if shard.framework == "kubernetes"]
    seen: list[tuple[int, int]] = []
    run_shard(
        shard,
        files,
        sandbox=WARM,
        on_progress=lambda done, total, message: seen.append((done, total)),
    )
    assert shard.units == 40
    within = [done for done, total in seen if total == 40]
    assert len(within) >= 35
    assert within == sorted(within)
    assert seen[-1][0] == seen[-1][1] == seen[0][1]


def test_many_manifests_are_cut_into_shards_and_one_of_them_compares_all() -> None:
    policy = (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: all\nspec:\n "
        " podSelector: {}\n  policyTypes: [Ingress]\n"
    )
    contents = {
        f"p{n:03}.yaml": f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: p{n}\n" for n in range(300)
    }
    files = files_of(**contents, **{"policy.yaml": policy})
    shards = [shard for shard in make_shards(files) if shard.framework == "kubernetes"]
    everything = sorted(file.path for file in files)
    pieces = [shard for shard in shards if shard.rules == "objects"]
    assert len(pieces) > 2
    assert sorted(path for shard in pieces for path in shard.paths) == everything
    assert [shard.paths for shard in shards if shard.rules == "graph"] == [everything]


def test_manifests_cut_into_shards_give_what_they_give_in_one() -> None:
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p{0}\n  labels: {{app: a{0}}}\n"
        "spec:\n  containers: [{{name: a, image: a}}]\n"
    )
    policy = (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: one\nspec:\n"
        "  podSelector: {matchLabels: {app: a7}}\n"
    )
    files = files_of(**{f"p{n}.yaml": pod.format(n) for n in range(9)}, **{"policy.yaml": policy})
    (shard,) = [shard for shard in make_shards(files) if shard.framework == "kubernetes"]
    (scope,) = shard.scopes
    halves = [scope.paths[:5], scope.paths[5:]]
    cut = [
        *(
            shard.replace(rules="objects", paths=half, scopes=[scope.replace(paths=half)])
            for half in halves
        ),
        shard.replace(rules="graph"),
    ]
    whole = merge([run_quietly(shard, files)], files=files)
    compared = [check for check in whole.checks if check.rule.startswith("CKV2_K8S_6")]
    assert {check.outcome for check in compared} == {Outcome.PASSED, Outcome.FAILED}
    assert merge([run_quietly(part, files) for part in cut], files=files).checks == whole.checks


def test_a_shard_without_an_answer_leaves_its_files_partly_read() -> None:
    files = files_of(**{"main.tf": 'resource "aws_s3_bucket" "b" {}\n'})
    result = merge(
        [],
        files=files,
        failed_shards=shard_failure(["main.tf"], engine="Checkov", reason="it took too long."),
    )
    gap = coverage_of(result, "main.tf")
    assert (gap.status, gap.kind) == (CoverageStatus.PARTLY_READ, FileKind.TERRAFORM)
    assert gap.reason == "Checkov gave no answer: it took too long."


def test_kinds_are_told_by_content_where_the_name_is_silent() -> None:
    def kind(path: str, text: str) -> FileKind:
        return classify(InputFile.of(path, text.encode())).kind

    assert (
        kind("x.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n")
        is FileKind.KUBERNETES
    )
    assert kind("x.yaml", "services:\n  a:\n    image: b\n") is FileKind.COMPOSE
    assert (
        kind("x.json", '{"Resources": {"A": {"Type": "AWS::S3::Bucket"}}}')
        is FileKind.CLOUDFORMATION
    )
    assert kind("x.yaml", "on: push\njobs: {}\n") is FileKind.UNKNOWN
    assert kind("api.Dockerfile", "FROM a\n") is FileKind.DOCKERFILE
    assert kind("Dockerfile.dev", "FROM a\n") is FileKind.DOCKERFILE
    assert kind("notes.txt", "resource") is FileKind.UNKNOWN
    helm = classify(
        InputFile.of("chart/templates/web.yaml", b"apiVersion: v1\nkind: {{ .Values.kind }}\n")
    )
    assert (helm.kind, helm.role, helm.scannable) == (FileKind.KUBERNETES, Role.CHART, False)


def test_a_scope_that_takes_too_long_is_a_gap_and_the_others_are_assessed() -> None:
    slow = "\n".join(f'module "m{n}" {{\n  source = "./m"\n}}' for n in range(450))
    module = "\n".join(f'resource "aws_s3_bucket" "b{n}" {{}}' for n in range(40))
    files = files_of(
        **{
            "a/main.tf": 'resource "aws_s3_bucket" "a" {}\n',
            "b/main.tf": slow,
            "b/m/main.tf": module,
            "c/main.tf": 'resource "aws_s3_bucket" "c" {}\n',
        }
    )
    shards = [shard for shard in make_shards(files) if shard.framework == "terraform"]
    shard = shards[0].replace(
        scopes=[scope for each in shards for scope in each.scopes],
        paths=[file.path for file in files],
    )
    hasty = replace(WARM, limits=ProcessLimits(wall_s=5))
    started = time.monotonic()
    output = run_quietly(shard, files, sandbox=hasty)
    assert time.monotonic() - started < 120
    assert {check.scope for check in output.checks} == {"a", "c"}
    assert {(gap.scope, gap.path) for gap in output.coverage} == {
        ("b", "b/main.tf"),
        ("b", "b/m/main.tf"),
    }
    assert all("took longer than 5 s" in gap.reason for gap in output.coverage)


def test_a_comment_after_a_here_document_does_not_end_hadolint() -> None:
    dockerfile = (
        "FROM alpine:3.20\nRUN <<EOF\napk update\nEOF\n# a comment\n"
        "RUN <<B cat\n# no comment\nB\n# a comment\n# another\nMAINTAINER me\n"
    )
    result = scan(files_of(Dockerfile=dockerfile), engines=["hadolint"])
    assert result.gaps == []
    deprecated = [check for check in result.checks if check.rule == "DL4000"]
    assert [check.line_start for check in deprecated] == [11]
