"""Anything that is not assessed is reported, with what to upload instead."""

from __future__ import annotations

import pytest

from assessments.models import AssessmentRun
from assessments.pages.run_page import coverage
from assessments.scan.classify import classify
from assessments.scan.intake import InputFile
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


RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: shop}
spec: {chart: {spec: {chart: shop, sourceRef: {kind: %s, name: x}}}}
"""
APPLICATION = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {source: {%s}}\n"


@pytest.mark.parametrize(
    ("text", "is_gap"),
    [
        (RELEASE % "HelmRepository", True),
        ("apiVersion: v1\nkind: Service\n---\n" + RELEASE % "OCIRepository", True),
        (RELEASE % "GitRepository", False),
        (APPLICATION % "chart: shop, repoURL: https://a.example", True),
        (APPLICATION % "path: apps/shop, repoURL: https://a.example", False),
    ],
)
def test_a_chart_that_is_installed_from_elsewhere_is_a_gap(text: str, is_gap: bool) -> None:
    gap = classify(*files_of(**{"a.yaml": text})).gap
    assert (gap is not None) is is_gap
    if gap is not None:
        assert gap.status is CoverageStatus.PARTLY_READ and "chart" in gap.reason


def test_a_workflow_named_like_a_linters_settings_is_a_workflow() -> None:
    text = "on: push\njobs: {a: {runs-on: x, steps: [{run: make}]}}\n"
    item = classify(*files_of(**{".github/workflows/zizmor.yml": text}))
    assert (item.kind, item.gap) == (FileKind.GITHUB_ACTIONS, None)
    assert classify(*files_of(**{".github/zizmor.yml": "rules: {}\n"})).gap is not None


@pytest.mark.parametrize(
    "text", ["# nothing yet\n", "include: [web.yaml]\n", "services:\nvolumes: {data: {}}\n"]
)
def test_a_compose_file_needs_no_services(text: str) -> None:
    item = classify(*files_of(**{"compose.yaml": text}))
    assert (item.kind, item.gap) == (FileKind.COMPOSE, None)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nginx.conf.template", "location / {\n  root /srv;\n}\n"),
        (".vscode/settings.json", '{\n  // as everyone\n  "a": 1,\n}\n'),
    ],
)
def test_what_was_never_meant_to_be_read_has_not_failed(path: str, text: str) -> None:
    gap = classify(*files_of(**{path: text})).gap
    assert gap is not None and gap.status is CoverageStatus.NOT_ASSESSED


def test_values_with_placeholders_are_no_template_without_a_chart() -> None:
    text = 'name: "{{ .Release.Name }}-x"\nother: {{- .Values.a }}\n'
    item = classify(*files_of(**{"chart/ci/templates-values.yaml": text}))
    assert item.kind is FileKind.UNKNOWN


@pytest.mark.parametrize("path", ["cdk.json.tf", "data.json", "pulumi/main.tf"])
def test_other_names_are_not_taken_for_such_a_tool(path: str) -> None:
    (file,) = files_of(**{path: "{}"})
    gap = classify(file).gap
    assert gap is None or "upload" not in gap.reason.lower()


def test_placeholders_of_another_program_are_not_taken_for_a_chart() -> None:
    pipeline = "trigger:\n- {{ branch }}\nsteps:\n- script: make\n"
    (file,) = files_of(**{"templates/build.yml": pipeline})
    told = classify(file).coverage()
    assert (told.kind, told.status) == (FileKind.UNKNOWN, CoverageStatus.NOT_ASSESSED)
    assert "placeholders" in told.reason and SEARCHED in told.reason
    for helm in ("{{ .Values.x }}\n", "apiVersion: v1\nkind: Pod\nx: {{ name }}\n"):
        (file,) = files_of(**{"templates/build.yml": helm})
        assert classify(file).kind is FileKind.KUBERNETES


def test_the_page_puts_what_should_have_been_read_before_what_nothing_reads() -> None:
    names = ("LICENSE", "a.tf", "cdk.json", "b.tf")
    rows = [classify(file).coverage() for file in files_of(**dict.fromkeys(names, "{}"))]
    failed = [row.replace(status=CoverageStatus.FAILED) for row in rows if row.path == "b.tf"]
    run = AssessmentRun(coverage=[row.to_builtins() for row in [*rows[:2], *failed, rows[3]]])
    shown = coverage(run)
    assert [file["path"] for file, _ in shown["gaps"]] == ["b.tf", "cdk.json"]
    assert [file["path"] for file in shown["others"]] == ["LICENSE"]


def test_the_clients_own_options_are_no_unsupported_file() -> None:
    gap = classify(InputFile.of(".infra-mind.toml", b"")).gap
    assert gap is not None
    assert gap.reason == "Options of the infra-mind command line, only searched for secrets."
