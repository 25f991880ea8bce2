"""Modules in .terraform/modules: followed where a call leads to them, and nowhere else."""

from __future__ import annotations

import io
import json
import zipfile
from functools import cache

import pytest

from assessments.scan.classify import classify
from assessments.scan.intake import read_upload
from assessments.scan.merge import ScanResult
from assessments.scan.scopes import scopes_of
from assessments.scan.types import CheckResult, CoverageStatus, FileKind, Outcome
from tests.assessments.scanning import files_of, scan

ROOT = """\
module "data" {
  source  = "acme/disk/aws"
  version = "1.2.3"
  size    = 3
}
module "more" {
  source = "acme/disk/aws"
  version = "1.2.3"
  size   = 1
}
module "far" {
  source  = "acme/queue/aws"
  version = "~> 2.0"
}
module "old" {
  source  = "acme/topic/aws"
  version = "3.0.0"
}
resource "aws_ebs_snapshot" "one" {
  volume_id = module.data.volume
}
"""
DISK = """\
variable "size" { default = 0 }
resource "aws_ebs_volume" "this" {
  count             = var.size
  availability_zone = "eu-west-1a"
  size              = 10
  encrypted         = false
}
module "key" {
  source = "git::https://example.org/key.git"
}
output "volume" { value = aws_ebs_volume.this[0].id }
"""
KEY = 'resource "aws_kms_key" "this" {\n  enable_key_rotation = false\n}\n'
EXAMPLE = 'resource "aws_s3_bucket" "example" {}\nmodule "x" {\n  source = "../../"\n}\n'


def entry(key: str, source: str, version: str, folder: str) -> dict[str, str]:
    return {"Key": key, "Source": source, "Version": version, "Dir": folder}


REGISTRY = "registry.terraform.io/acme"
MANIFEST = json.dumps(
    {
        "Modules": [
            {"Key": "", "Source": "", "Dir": "."},
            entry("data", f"{REGISTRY}/disk/aws", "1.2.3", ".terraform/modules/data"),
            entry("data.key", "git::https://example.org/key.git", "", ".terraform/modules/key"),
            entry("more", f"{REGISTRY}/disk/aws", "1.2.3", ".terraform\\modules\\more"),
            entry("more.key", "git::https://example.org/key.git", "", ".terraform/modules/key2"),
            entry("old", f"{REGISTRY}/topic/aws", "2.9.0", ".terraform/modules/old"),
            entry("evil", "x/y/z", "", "../../etc"),
        ]
    }
)
INSTALLED = {
    ".terraform/modules/modules.json": MANIFEST,
    ".terraform/modules/data/main.tf": DISK,
    ".terraform/modules/data/examples/all/main.tf": EXAMPLE,
    ".terraform/modules/data/.git/config": "x",
    ".terraform/modules/data/Dockerfile": "FROM x",
    ".terraform/modules/more/main.tf": DISK,
    ".terraform/modules/key/main.tf": KEY,
    ".terraform/modules/key2/main.tf": KEY,
    ".terraform/modules/old/main.tf": KEY,
    ".terraform/providers/big": "x",
}


def archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
        link = zipfile.ZipInfo(".terraform/providers/link")
        link.external_attr = 0o120777 << 16
        packed.writestr(link, "/somewhere")
    return buffer.getvalue()


@cache
def result() -> ScanResult:
    files = {"main.tf": ROOT, **INSTALLED}
    kept = read_upload([("a.zip", archive({f"live/{each}": files[each] for each in files}))])
    return scan(kept, engines=["checkov", "tfparse"])


def found(rule: str) -> list[CheckResult]:
    return [each for each in result().checks if each.rule == rule]


def test_only_modules_that_are_called_are_kept_of_terraforms_own_folder() -> None:
    files = read_upload([("a.zip", archive({"main.tf": ROOT, **INSTALLED}))])
    assert [file.path for file in files] == [
        ".terraform/modules/data/main.tf",
        ".terraform/modules/key/main.tf",
        ".terraform/modules/modules.json",
        ".terraform/modules/old/main.tf",
        "main.tf",
    ]


def test_without_a_manifest_nothing_of_the_folder_is_kept() -> None:
    files = {name: text for name, text in INSTALLED.items() if not name.endswith(".json")}
    kept = read_upload([("a.zip", archive({"main.tf": ROOT, **files}))])
    assert [file.path for file in kept] == ["main.tf"]


def test_installed_modules_are_part_of_the_root_that_calls_them() -> None:
    files = files_of(**{"live/main.tf": ROOT, **{f"live/{k}": v for k, v in INSTALLED.items()}})
    (scope, *rest) = scopes_of([classify(file) for file in files])
    assert scope.key == "live"
    assert "live/.terraform/modules/key/main.tf" in scope.paths
    assert [each.key for each in rest] == ["repository"]


def test_their_resources_are_counted_with_the_inputs_of_each_call() -> None:
    addresses = sorted(each.address for each in result().resources if each.type != "provider")
    assert addresses == [
        "aws_ebs_snapshot.one",
        "module.data.aws_ebs_volume.this[0]",
        "module.data.aws_ebs_volume.this[1]",
        "module.data.aws_ebs_volume.this[2]",
        "module.data.module.key.aws_kms_key.this",
        "module.more.aws_ebs_volume.this[0]",
        "module.more.module.key.aws_kms_key.this",
    ]


def test_findings_in_them_name_the_module_and_its_file() -> None:
    rows = [each for each in found("CKV_AWS_3") if each.outcome is Outcome.FAILED]
    assert {each.resource for each in rows} == {
        "module.data.aws_ebs_volume.this",
        "module.more.aws_ebs_volume.this",
    }
    assert {(each.scope, each.file) for each in rows} == {
        ("live", "live/.terraform/modules/data/main.tf")
    }
    keys = {each.resource for each in found("CKV_AWS_7")}
    assert keys == {
        "module.data.module.key.aws_kms_key.this",
        "module.more.module.key.aws_kms_key.this",
    }


def test_calls_keep_the_checks_of_their_source() -> None:
    sources = {each.resource: each.outcome for each in found("CKV_TF_1")}
    assert {"data", "far", "module.data.key"} <= set(sources), sources


def test_what_is_not_installed_or_another_version_is_a_gap() -> None:
    reasons = {gap.line: gap.reason for gap in result().gaps if gap.path == "live/main.tf"}
    assert "acme/queue/aws is not in the upload" in reasons[12]
    assert "acme/topic/aws 3.0.0 is not installed" in reasons[16]
    assert "2.9.0 is" in reasons[16]


def test_a_module_that_nothing_calls_is_no_gap_of_the_root() -> None:
    (gap,) = [gap for gap in result().gaps if gap.path.endswith("/old/main.tf")]
    assert (gap.kind, gap.status) == (FileKind.UNKNOWN, CoverageStatus.NOT_ASSESSED)
    assert [scope.key for scope in result().scopes] == ["live"]


@pytest.mark.parametrize(
    "manifest",
    ['{"Modules": 5}', '{"Modules": {"Key": "a"}}', '{"Modules": [1, {"Dir": [2]}]}', "[" * 99_999],
    ids=["number", "object", "entries", "deep"],
)
def test_a_manifest_of_another_shape_leads_to_nothing(manifest: str) -> None:
    """A number in place of the list ended the upload with an error of the server."""
    files = {".terraform/modules/modules.json": manifest, ".terraform/modules/a/main.tf": "x = 1"}
    kept = read_upload([(path, text.encode()) for path, text in {**files, "a.tf": ""}.items()])
    assert [file.path for file in kept] == ["a.tf"]
