"""A worker being drained takes nothing new, even over lost connections and restarts, and finishes
what it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psutil
import pytest
import redis
from django.contrib.auth.models import User

from tasks_ui.models import Drain, State, TaskRun, Worker
from tasks_ui.runs import queues, workers
from tests.servers import Servers
from tests.stack import Process, Stack, wait_until

Queue = Callable[..., TaskRun]


@pytest.fixture
def drained(shared_stack: Stack) -> Iterator[Process]:
    """The worker under test. It takes tasks again afterwards."""
    process = shared_stack["worker1"]
    seen = Worker.objects.filter(hostname__startswith=f"{process.name}@")
    wait_until(seen.exists, timeout_s=30, what="the worker to be seen")
    yield process
    Worker.objects.update(drain_requested_at=None)
    process.start()
    wait_until(lambda: row(process).queues, timeout_s=30, what="the worker to take tasks again")


def row(process: Process) -> Worker:
    return Worker.objects.filter(hostname__startswith=f"{process.name}@").get()


def is_(process: Process, drain: Drain) -> Callable[[], bool]:
    return lambda: row(process).drain == drain


def run_some(queue_probe: Queue, *, count: int = 6) -> set[str]:
    """Names of the workers that ran them."""
    runs = [queue_probe().pk for _ in range(count)]
    done = TaskRun.objects.filter(pk__in=runs, state=State.SUCCESS)
    wait_until(lambda: done.count() == count, timeout_s=30, what="the runs to end")
    return {name.partition("@")[0] for name in done.values_list("worker", flat=True)}


def cut_connections(servers: Servers, process: Process) -> None:
    """End the worker's connections to the broker on the broker's side."""
    client = redis.Redis.from_url(servers.valkey.url, socket_timeout=10)
    ours = {
        connection.laddr.port
        for connection in psutil.Process(process.pid).net_connections("tcp")
        if connection.laddr
    }
    for each in client.client_list():
        if int(each["addr"].rpartition(":")[2]) in ours:
            client.client_kill_filter(_id=each["id"])


def test_a_drained_worker_finishes_what_it_has_and_takes_nothing_until_it_is_resumed(
    shared_stack: Stack, servers: Servers, drained: Process, alice: User, queue_probe: Queue
) -> None:
    busy = [queue_probe(duration_s=8, title=f"long {n}") for n in range(2)]  # one for each worker
    ours = TaskRun.objects.filter(pk__in=[run.pk for run in busy], worker=row(drained).hostname)
    wait_until(lambda: ours.exists(), timeout_s=20, what="the worker to be busy")
    assert workers.drain(row(drained).hostname, by=alice)
    assert not workers.drain(row(drained).hostname, by=alice)
    wait_until(is_(drained, Drain.DRAINING), timeout_s=15, what="the drain to begin")
    wait_until(is_(drained, Drain.DRAINED), timeout_s=30, what="the drain to end")
    assert ours.get().state == State.SUCCESS and ours.get().attempt == 1
    assert row(drained).is_up and row(drained).unfinished == 0
    assert "worker1" not in run_some(queue_probe)

    cut_connections(servers, drained)
    wait_until(
        lambda: "Connection to broker" in drained.log(), timeout_s=20, what="a new connection"
    )
    assert "worker1" not in run_some(queue_probe)

    began_at = row(drained).started_at
    drained.kill()
    drained.start()
    wait_until(lambda: row(drained).started_at > began_at, timeout_s=40, what="the restart")
    assert row(drained).drain == Drain.DRAINED
    assert "worker1" not in run_some(queue_probe)

    assert workers.resume(row(drained).hostname, by=alice)
    wait_until(is_(drained, Drain.NONE), timeout_s=15, what="the end of the drain")
    wait_until(
        lambda: "worker1" in run_some(queue_probe), timeout_s=60, what="the worker to run one"
    )
    assert [str(entry) for entry in queues.audit()] == [
        f"Changed “{row(drained).hostname}” — Takes tasks again.",
        f"Changed “{row(drained).hostname}” — Drain requested.",
    ]


@pytest.mark.parametrize(
    ("is_wanted", "takes", "unfinished", "shown"),
    [
        (False, True, 1, Drain.NONE),
        (True, True, 1, Drain.REQUESTED),
        (True, False, 1, Drain.DRAINING),
        (True, False, 0, Drain.DRAINED),
        (False, False, 0, Drain.RESUMING),
    ],
)
def test_what_a_worker_has_said_is_what_is_shown(
    db: None, alice: User, is_wanted: bool, takes: bool, unfinished: int, shown: Drain
) -> None:
    worker = Worker.objects.create(
        hostname="w@h", pid=1, queues=["default"] * takes, unfinished=unfinished
    )
    if is_wanted:
        workers.drain("w@h", by=alice)
    worker.refresh_from_db()
    assert worker.drain == shown
    assert worker.drain_requested_by == (alice if is_wanted else None)


def test_a_worker_that_was_never_seen_is_not_drained(db: None, alice: User) -> None:
    with pytest.raises(workers.NoSuchWorkerError):
        workers.drain("nobody@h", by=alice)
