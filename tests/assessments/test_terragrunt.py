"""Terragrunt: literal inputs become the values of a module in the upload; the rest is reported."""

from __future__ import annotations

from functools import cache

from assessments.scan.classify import classify
from assessments.scan.merge import ScanResult
from assessments.scan.scopes import scopes_of
from assessments.scan.terragrunt import read_terragrunt
from assessments.scan.types import CoverageStatus, Outcome
from tests.assessments.scanning import coverage_of, files_of, scan

MODULE = """\
variable "encrypted" { default = false }
variable "size" { default = "gp2" }
variable "replicas" { default = 1 }
resource "aws_ebs_volume" "data" {
  count             = var.replicas
  availability_zone = "eu-west-1a"
  size              = 10
  type              = var.size
  encrypted         = var.encrypted
}
"""
LIVE = """\
include "root" {
  path = find_in_parent_folders()
}
locals {
  size = "gp3"
}
terraform {
  source = "../../modules//disk"
}
inputs = {
  encrypted = true
  size      = local.size
  replicas  = dependency.network.outputs.zones
}
"""
FILES = {
    "modules/disk/main.tf": MODULE,
    "live/prod/terragrunt.hcl": LIVE,
    "live/dev/terragrunt.hcl": 'terraform {\n  source = "${get_repo_root()}/modules/disk"\n}\n',
    "live/far/terragrunt.hcl": 'terraform {\n  source = "git::https://x.invalid/m.git"\n}\n',
    "live/base/terragrunt.hcl": (
        'terraform {\n  source = "${include.common.locals.url}?ref=v1"\n}\n'
    ),
    "terragrunt.hcl": 'remote_state {\n  backend = "s3"\n}\n',
}


@cache
def result() -> ScanResult:
    return scan(files_of(**FILES), engines=["checkov", "tfparse"])


def test_each_terragrunt_file_is_a_scope_and_its_module_none_by_itself() -> None:
    scopes = {scope.key: scope.paths for scope in scopes_of([*map(classify, files_of(**FILES))])}
    assert scopes == {
        "live/base": ["live/base/terragrunt.hcl"],
        "live/dev": ["live/dev/terragrunt.hcl", "modules/disk/main.tf"],
        "live/far": ["live/far/terragrunt.hcl"],
        "live/prod": ["live/prod/terragrunt.hcl", "modules/disk/main.tf"],
        "repository": ["terragrunt.hcl"],
    }


def test_literal_inputs_are_the_modules_values() -> None:
    encrypted = {each.scope: each.outcome for each in result().checks if each.rule == "CKV_AWS_3"}
    assert encrypted == {"live/dev": Outcome.FAILED, "live/prod": Outcome.PASSED}
    types = {each.scope: each.attributes["type"] for each in result().resources}
    assert types == {"live/dev": "gp2", "live/prod": "gp3"}


def test_what_only_terragrunt_knows_is_named_with_its_line() -> None:
    gaps = {(gap.scope, gap.line): gap.reason for gap in result().gaps}
    assert "defaults are used: replicas." in gaps["live/prod", 10]
    assert "includes" in gaps["live/prod", None]
    assert "git::https://x.invalid/m.git" in gaps["live/far", 2]
    assert gaps["live/base", 2].startswith("Only Terragrunt knows which module it uses")
    shared = coverage_of(result(), "terragrunt.hcl")
    assert shared.status is CoverageStatus.NOT_ASSESSED


def test_an_input_is_no_template_for_the_engines() -> None:
    told = read_terragrunt(
        'inputs = {\n  a = "$${file(\\"/etc/passwd\\")}"\n}\n', path="terragrunt.hcl"
    )
    assert b"${file" not in told.variable_file().replace(b"$${", b"")
