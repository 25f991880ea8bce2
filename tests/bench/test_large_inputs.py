"""Large inputs: 350 Kubernetes objects, and a repository of 2,000 files. How long, how responsive,
how much memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from django.contrib.auth.models import User

from assessments.models import AssessmentRun
from assessments.requirements import Requirements
from assessments.services import create_assessment, start_analysis
from tasks_ui.models import FINAL, State, TaskRun
from tests.stack import Kept, Stack, wait_until

MOST_MB, MOST_S = 400, 30
"""For 2,000 files on an idle machine with two cores: peak memory of one process of the application,
engines included, and the time from the start of the run to its last score."""

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{n}
  namespace: team-{team}
  labels: {{app: app-{n}}}
spec:
  replicas: {replicas}
  selector:
    matchLabels: {{app: app-{n}}}
  template:
    metadata:
      labels: {{app: app-{n}}}
    spec:
      containers:
        - name: app
          image: registry.example.com/team-{team}/app-{n}:1.{n}
          ports: [{{containerPort: 8080}}]
          resources:
            requests: {{cpu: 100m, memory: 128Mi}}
---
apiVersion: v1
kind: Service
metadata:
  name: app-{n}
  namespace: team-{team}
spec:
  selector: {{app: app-{n}}}
  ports: [{{port: 80, targetPort: 8080}}]
"""
TERRAFORM = """\
resource "aws_s3_bucket" "data_{n}" {{
  bucket = "data-{n}"
}}

resource "aws_instance" "worker_{n}" {{
  ami           = "ami-0a1b2c3d4e5f60718"
  instance_type = "m5.large"
}}
"""
COMPOSE = (
    "services:\n  web-{n}:\n    image: registry.example.com/web:{n}\n    ports: ['80{n:02}:80']\n"
)
DOCKERFILE = (
    "FROM python:3.12-slim\nRUN apt-get update && apt-get install -y curl\nCOPY . /app\nCMD python"
    " /app/{n}.py\n"
)


@dataclass
class Watched:
    """What was observed of one run while it was running."""

    run: AssessmentRun
    seconds: float = 0.0
    percents: list[int] = field(default_factory=list)
    most_mb: dict[str, float] = field(default_factory=dict)
    largest: str = ""

    def told(self) -> str:
        children = TaskRun.objects.filter(parent=self.run.task_id, stage="agents").order_by("title")
        own = ", ".join(f"{c.title} {_span(c):.1f} s" for c in children)
        memory = ", ".join(f"{name} {mb:.0f} MB" for name, mb in sorted(self.most_mb.items()))
        return (
            f"{self.seconds:.1f} s, {len(set(self.percents))} different percentages seen, "
            f"{self.run.shards.count()} shards\n  agents: {own}\n  largest process: {memory}\n"
            f"  the largest of all: {self.largest}"
        )


@pytest.fixture(scope="module", autouse=True)
def fresh_processes(django_db_setup: None, kept: Kept) -> None:
    """What earlier tests had a worker hold in memory is not this benchmark's."""
    kept.end()


def test_350_kubernetes_objects(
    shared_stack: Stack, alice: User, size: Callable[[int, int], int]
) -> None:
    count = size(20, 350)
    files = {
        f"k8s/app-{n}.yaml": DEPLOYMENT.format(n=n, team=n % 7, replicas=1 + n % 3)
        for n in range(count // 2)
    }
    watched = watch(shared_stack, alice, files)
    print(f"\n{count} Kubernetes objects: {watched.told()}")
    assert len(watched.run.resources) == count
    assert not watched.run.reports.filter(status__in=["", "failed"]).exists()


@pytest.mark.timeout(900)
def test_a_repository_of_2000_files(
    shared_stack: Stack, alice: User, size: Callable[[int, int], int]
) -> None:
    files = repository(size(60, 2000))
    watched = watch(shared_stack, alice, files)
    print(f"\n{len(files)} files: {watched.told()}")
    assert {row["path"] for row in watched.run.coverage} == set(files)
    assert watched.percents == sorted(watched.percents), "the bar went back"
    assert len(set(watched.percents)) >= 4
    assert max(watched.most_mb.values()) < MOST_MB, watched.largest
    assert watched.seconds < MOST_S * size(10, 1)
    assert not watched.run.reports.filter(status__in=["", "failed"]).exists()


def repository(count: int) -> dict[str, str]:
    """Out of ten files, four are Terraform in folders of ten, three are manifests, one each
    Compose, Dockerfile, text."""
    files: dict[str, str] = {}
    for n in range(count):
        match n % 10:
            case 0 | 1 | 2 | 3:
                files[f"infra/stack-{n // 100}/part-{n}.tf"] = TERRAFORM.format(n=n)
            case 4 | 5 | 6:
                files[f"k8s/team-{n % 7}/app-{n}.yaml"] = DEPLOYMENT.format(
                    n=n, team=n % 7, replicas=1 + n % 3
                )
            case 7:
                files[f"compose/{n}/compose.yaml"] = COMPOSE.format(n=n)
            case 8:
                files[f"images/{n}/Dockerfile"] = DOCKERFILE.format(n=n)
            case _:
                files[f"docs/{n}.md"] = f"# Part {n}\n"
    return files


def watch(stack: Stack, owner: User, files: dict[str, str]) -> Watched:
    """Run an assessment of ``files`` to its end, and check on it five times a second."""
    uploads = [(path, text.encode()) for path, text in files.items()]
    assessment = create_assessment(
        owner=owner, name="large", requirements=Requirements(), uploads=uploads
    )
    _forget_peaks(stack)
    started = time.monotonic()
    task = start_analysis(assessment, by=owner)
    watched = Watched(AssessmentRun.objects.get(task=task))
    while task.state not in FINAL:
        assert time.monotonic() - started < 600
        time.sleep(0.2)
        task.refresh_from_db()
        watched.percents.append(task.current)
        _weigh(stack, watched)
    watched.seconds = time.monotonic() - started
    assert task.state == State.SUCCESS, (task.error_code, task.error)
    _wait_for_the_rest()
    watched.run.refresh_from_db()
    return watched


def _members(stack: Stack) -> Iterator[tuple[str, psutil.Process]]:
    for process in [*stack.workers, stack["web"], stack["reconciler"]]:
        for member in process.family():
            yield process.name, member


def _forget_peaks(stack: Stack) -> None:
    """The processes may have worked for the test before: reset their peak marks."""
    for _, member in _members(stack):
        with contextlib.suppress(OSError):
            Path(f"/proc/{member.pid}/clear_refs").write_text("5")


def _weigh(stack: Stack, watched: Watched) -> None:
    """By process: the most memory that it, or an engine that it started, ever used."""
    for name, member in _members(stack):
        mb = _peak_mb(member.pid)
        if mb > max(watched.most_mb.values(), default=0):
            with contextlib.suppress(psutil.Error):
                watched.largest = f"{mb:.0f} MB, {' '.join(member.cmdline())}"[:200]
        watched.most_mb[name] = max(watched.most_mb.get(name, 0.0), mb)


def _peak_mb(pid: int) -> float:
    """The kernel's own high-water mark: no peak is missed between two samples."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return sum(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM"))
    return 0.0


def _wait_for_the_rest() -> None:
    """Recommendations and the report: no run outlives its test."""
    wait_until(
        lambda: not TaskRun.objects.active().exists(),
        timeout_s=300,
        what="recommendations and report",
    )


def _span(task: TaskRun) -> float:
    assert task.started_at and task.finished_at
    return (task.finished_at - task.started_at).total_seconds()
