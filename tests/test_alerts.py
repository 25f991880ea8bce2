"""The alert rules and the dashboard in ``deploy/``: each alert fires when its problem is caused and
none in a healthy run, and they use no metric that ``/metrics`` lacks."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from django.contrib.auth.models import User
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client import REGISTRY

import infra_mind.metrics
from infra_mind import embedded
from tasks_ui.live import counters
from tasks_ui.models import ApiToken, State, TaskRun
from tasks_ui.monitoring.metrics import DatabaseCollector
from tasks_ui.runs import tallies
from tests.probe.runs import queue_probe
from tests.stack import Stack, free_port, wait_until
from tests.tasks_ui.sockets import greeted

DEPLOY = Path(__file__).parents[1] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
HEALTHY = {
    'up{job="infra-mind"}': "1x60",
    'tasks_database_up{instance="a"}': "1x60",
    'tasks_database_up{instance="b"}': "1x60",
    'tasks_workers_up{queue="default"}': "3x60",
    'tasks_queue_oldest_seconds{queue="default"}': "12x60",
    'tasks_queue_running{queue="default"}': "2x60",
    'tasks_queue_paused{queue="default"}': "0x60",
    'tasks_reconciler_age_seconds{instance="a"}': "3x60",
    "tasks_reconciler_sweeps_total": "0+60x60",
    'tasks_reconciled_total{rule="lost_lease"}': "2x60",
    'tasks_finished_total{kind="scan",state="SUCCESS"}': "0+50x60",
    'tasks_finished_total{kind="scan",state="FAILURE"}': "0+1x60",
    'tasks_finished_total{kind="scan",state="REVOKED"}': "0+9x60",
    'infra_mind_disk_free_bytes{disk="home"}': "50x60",
    'infra_mind_disk_size_bytes{disk="home"}': "100x60",
    'tasks_push_lag_seconds_bucket{le="0.1"}': "0+100x60",
    'tasks_push_lag_seconds_bucket{le="5.0"}': "0+100x60",
    'tasks_push_lag_seconds_bucket{le="+Inf"}': "0+100x60",
}
"""A value for each of sixty minutes, in promtool's notation."""
TROUBLES: dict[str, tuple[dict[str, str], str]] = {
    "InfraMindDown": ({'up{job="infra-mind"}': "0x60"}, 'job="infra-mind",'),
    "InfraMindDatabaseAway": ({'tasks_database_up{instance="b"}': "0x60"}, ""),
    "InfraMindNoWorkers": ({'tasks_workers_up{queue="default"}': "0x60"}, 'queue="default",'),
    "InfraMindRunsStuck": (
        {
            'tasks_queue_oldest_seconds{queue="default"}': "301x60",
            'tasks_queue_running{queue="default"}': "0x60",
        },
        'queue="default",',
    ),
    "InfraMindQueueLag": (
        {'tasks_queue_oldest_seconds{queue="default"}': "960x60"},
        'queue="default",',
    ),
    "InfraMindReconcilerSilent": ({'tasks_reconciler_age_seconds{instance="a"}': "31x60"}, ""),
    "InfraMindLeasesLost": ({'tasks_reconciled_total{rule="lost_lease"}': "0+1x60"}, ""),
    "InfraMindRunsFail": ({'tasks_finished_total{kind="scan",state="FAILURE"}': "0+20x60"}, ""),
    "InfraMindDiskFull": ({'infra_mind_disk_free_bytes{disk="home"}': "9x60"}, 'disk="home",'),
    "InfraMindPushLag": ({'tasks_push_lag_seconds_bucket{le="0.1"}': "0+10x60"}, ""),
}


def rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def tool(name: str) -> str:
    found = shutil.which(name)
    if not found and os.environ.get("CI"):
        pytest.fail(f"{name} is missing (scripts/find-prometheus)")
    return found or pytest.skip(f"{name} is missing")


def case(series: dict[str, str], firing: list[str]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'ALERTS{alertstate="firing"}',
                "eval_time": "20m",
                "exp_samples": [{"labels": labels, "value": 1} for labels in firing],
            }
        ],
    }


