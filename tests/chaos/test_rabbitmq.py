"""The same code on RabbitMQ: runs end, once, even if a worker is killed or the broker restarts."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Celery, current_app
from kombu import Queue

from infra_mind.embedded import with_parent
from tasks_ui.models import FINAL, State, TaskRun
from tests.probe.models import Effect, Start
from tests.servers import Servers
from tests.stack import Stack, free_port, new_stack, wait_until

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
QueueProbe = Callable[..., TaskRun]


class RabbitMQ:
    """A broker on loopback for this test only: its name service and its node are processes that we
    started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.names_port = free_port(), free_port()
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        env = {
            **os.environ,
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"probe{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "ERL_EPMD_PORT": str(self.names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        names = ["epmd", "-port", str(self.names_port), "-address", "127.0.0.1"]
        for command in (names, [str(SERVER)]):
            with (self.folder / "rabbitmq.log").open("ab") as log:
                process = subprocess.Popen(
                    with_parent(command, on_parent_death="KILL"),
                    env=env,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            self.processes.append(process)
        wait_until(self._answers, timeout_s=90, what="RabbitMQ")

    def stop(self) -> None:
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait(20)
        self.processes.clear()

    def _answers(self) -> bool:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=1),
        ):
            return True
        return False


@pytest.fixture
def rabbitmq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RabbitMQ]:
    if not SERVER.exists() or not shutil.which("epmd"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("RabbitMQ is not installed")
    broker = RabbitMQ(tmp_path)
    try:
        broker.start()
        monkeypatch.setenv("CELERY_BROKER_URL", broker.url)
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def callers(rabbitmq: RabbitMQ) -> Iterator[None]:
    """This process's settings name Valkey: a second Celery application notifies RabbitMQ."""
    before = current_app._get_current_object()
    app = Celery("callers", broker=rabbitmq.url, set_as_current=False)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    quorum = {"x-queue-type": "quorum"}
    app.conf.update(
        broker_url=rabbitmq.url,
        broker_transport_options={},
        task_queues=[
            Queue(queue.name, routing_key=queue.name, queue_arguments=quorum)
            for queue in before.conf.task_queues
        ],
    )
    app.set_default()  # for every thread
    app.set_current()
    yield
    before.set_default()
    before.set_current()


@pytest.fixture
def rabbit_stack(
    rabbitmq: RabbitMQ, callers: None, alone: None, servers: Servers, tmp_path: Path
) -> Iterator[Stack]:
    stack = new_stack(servers, tmp_path / "stack")
    try:
        yield stack.start()
    finally:
        stack.stop()


def test_runs_end_once_over_a_killed_worker_and_a_restarted_broker(
    rabbit_stack: Stack, rabbitmq: RabbitMQ, queue_probe: QueueProbe
) -> None:
    runs = [queue_probe(duration_s=0.2) for _ in range(12)]
    last = queue_probe(duration_s=3)
    wait_until(
        lambda: Start.objects.filter(run_id=last.pk).exists(),
        timeout_s=60,
        what="the last run's start",
    )
    rabbit_stack[Start.objects.get(run_id=last.pk).worker.split("@")[0]].kill()
    rabbitmq.stop()
    runs += [queue_probe() for _ in range(5)]
    rabbitmq.start()
    wait_until(lambda: _are_final([*runs, last]), timeout_s=90, what="the end of all runs")
    ids = [run.pk for run in [*runs, last]]
    assert set(TaskRun.objects.filter(pk__in=ids).values_list("state", flat=True)) == {
        State.SUCCESS
    }
    assert Effect.objects.filter(run_id__in=ids).count() == len(ids)


def _are_final(runs: list[TaskRun]) -> bool:
    return (
        not TaskRun.objects.filter(pk__in=[run.pk for run in runs])
        .exclude(state__in=FINAL)
        .exists()
    )
