"""Helm charts: rendered with their values, a scope per values file, findings in templates."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from assessments.scan.classify import classify
from assessments.scan.merge import ScanResult, merge
from assessments.scan.rendered import Origin
from assessments.scan.scope_kinds.helm import MAX_VALUES_FILES
from assessments.scan.scopes import scopes_of
from assessments.scan.types import CheckResult, CoverageStatus, Outcome
from tests.assessments.scanning import coverage_of, files_of, scan

CHART = "apiVersion: v2\nname: web\nversion: 0.1.0\n"
DEPLOYMENT = """\
{{- define "unused" }}{{ end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-web
  labels:
    {{- include "web.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      hostNetwork: true
      containers:
        - name: web
          image: "{{ .Values.image }}"
          securityContext:
            privileged: {{ .Values.privileged }}
"""
SECRET = """\
{{- if .Values.secret }}
apiVersion: v1
kind: Secret
metadata:
  name: keys
data:
  token: {{ .Values.secret | b64enc }}
{{- end }}
"""
FILES = {
    "chart/Chart.yaml": CHART,
    "chart/values.yaml": (
        "image: nginx:latest\nprivileged: false\nreplicas: 1\nsecret: hunter2hunter2\n"
    ),
    "chart/values-prod.yaml": "privileged: true\nreplicas: 3\n",
    "chart/templates/_helpers.tpl": '{{- define "web.labels" -}}\napp: web\n{{- end }}\n',
    "chart/templates/web.yaml": DEPLOYMENT,
    "chart/templates/secret.yaml": SECRET,
    "chart/templates/plain.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: plain}\n",
    "chart/templates/NOTES.txt": "Hello {{ .Release.Name }}\n",
}
DEFAULT, PROD = "chart/Chart.yaml", "chart/Chart.yaml:values-prod.yaml"
PRIVILEGED = "CKV_K8S_16"


@cache
def result() -> ScanResult:
    return scan(files_of(**FILES), engines=["checkov", "resources"])


def check_of(rule: str, scope: str) -> CheckResult:
    (found,) = [
        each
        for each in result().checks
        if (each.rule, each.scope, each.file) == (rule, scope, "chart/templates/web.yaml")
    ]
    return found


def test_a_chart_is_a_scope_with_its_own_values_and_one_with_each_other_values_file() -> None:
    assert {scope.key for scope in scopes_of([*map(classify, files_of(**FILES))])} == {
        DEFAULT,
        PROD,
    }
    assert check_of(PRIVILEGED, DEFAULT).outcome is Outcome.PASSED
    assert check_of(PRIVILEGED, PROD).outcome is Outcome.FAILED
    replicas = {
        each.scope: each.attributes["spec"]["replicas"]
        for each in result().resources
        if each.type == "Deployment"
    }
    assert replicas == {DEFAULT: 1, PROD: 3}


def test_the_values_that_a_chart_is_rendered_with_are_read() -> None:
    for path in ("chart/values.yaml", "chart/values-prod.yaml"):
        assert coverage_of(result(), path).status is CoverageStatus.READ, path


def test_values_files_past_the_limit_are_a_gap_of_the_chart() -> None:
    extra = {f"chart/values-{n:02}.yaml": "replicas: 2\n" for n in range(1, MAX_VALUES_FILES + 2)}
    merged = merge([], files=files_of(**FILES, **extra))
    (gap,) = [each for each in merged.gaps if each.path == DEFAULT]
    assert gap.status is CoverageStatus.PARTLY_READ
    assert "chart/values-21.yaml and 1 more" in gap.reason


def test_a_finding_shows_the_template_it_comes_from() -> None:
    network = check_of("CKV_K8S_19", DEFAULT)
    assert (network.focus, DEPLOYMENT.splitlines()[15].strip()) == (16, "hostNetwork: true")
    assert any("hostNetwork: true" in line.text and line.number == 16 for line in network.evidence)
    assert network.line_start <= 16 <= network.line_end


def test_a_line_that_a_value_made_is_named_by_the_range_it_lies_in() -> None:
    privileged = check_of(PRIVILEGED, PROD)
    assert privileged.focus is None
    assert privileged.line_start <= 21 <= privileged.line_end
    assert all(
        DEPLOYMENT.splitlines()[line.number - 1] == line.text for line in privileged.evidence
    )


def test_a_plain_manifest_among_the_templates_is_rendered_with_them_and_read_once() -> None:
    plain = [each for each in result().resources if each.name == "plain"]
    assert sorted(each.scope for each in plain) == [DEFAULT, PROD]


def test_a_secret_that_a_template_makes_is_in_nothing_that_is_kept() -> None:
    assert any(each.type == "Secret" for each in result().resources)
    text = result().to_json().decode()
    assert "hunter2" not in text
    assert "aHVudGVyMmh1bnRlcjI" not in text


def test_all_files_of_a_rendered_chart_are_read() -> None:
    for path in ("chart/templates/web.yaml", "chart/templates/secret.yaml", "chart/Chart.yaml"):
        assert coverage_of(result(), path).status is CoverageStatus.READ


def failing(**changes: str) -> ScanResult:
    return scan(files_of(**{**FILES, **changes}), engines=["checkov", "resources"])


def test_a_chart_that_helm_refuses_is_a_gap_in_helms_words() -> None:
    told = failing(
        **{"chart/templates/web.yaml": '{{ required "an image is needed" .Values.nothing }}\n'}
    )
    chart = coverage_of(told, DEFAULT)
    assert chart.status is CoverageStatus.FAILED
    assert "an image is needed" in chart.reason
    for path in ("chart/templates/web.yaml", "chart/templates/plain.yaml"):
        assert coverage_of(told, path).status is CoverageStatus.NOT_ASSESSED
    assert [each for each in told.checks if each.file.startswith("chart/templates")] == []


def test_a_dependency_that_is_not_vendored_is_a_gap_with_its_line() -> None:
    needs = CHART + "dependencies:\n  - name: redis\n    version: 18.x\n    repository: https://x\n"
    vendored = {
        "chart/charts/redis/Chart.yaml": CHART.replace("web", "redis"),
        "chart/charts/redis/templates/a.yaml": FILES["chart/templates/plain.yaml"],
    }
    files = {**FILES, "chart/Chart.yaml": needs}
    gap = next(g for g in scan(files_of(**files), engines=["x"]).gaps if g.path == DEFAULT)
    assert (gap.line, "redis" in gap.reason) == (5, True)
    assert not [g for g in scan(files_of(**files, **vendored), engines=["x"]).gaps if g.scope]


def test_a_template_without_its_chart_is_scanned_by_no_engine() -> None:
    told = scan(files_of(**{"templates/web.yaml": DEPLOYMENT}), engines=["checkov"])
    entry = coverage_of(told, "templates/web.yaml")
    assert (entry.status, told.checks) == (CoverageStatus.NOT_ASSESSED, [])
    assert "Chart.yaml" in entry.reason


def test_a_chart_without_end_ends_as_a_gap_beside_a_sound_one() -> None:
    """Within the scanner's limits of memory and time."""
    bomb = '{{- $x := repeat 400000000 "a" }}\n{{- range $i := until 1000 }}{{ $x }}{{ end }}\n'
    told = scan(
        files_of(**FILES, **{"z/Chart.yaml": CHART, "z/templates/a.yaml": bomb}),
        engines=["checkov"],
    )
    assert coverage_of(told, "z/Chart.yaml").status is not CoverageStatus.READ
    assert any(each.scope == PROD for each in told.checks)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "d", "{{ x }}", ""]), max_size=14), st.data())
def test_ranges_never_leave_the_template_and_anchors_keep_their_order(
    template: list[str], data: Any
) -> None:
    rendered = data.draw(st.lists(st.sampled_from(["a", "b", "c", "d", "e", ""]), max_size=14))
    origin = Origin(template=template, rendered=rendered)
    lines = [line for n in range(1, 15) if (line := origin.line(n))]
    assert all(before < after for before, after in pairwise(lines))
    for start in range(1, 15):
        first, last = origin.span(start, start + 2)
        assert 1 <= first <= last <= max(1, len(template))
        known = origin.line(start)
        assert known is None or first == known


def test_a_chart_does_not_say_in_which_namespace_it_is_installed() -> None:
    assert not [each for each in result().checks if each.rule == "CKV_K8S_21"]
