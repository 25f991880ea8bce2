"""Anything that is not assessed is reported, with what to upload instead."""

from __future__ import annotations

import pytest

from assessments.scan.classify import classify
from assessments.scan.types import SEARCHED, CoverageStatus, FileKind
from tests.assessments.scanning import files_of


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("cdk.json", '{"app": "npx ts-node"}', "cdk synth"),
        ("infra/cdktf.json", "{}", "cdktf synth"),
        ("Pulumi.yaml", "name: shop\nruntime: python\n", "Pulumi"),
        ("Pulumi.prod.yaml", "config: {}\n", "Pulumi"),
        ("serverless.yml", "service: a\nfunctions: {}\n", "serverless package"),
        ("helmfile.yaml", "releases:\n{{- range .Values.x }}\n", "helmfile template"),
        ("skaffold.yaml", "apiVersion: skaffold/v4\nkind: Config\n", "skaffold render"),
        ("Jenkinsfile", "pipeline { agent any }", "Jenkins"),
        ("jobs/web.nomad.hcl", 'job "web" {}', "Nomad"),
        ("image.pkr.hcl", 'source "amazon-ebs" "x" {}', "Packer"),
        ("Vagrantfile", "Vagrant.configure", "Vagrant"),
        ("bitbucket-pipelines.yml", "pipelines: {}\n", "GitLab CI"),
        ("terraform.tfstate", '{"version": 4}', "terraform show -json"),
        ("main.jsonnet", "{}", "jsonnet"),
    ],
)
def test_a_file_of_a_tool_that_is_not_assessed_says_what_to_upload(
    path: str, text: str, words: str
) -> None:
    (file,) = files_of(**{path: text})
    item = classify(file)
    assert item.gap is not None
    assert (item.kind, item.gap.status) == (FileKind.UNKNOWN, CoverageStatus.NOT_ASSESSED)
    assert words in item.gap.reason and SEARCHED in item.gap.reason


def test_a_binary_plan_says_how_to_get_one_that_is_read() -> None:
    (file,) = files_of(**{"prod.tfplan": b"PK\x03\x04\xff\x00"})
    gap = classify(file).gap
    assert gap is not None and "terraform show -json" in gap.reason and SEARCHED not in gap.reason


def test_crossplane_alone_is_no_pass() -> None:
    text = "apiVersion: s3.aws.upbound.io/v1beta1\nkind: Bucket\nmetadata: {name: a}\n"
    service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\n"
    alone, mixed = (classify(*files_of(**{"a.yaml": each})) for each in (text, text + service))
    assert alone.gap is not None and "Crossplane" in alone.gap.reason
    assert (alone.kind, mixed.gap) == (FileKind.KUBERNETES, None)


@pytest.mark.parametrize("path", ["cdk.json.tf", "data.json", "pulumi/main.tf"])
def test_other_names_are_not_taken_for_such_a_tool(path: str) -> None:
    (file,) = files_of(**{path: "{}"})
    gap = classify(file).gap
    assert gap is None or "upload" not in gap.reason.lower()
