"""The Helm chart: it renders what Kubernetes accepts, runs what Compose runs, and passes our own
assessment, as do docker-compose.yml and the Dockerfile."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml
from prometheus_client import generate_latest

import infra_mind.metrics  # noqa: F401
from assessments.agents.security import run as assess_security
from assessments.agents.types import AgentInput, Severity
from infra_mind import supervisor
from tests.assessments.scanning import files_of, scan
from tests.scraping import of, parsed

ROOT = Path(__file__).parents[1]
CHART = ROOT / "deploy" / "helm" / "infra-mind"
SCALED = {"worker": {"autoscaling": {"enabled": True}}}
PROCESSES = {"web": "web", "worker": "worker1", "priority": "priority"} | {
    name: name for name in ("reconciler", "beat")
}


def rendered(values: dict[str, Any] | None = None) -> str:
    with helm_python.Chart.load(str(CHART)) as chart:
        texts = chart.render(values or {}, name="im", namespace="prod")
    return "\n---\n".join(texts.values())


def objects(values: dict[str, Any] | None = None) -> dict[tuple[str, str], dict[str, Any]]:
    found = [each for each in yaml.safe_load_all(rendered(values)) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def pods() -> dict[str, dict[str, Any]]:
    return {
        name.removeprefix("im-"): each["spec"]["template"]["spec"]
        for (kind, name), each in objects().items()
        if kind in {"Deployment", "Job"}
    }


@pytest.mark.parametrize("values", [{}, SCALED, {"ingress": {"enabled": False}}])
def test_what_it_renders_is_valid(values: dict[str, Any]) -> None:
    found = objects(values)
    assert len(found) > 12
    for each in found.values():
        if not each["apiVersion"].startswith("keda.sh/"):
            kubernetes_validate.validate(each, "1.33", strict=True)
    assert [m for m in helm_python.lint(str(CHART))["messages"] if m["severity"] > 1] == []


def test_its_processes_are_those_of_make_run() -> None:
    options = supervisor.Options(home=Path("/data"), host="0.0.0.0", workers=1, concurrency=2)  # noqa: S104
    commands = supervisor.process_commands(options)
    found = pods()
    assert found.keys() == {*PROCESSES, "migrate"}
    for part, process in PROCESSES.items():
        (container,) = found[part]["containers"]
        assert container["command"] == commands[process], part
        assert container["livenessProbe"] and container["readinessProbe"], part
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert found["web"]["containers"][0]["image"] == f"infra-mind:{version}"


def test_every_pod_is_without_privileges_and_bounded() -> None:
    for part, pod in pods().items():
        assert pod["automountServiceAccountToken"] is False, part
        assert pod["securityContext"]["runAsNonRoot"] is True, part
        (container,) = pod["containers"]
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True, part
        assert context["allowPrivilegeEscalation"] is False, part
        assert context["capabilities"] == {"drop": ["ALL"]}, part
        assert container["resources"]["limits"].keys() == {"cpu", "memory"}, part
        assert pod["terminationGracePeriodSeconds"] > 20, part


def test_migrations_come_first_and_a_drain_takes_one_pod_at_a_time() -> None:
    found = objects()
    hook = found["Job", "im-migrate"]["metadata"]["annotations"]["helm.sh/hook"]
    assert hook == "pre-install,pre-upgrade"
    for part in ("web", "worker", "priority", "reconciler"):
        assert found["PodDisruptionBudget", f"im-{part}"]["spec"]["maxUnavailable"] == 1
        labels = found["Deployment", f"im-{part}"]["spec"]["template"]["metadata"]["labels"]
        selector = found["PodDisruptionBudget", f"im-{part}"]["spec"]["selector"]["matchLabels"]
        assert selector.items() <= labels.items()
    assert found["Deployment", "im-beat"]["spec"]["strategy"] == {"type": "Recreate"}
    everything = found["NetworkPolicy", "im-all"]["spec"]
    assert everything["policyTypes"] == ["Ingress", "Egress"] and "ingress" not in everything


def test_workers_are_scaled_by_a_figure_that_metrics_has(db: None) -> None:
    found = objects(SCALED)
    assert "replicas" not in found["Deployment", "im-worker"]["spec"]  # KEDA sets it
    (trigger,) = found["ScaledObject", "im-worker"]["spec"]["triggers"]
    assert trigger["metadata"]["url"] == "http://im-web.prod.svc:8000/metrics"
    assert trigger["metadata"]["valueLocation"] == 'tasks_queue_waiting{queue="assessments"}'
    assert of(parsed(generate_latest().decode()), "tasks_queue_waiting", queue="assessments") >= 0


def test_our_own_assessment_finds_nothing_high_in_what_we_ship() -> None:
    files = files_of(
        **{
            "kubernetes/infra-mind.yaml": rendered(),
            "docker-compose.yml": (ROOT / "docker-compose.yml").read_text(),
            "Dockerfile": (ROOT / "Dockerfile").read_text(),
        }
    )
    result = scan(files)
    answer = assess_security(
        AgentInput(
            scopes=result.scopes,
            checks=result.checks,
            resources=result.resources,
            coverage=result.coverage,
        ),
        lambda *_: None,
    )
    assert len(result.checks) > 300
    serious = [
        f"{each.severity.name} {each.rule} {each.resource} {each.file}:{each.line}"
        for each in answer.findings
        if each.severity >= Severity.HIGH
    ]
    assert serious == []
