"""Kustomize overlays: built where a program for that is installed; otherwise the manifests that
they list, and never a patch."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from assessments.scan.classify import classify
from assessments.scan.merge import ScanResult
from assessments.scan.overlaid import declared_in, line_of, source_of
from assessments.scan.programs import overlay_programs
from assessments.scan.sandbox import LEVELS, Level
from assessments.scan.scanner import overlay
from assessments.scan.scopes import scopes_of
from assessments.scan.types import CoverageStatus, Outcome
from tests.assessments.scanning import PLAIN, coverage_of, files_of, probe_all, scan

needs_kustomize = pytest.mark.skipif(
    not overlay_programs(), reason="neither kustomize nor kubectl is installed"
)
WEB = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      hostNetwork: true
      containers:
        - name: web
          securityContext:
            privileged: false
          image: nginx
"""
PATCH = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
        - name: web
          securityContext:
            privileged: true
"""
FILES = {
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "base/web.yaml": WEB,
    "prod/kustomization.yaml": (
        "resources: [../base]\nnamePrefix: prod-\nnamespace: shop\npatches:\n  - path: more.yaml\n"
        "replicas:\n  - {name: web, count: 3}\nsecretGenerator:\n  - name: keys\n"
        "    envs: [keys.env]\n"
    ),
    "prod/more.yaml": PATCH,
    "prod/keys.env": "TOKEN=hunter2hunter2\n",
}
REFUSED = {
    "charts": "helmCharts:\n  - {name: x, repo: 'https://x.invalid', version: 1.0.0}\n",
    "remote": "resources: [web.yaml, 'https://x.invalid/a.yaml']\n",
    "above": "resources: [web.yaml, ../base/web.yaml]\n",
    "command": (
        "resources: [web.yaml]\ngenerators:\n  - |-\n    apiVersion: v1\n    kind: X\n"
        "    metadata:\n      name: x\n      annotations:\n"
        "        config.kubernetes.io/function: 'exec: {path: /usr/bin/id}'\n"
    ),
}


@cache
def result() -> ScanResult:
    return scan(files_of(**FILES), engines=["checkov", "resources", "kubernetes-validate"])


def without_programs(monkeypatch: pytest.MonkeyPatch) -> ScanResult:
    monkeypatch.setenv("PATH", "/nonexistent")
    return scan(files_of(**FILES), engines=["checkov", "resources", "kubernetes-validate"])


def test_an_overlay_is_one_scope_with_its_base() -> None:
    scopes = scopes_of([*map(classify, files_of(**FILES))])
    assert {scope.key: scope.paths for scope in scopes} == {
        "prod/kustomization.yaml": sorted(FILES)
    }


@needs_kustomize
def test_what_is_assessed_is_what_would_be_deployed() -> None:
    found = {each.address: each for each in result().resources}
    assert sorted(each.split("-k8s")[0][:22] for each in found) == [
        "Deployment/shop/prod-w",
        "Secret/shop/prod-keys-",
        "Service/shop/prod-web",
    ]
    assert found["Deployment/shop/prod-web"].attributes["spec"]["replicas"] == 3
    assert "origin" not in str(found["Deployment/shop/prod-web"].attributes["metadata"])
    assert {gap.path for gap in result().gaps} == {"prod/keys.env"}


@needs_kustomize
def test_a_finding_is_at_the_line_of_the_base_or_of_the_patch_that_decided() -> None:
    failed = {each.rule: each for each in result().checks if each.outcome is Outcome.FAILED}
    network, privileged = failed["CKV_K8S_19"], failed["CKV_K8S_16"]
    assert (network.file, network.focus, network.line_start) == ("base/web.yaml", 16, 6)
    assert (privileged.file, privileged.focus) == ("prod/more.yaml", 11)
    assert [line.text.strip() for line in privileged.evidence if line.number == 11] == [
        "privileged: true"
    ]
    assert network.resource == "Deployment/shop/prod-web"


@needs_kustomize
@pytest.mark.parametrize("level", [level for level in LEVELS[:-1] if level not in probe_all()])
def test_it_is_the_same_at_every_level_of_the_sandbox(level: Level) -> None:
    here = scan(files_of(**FILES), sandbox=replace(PLAIN, level=level), engines=["checkov"])
    assert here.checks == result().checks


@needs_kustomize
def test_a_generated_secret_is_in_nothing_that_is_kept() -> None:
    assert b"aHVudGVyMmh1bnRlcjI" not in result().to_json()
    assert b"hunter2" not in result().to_json()


@needs_kustomize
@pytest.mark.parametrize("name", sorted(REFUSED))
def test_nothing_is_fetched_run_or_read_from_elsewhere(name: str) -> None:
    files = {"o/kustomization.yaml": REFUSED[name], "o/web.yaml": WEB, "base/web.yaml": WEB}
    told = scan(files_of(**files), engines=["checkov"])
    gap = coverage_of(told, "o/kustomization.yaml")
    assert gap.status is CoverageStatus.PARTLY_READ
    reasons = " ".join(each.reason for each in told.gaps)
    assert "Kustomize could not build this overlay" in reasons
    assert "/home/" not in reasons and "uid=" not in told.to_json().decode()
    if name != "charts":
        assert any(each.file == "o/web.yaml" for each in told.checks)


def test_without_a_program_the_manifests_are_assessed_as_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = without_programs(monkeypatch)
    assert {each.address for each in told.resources} == {
        "Deployment/default/web",
        "Service/default/web",
    }
    assert {each.file for each in told.checks} == {"base/web.yaml"}
    network = next(each for each in told.checks if each.rule == "CKV_K8S_19")
    assert (network.focus, network.line_start, network.line_end) == (16, 6, 21)
    gap = coverage_of(told, "prod/kustomization.yaml")
    assert "installed" in gap.reason and "patches" in gap.reason and "replicas" in gap.reason
    assert coverage_of(told, "prod/more.yaml").status is CoverageStatus.NOT_ASSESSED


def test_charts_and_plugins_stay_off() -> None:
    for program in (["kustomize", "/k"], ["kubectl", "/k"]):
        words = overlay.arguments(program, "prod")
        assert words[1] == {"kustomize": "build", "kubectl": "kustomize"}[program[0]]
        assert "--load-restrictor=LoadRestrictionsRootOnly" in words
        assert not any("enable" in word for word in words)


def test_a_program_elsewhere_is_known_by_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").write_text("")
    (tmp_path / "real").chmod(0o755)
    (tmp_path / "kustomize").symlink_to("real")
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + "/nonexistent")
    assert overlay_programs() == [["kustomize", str(tmp_path / "real")]]


def test_an_object_is_recognized_by_kind_and_the_longest_part_of_its_name() -> None:
    objects = "".join(
        f"---\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{port: {number}}}\n"
        for number, (kind, name) in enumerate(
            [("Service", "web"), ("Service", "web-admin"), ("Pod", "web")]
        )
    )
    sources = declared_in("a.yaml", objects)
    (made,) = declared_in(
        "b.yaml", "kind: Service\nmetadata: {name: x-web-admin}\nspec:\n  port: 1\n"
    )
    source = source_of(made, sources)
    assert source is not None and source.name == "web-admin"
    assert line_of(made, 4, [source]) == (source, 8)
    (other,) = declared_in("b.yaml", "kind: Service\nmetadata: {name: web}\nspec:\n  port: 7\n")
    assert line_of(other, 4, sources) is None