def test_promtool_sees_each_alert_fire_alone_and_none_in_health(tmp_path: Path) -> None:
    promtool = tool("promtool")
    assert TROUBLES.keys() == rules().keys()
    shutil.copy(RULES, tmp_path)
    cases = [case(HEALTHY, [])]
    for name, (changes, labels) in TROUBLES.items():
        severity = rules()[name]["labels"]["severity"]
        fires = f'ALERTS{{alertname="{name}",alertstate="firing",{labels}severity="{severity}"}}'
        cases.append(case(HEALTHY | changes, [fires]))
    tests = {"rule_files": ["alerts.yml"], "evaluation_interval": "1m", "tests": cases}
    (tmp_path / "tests.yml").write_text(json.dumps(tests))
    for arguments in (["check", "rules", "alerts.yml"], ["test", "rules", "tests.yml"]):
        done = subprocess.run(
            [promtool, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr


def named_in(text: str) -> set[str]:
    return set(re.findall(r"\b(?:tasks|infra_mind)_[a-z_]+", text)) - {"infra_mind_"}


def test_rules_and_dashboard_name_only_figures_that_exist(db: None) -> None:
    counters.CLOSES.labels(1000)
    infra_mind.metrics.REQUESTS.labels("GET", "2xx")
    tallies.add(tallies.SWEEPS)
    families = [*REGISTRY.collect(), *DatabaseCollector().collect()]
    there = {sample.name for family in families for sample in family.samples}
    there |= {"infra_mind_pool_connections", "infra_mind_pool_waiting"}  # only from a web process
    board = json.loads((DEPLOY / "grafana" / "infra-mind.json").read_text())
    shown = {
        name
        for panel in board["panels"]
        for target in panel.get("targets", [])
        for name in named_in(target["expr"])
    }
    assert len(shown) > 15
    assert shown <= there
    asked = {name for rule in rules().values() for name in named_in(rule["expr"])}
    assert asked <= there


class Prometheus:
    """A real one that scrapes a stack every few seconds, with the rules' waiting times removed."""

    def __init__(self, url: str) -> None:
        self.url = url

    def firing(self) -> set[str]:
        answer = httpx.get(f"{self.url}/api/v1/alerts", timeout=5).json()
        return {
            alert["labels"]["alertname"]
            for alert in answer["data"]["alerts"]
            if alert["state"] == "firing"
        }

    def scrapes(self) -> float:
        query = {"query": "max(count_over_time(tasks_database_up[5m]))"}
        result = httpx.get(f"{self.url}/api/v1/query", params=query, timeout=5).json()["data"]
        return float(result["result"][0]["value"][1]) if result["result"] else 0

    def fires(self, name: str, *, within_s: float = 30) -> None:
        wait_until(
            lambda: name in self.firing(),
            timeout_s=within_s,
            what=f"{name} to fire",
            details=lambda: str(self.firing()),
            step_s=0.3,
        )


@contextmanager
def prometheus(watching: Stack, folder: Path) -> Iterator[Prometheus]:
    folder.mkdir()
    text = re.sub(r"\n +for: .*", "", RULES.read_text())
    (folder / "alerts.yml").write_text(text)
    config = {
        "global": {"scrape_interval": "4s", "scrape_timeout": "4s", "evaluation_interval": "1s"},
        "rule_files": ["alerts.yml"],
        "scrape_configs": [
            {
                "job_name": "infra-mind",
                "static_configs": [{"targets": [f"127.0.0.1:{watching.port}"]}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    port = free_port()
    command = [tool("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            embedded.with_parent(
                [*command, f"--web.listen-address=127.0.0.1:{port}"], on_parent_death="KILL"
            ),
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        server = Prometheus(f"http://127.0.0.1:{port}")
        wait_until(lambda: answers(server), timeout_s=30, what="Prometheus")
        yield server
    finally:
        process.kill()
        process.wait(10)


def answers(server: Prometheus) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{server.url}/-/ready", timeout=2).status_code == 200
    return False


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB, if the test may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def watch_over_a_pause_of_the_web_process(stack: Stack, owner: User) -> None:
    _, key = ApiToken.issue(owner=owner, name="test")
    run = queue_probe(owner=owner, duration_s=2)
    with greeted(stack, token=key) as socket:
        socket.subscribe(run.pk)
        socket.hear_until("caught_up")
        stack["web"].freeze()
        ended = TaskRun.objects.filter(pk=run.pk, state=State.SUCCESS)
        try:
            late = ended.filter(finished_at__lt=Now() - timedelta(seconds=5))
            wait_until(late.exists, timeout_s=30, what="the run to be over for five seconds")
        finally:
            stack["web"].thaw()
        socket.hear_until("event", event="task.succeeded")


@pytest.mark.slow
@pytest.mark.chaos
def test_each_trouble_sets_off_its_alert_and_a_healthy_run_none(
    stack: Stack, tmp_path: Path, small_disk: Path
) -> None:
    alice = User.objects.create_user("alice", password="a password of alice")
    stack["web"].kill()
    stack["web"].env["TMPDIR"] = str(small_disk)
    stack["web"].start()
    with prometheus(stack, tmp_path / "prometheus") as monitor:
        for _ in range(20):
            queue_probe(owner=alice)
        wait_until(lambda: monitor.scrapes() > 3, timeout_s=60, what="scrapes")
        assert not TaskRun.objects.active().exists()
        assert monitor.firing() == set()

        (small_disk / "file").write_bytes(bytes(8_000_000))
        for manner in ["hopeless"] * 8 + ["poison"] * 4:
            queue_probe(owner=alice, manner=manner)
        monitor.fires("InfraMindDiskFull")
        monitor.fires("InfraMindRunsFail")
        monitor.fires("InfraMindLeasesLost", within_s=90)
        stack["reconciler"].kill()
        watch_over_a_pause_of_the_web_process(stack, alice)
        monitor.fires("InfraMindPushLag")

        workers = (*stack.workers, stack["priority"])
        for worker in workers:
            os.kill(worker.pid, signal.SIGTERM)
        for worker in workers:
            worker.stop()
        monitor.fires("InfraMindNoWorkers")
        run = queue_probe(owner=alice)
        assert run.state == State.PENDING
        TaskRun.objects.filter(pk=run.pk).update(queued_at=timezone.now() - timedelta(minutes=20))
        monitor.fires("InfraMindRunsStuck")
        monitor.fires("InfraMindQueueLag")
        monitor.fires("InfraMindReconcilerSilent", within_s=60)
        connection.close()
        stack.servers.postgres.stop()
        try:
            monitor.fires("InfraMindDatabaseAway")
        finally:
            stack.servers.postgres.start()
        stack["web"].kill()
        monitor.fires("InfraMindDown")
