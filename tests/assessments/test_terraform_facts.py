"""How many instances a Terraform resource has, where, and from which provider: what the source
says, and never more."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from assessments.scan import terraform
from assessments.scan.hcl import Call, Expression, For, Literal
from assessments.scan.hcl_values import UNKNOWN, Budget, evaluate
from assessments.scan.merge import ScanResult
from assessments.scan.sandbox import ProcessLimits
from assessments.scan.types import CoverageStatus, Resource
from tests.assessments.scanning import WARM, files_of, scan

QUEUE = 'resource "aws_sqs_queue" "q" {{\n  {0}\n  name = "queue"\n}}\n'


def resources(result: ScanResult) -> dict[str, Resource]:
    return {each.address: each for each in result.resources if each.type != "provider"}


def scanned(**contents: str) -> ScanResult:
    return scan(files_of(**contents), engines=["tfparse"])


def test_a_count_that_the_upload_does_not_say_is_at_least_one() -> None:
    unknown = {
        "count": 'variable "n" {}\n' + QUEUE.format("count = var.n"),
        "for_each": 'variable "names" {}\n' + QUEUE.format("for_each = toset(var.names)"),
        "a for expression": 'variable "names" {}\n'
        + QUEUE.format("for_each = { for name in var.names : name => name }"),
        "a data source": 'data "aws_regions" "all" {}\n'
        + QUEUE.format("for_each = data.aws_regions.all.names"),
    }
    for what, source in unknown.items():
        (queue,) = scanned(**{"main.tf": source}).resources
        assert not queue.count_known, what
        assert queue.attributes["name"] == "queue", what


def test_a_module_of_unknown_count_gives_its_resources_at_least_once() -> None:
    result = scanned(
        **{
            "main.tf": 'variable "all" {}\n'
            'module "m" {\n  source   = "./m"\n  for_each = var.all\n}\n',
            "m/main.tf": QUEUE.format(""),
        }
    )
    (queue,) = result.resources
    assert (queue.address, queue.count_known) == ("module.m.aws_sqs_queue.q", False)


def test_a_for_expression_and_a_range_are_counted() -> None:
    result = scanned(
        **{
            "main.tf": (
                "locals {\n  sizes = { a = 1, b = 2, c = 3 }\n}\n"
                + QUEUE.format("for_each = { for k, v in local.sizes : k => v if v > 1 }")
                + 'resource "aws_sns_topic" "t" {\n'
                "  for_each = toset([for i in range(3) : tostring(i)])\n  name = each.key\n}\n"
            )
        }
    )
    assert sorted(resources(result)) == [
        'aws_sns_topic.t["0"]',
        'aws_sns_topic.t["1"]',
        'aws_sns_topic.t["2"]',
        'aws_sqs_queue.q["b"]',
        'aws_sqs_queue.q["c"]',
    ]
    assert all(each.count_known for each in result.resources)


def test_collections_of_thousands_are_bounded_and_said() -> None:
    names = ", ".join(f'"n{number}"' for number in range(5_000))
    sources = {
        "a range": QUEUE.format("for_each = toset([for i in range(5000) : tostring(i)])"),
        "a local": f"locals {{\n  names = [{names}]\n}}\n"
        + QUEUE.format("for_each = toset(local.names)"),
        "a variable": 'variable "n" {\n  default = 5000\n}\n' + QUEUE.format("count = var.n"),
    }
    for what, source in sources.items():
        started = time.monotonic()
        result = scanned(**{"main.tf": source})
        assert time.monotonic() - started < 30, what
        assert len(result.resources) == 100, what
        assert not any(each.count_known for each in result.resources), what
        (gap,) = result.gaps
        assert gap.status is CoverageStatus.PARTLY_READ and "5,000" in gap.reason, what


def test_loops_in_loops_end_and_their_count_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terraform, "MAX_STEPS", 100_000)  # a twentieth: the same result, sooner
    loop = "[for a in range(9000) : [for b in range(9000) : [for c in range(9000) : a]]]"
    started = time.monotonic()
    hasty = replace(WARM, limits=ProcessLimits(wall_s=4))
    files = files_of(**{"main.tf": QUEUE.format(f"count = length(flatten({loop}))")})
    result = scan(files, engines=["tfparse"], sandbox=hasty)
    assert time.monotonic() - started < 100
    assert [each.count_known for each in result.resources] == [False]


def test_a_loop_ends_with_its_budget() -> None:
    budget = Budget(1_000)
    ninety = Call("range", (Literal(90),))
    loop: Expression = Literal(1)
    for _ in range(4):
        loop = For(("a",), ninety, loop)
    assert evaluate(loop, lambda parts: UNKNOWN, budget=budget) == UNKNOWN
    assert budget.left > -100, "it went on without a budget"


def test_thirty_modules_that_call_thirty_that_call_thirty_are_refused_before_an_engine() -> None:
    def calls(folder: str) -> str:
        return "\n".join(f'module "m{n}" {{\n  source = "{folder}"\n}}' for n in range(30))

    started = time.monotonic()
    result = scan(
        files_of(
            **{
                "main.tf": calls("./a"),
                "a/main.tf": calls("../b"),
                "b/main.tf": calls("../c"),
                "c/main.tf": QUEUE.format(""),
            }
        ),
        engines=["checkov", "tfparse"],
    )
    assert time.monotonic() - started < 30
    assert {gap.path for gap in result.gaps} == {"main.tf", "a/main.tf", "b/main.tf", "c/main.tf"}
    assert all("more than 500 instances" in gap.reason for gap in result.gaps)


def test_each_resource_has_the_region_of_the_provider_that_it_uses() -> None:
    result = scanned(
        **{
            "main.tf": (
                'provider "alicloud" {\n  region = "cn-beijing"\n}\n'
                'provider "aws" {\n  region = "eu-west-1"\n}\n'
                'provider "aws" {\n  alias = "west"\n  region = var.west\n}\n'
                'variable "west" {\n  default = "us-west-2"\n}\n'
                'resource "aws_instance" "a" {\n  instance_type = "t3.micro"\n}\n'
                'resource "aws_instance" "b" {\n  provider = aws.west\n}\n'
                'module "plain" {\n  source = "./m"\n}\n'
                'module "west" {\n  source = "./m"\n  providers = { aws = aws.west }\n}\n'
            ),
            "m/main.tf": 'resource "aws_instance" "c" {\n  instance_type = "t3.micro"\n}\n',
        }
    )
    found = {key: (each.region, each.provider_alias) for key, each in resources(result).items()}
    assert found == {
        "aws_instance.a": ("eu-west-1", ""),
        "aws_instance.b": ("us-west-2", "aws.west"),
        "module.plain.aws_instance.c": ("eu-west-1", ""),
        "module.west.aws_instance.c": ("us-west-2", ""),
    }


def test_tofu_files_are_terraform() -> None:
    result = scan(files_of(**{"main.tofu": 'resource "aws_s3_bucket" "b" {\n  bucket = "b"\n}\n'}))
    assert [each.address for each in result.resources] == ["aws_s3_bucket.b"]
    assert {check.file for check in result.checks} == {"main.tofu"}


def test_what_opentofu_passes_over_is_named() -> None:
    bucket = 'resource "aws_s3_bucket" "b" {\n  bucket = "b"\n}\n'
    result = scanned(**{"main.tofu": bucket, "main.tf": bucket, "other.tf": ""})
    (gap,) = result.gaps
    assert (gap.path, gap.scope, gap.status) == ("main.tf", ".", CoverageStatus.NOT_ASSESSED)
    assert "OpenTofu reads main.tofu instead" in gap.reason
    assert [each.file for each in result.resources] == ["main.tofu"]


def test_a_dynamic_block_over_an_unknown_value_is_unknown_and_not_absent() -> None:
    block = (
        'resource "aws_instance" "{0}" {{\n  instance_type = "m5.large"\n'
        '  dynamic "ebs_block_device" {{\n    for_each = {1}\n'
        "    content {{\n      volume_size = 10\n    }}\n  }}\n}}\n"
    )
    result = scanned(
        **{
            "main.tf": 'variable "disks" {}\n'
            + block.format("open", "var.disks")
            + block.format("none", "[]")
            + block.format("two", "[1, 2]")
        }
    )
    found = {key: each.open_blocks for key, each in resources(result).items()}
    assert found == {
        "aws_instance.open": ["ebs_block_device"],
        "aws_instance.none": [],
        "aws_instance.two": [],
    }
    assert len(resources(result)["aws_instance.two"].attributes["ebs_block_device"]) == 2


def test_a_random_name_passed_down_through_modules_ends_and_is_unknown() -> None:
    """tfparse gave it another value at each pass, and took 32 passes at each level of modules: a
    widely used repository was not read at all."""
    random = 'resource "random_string" "r" {\n  length = 4\n}\n'
    call = 'module "m" {\n  source = "./m"\n  x = lower(random_string.r.result)\n}\n'
    bucket = 'resource "aws_s3_bucket" "b" {\n  bucket = "b-${random_string.r.result}"\n}\n'
    queue = 'variable "x" {}\nresource "aws_sqs_queue" "q" {\n  name = var.x\n}\n'
    folders = ["m/" * depth for depth in range(6)]
    files = files_of(
        **{f"{folder}main.tf": queue + random + call for folder in folders[1:-1]},
        **{"main.tf": bucket + random + call, f"{folders[-1]}main.tf": queue},
    )
    result = scan(files, engines=["tfparse"])
    found = {resource.address: resource for resource in result.resources}
    paths = ["module.m." * depth for depth in range(6)]
    assert set(found) == {
        "aws_s3_bucket.b",
        *(f"{path}random_string.r" for path in paths[:-1]),
        *(f"{path}aws_sqs_queue.q" for path in paths[1:]),
    }
    assert found["random_string.r"].type == "random_string"
    assert found["aws_s3_bucket.b"].attributes["bucket"] == "b-${random_string.r.result}"
    assert [each.to for each in found["aws_s3_bucket.b"].references] == ["random_string.r"]


def test_a_count_of_zero_is_none_also_as_text() -> None:
    module = (
        'variable "replica" { default = "0" }\n'
        'resource "aws_db_instance" "own" {\n  count = 1 - var.replica\n}\n'
        'resource "aws_db_instance" "copy" {\n  count = var.replica\n}\n'
    )
    root = (
        'module "a" {\n  source = "./db"\n}\nmodule "b" {\n  source  = "./db"\n  replica = "1"\n}\n'
    )
    result = scan(files_of(**{"main.tf": root, "db/main.tf": module}), engines=["tfparse"])
    found = {each.address for each in result.resources}
    assert found == {"module.a.aws_db_instance.own[0]", "module.b.aws_db_instance.copy[0]"}
