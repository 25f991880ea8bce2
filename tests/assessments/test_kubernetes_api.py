"""Manifests against the API of one version of Kubernetes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from assessments.agents import AGENTS
from assessments.agents.types import AgentInput, Severity
from assessments.scan.merge import ScanResult
from assessments.scan.types import CheckResult
from tests.assessments.scanning import WARM, files_of, scan

MANIFESTS = """\
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: old}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  annotations: {released: 2024-01-01}
spec:
  replica: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: nginx:1.27
          ports:
            - containerPort: "hunter2hunter2"
---
apiVersion: apps/v2
kind: Deployment
metadata: {name: wrong}
---
apiVersion: example.org/v1
kind: Widget
metadata: {name: own}
spec: {anything: 1}
---
apiVersion: v1
kind: List
items:
  - apiVersion: autoscaling/v2beta2
    kind: HorizontalPodAutoscaler
    metadata: {name: scale, namespace: shop}
"""
PATCH = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replica: 3}\n"


@cache
def result(version: str = "") -> ScanResult:
    files = files_of(**{"k8s/all.yaml": MANIFESTS})
    sandbox = replace(WARM, kubernetes_version=version)
    return scan(files, sandbox=sandbox, engines=["kubernetes-validate"])


def found(told: ScanResult) -> dict[tuple[str, str], CheckResult]:
    return {(each.rule, each.resource): each for each in told.checks}


def test_removed_apis_unknown_fields_and_wrong_types_are_found_with_their_lines() -> None:
    assert {key: each.focus for key, each in found(result()).items()} == {
        ("KUBE-REMOVED", "Ingress/default/old"): 1,
        ("KUBE-FIELD", "Deployment/default/web"): 11,
        ("KUBE-SCHEMA", "Deployment/default/web"): 22,
        ("KUBE-UNKNOWN", "Deployment/default/wrong"): None,
        ("KUBE-REMOVED", "HorizontalPodAutoscaler/shop/scale"): 36,
    }
    removed = found(result())["KUBE-REMOVED", "Ingress/default/old"]
    assert removed.title == "Ingress of extensions/v1beta1 was removed in Kubernetes 1.22"
    assert removed.remediation == "Use networking.k8s.io/v1."
    field = found(result())["KUBE-FIELD", "Deployment/default/web"]
    assert field.title.startswith("Deployment: spec has no field replica in Kubernetes 1.")


def test_an_older_version_still_has_what_a_newer_one_removed() -> None:
    scale = ("KUBE-REMOVED", "HorizontalPodAutoscaler/shop/scale")
    assert scale in found(result("1.26"))
    assert scale not in found(result("1.25"))


def test_no_value_of_the_upload_is_in_what_is_said() -> None:
    titles = [each.title for each in result().checks]
    assert not any("hunter2" in title for title in titles)


def test_a_patch_that_is_not_applied_is_no_whole_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    files = {
        "base/web.yaml": PATCH.replace("replica", "replicas"),
        "base/patch.yaml": PATCH,
        "base/kustomization.yaml": "resources: [web.yaml]\npatches:\n  - path: patch.yaml\n",
    }
    told = scan(files_of(**files), engines=["checkov"])
    problems = [each for each in told.checks if each.engine == "kubernetes-validate"]
    assert {each.file for each in problems} == {"base/web.yaml"}
    assert {each.rule for each in problems} == {"KUBE-SCHEMA"}


def test_what_a_chart_makes_is_compared_at_its_template() -> None:
    template = "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata:\n  name: {{ .Release.Name }}\n"
    files = {
        "c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n",
        "c/templates/j.yaml": template,
    }
    told = scan(files_of(**files), engines=["checkov"])
    removed = found(told)["KUBE-REMOVED", "CronJob/default/release-name"]
    assert (removed.file, removed.focus) == ("c/templates/j.yaml", 1)


@pytest.mark.parametrize("agent", ["operations"])
def test_operations_lists_a_removed_api_as_high(agent: str) -> None:
    data = AgentInput(scopes=result().scopes, checks=result().checks, coverage=result().coverage)
    answer = AGENTS[agent].run(data, lambda done, total, message: None)
    (removed, *_) = [each for each in answer.findings if each.rule == "KUBE-REMOVED"]
    assert removed.severity is Severity.HIGH
