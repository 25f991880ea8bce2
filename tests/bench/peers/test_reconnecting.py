"""A thousand sockets that follow one task lose their connection, 500 events happen, and all
reconnect at once. How many of the events each gets, and how soon all are up to date.

The peer is Channels' own group_send, which the other projects' live pages are built on.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from channels_redis.core import RedisChannelLayer
from django.db import connection
from websockets.asyncio.client import ClientConnection, connect

from tasks_ui.models import ApiToken, TaskEvent, TaskRun
from tasks_ui.runs.transitions import emit
from tests.bench.peers.peer import APPS, PeerProcess
from tests.servers import Servers
from tests.stack import Stack, free_port, wait_until
from tests.tasks_ui.webs import another_web

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SOCKETS, MISSED, AT_ONCE = 1000, 500, 50
Open = Callable[[], Awaitable[ClientConnection]]


def test_ours(
    stack: Stack, queue_probe: Callable[..., TaskRun], alice: User, tmp_path: Path
) -> None:
    token = ApiToken.issue(owner=alice, name="bench")[1]
    run = queue_probe(duration_s=300)
    wait_until(
        TaskRun.objects.filter(pk=run.pk, state="PROGRESS").exists, timeout_s=30, what="the start"
    )
    with another_web(stack, tmp_path, SOCKETS_PER_USER=str(SOCKETS + 1)) as web:

        async def open_one() -> ClientConnection:
            return await connect(
                web.ws_url,
                additional_headers={"Authorization": f"Bearer {token}"},
                proxy=None,
                open_timeout=120,
                ping_interval=None,
            )

        async def caught_up(socket: ClientConnection, after: int) -> int:
            """Subscribe, and count the events until the server signals that these are all."""
            wanted = {"type": "subscribe", "task_id": str(run.pk), "after_seq": after}
            await socket.send(json.dumps(wanted))
            count = 0
            while (frame := json.loads(await socket.recv()))["type"] != "caught_up":
                count += frame["type"] == "event" and frame["event"] == "probe.noted"
            return count

        async def conversation() -> tuple[list[int], float]:
            sockets = await opened(open_one)
            await asyncio.gather(*(caught_up(socket, 0) for socket in sockets))
            await closed(sockets)
            after = await asyncio.to_thread(miss, run)
            started = time.perf_counter()
            sockets = await opened(open_one)
            counts = await asyncio.gather(*(caught_up(socket, after) for socket in sockets))
            seconds = time.perf_counter() - started
            await closed(sockets)
            return counts, seconds

        counts, seconds = in_thread(conversation)
    report("ours", counts, seconds)
    assert set(counts) == {MISSED}


def miss(run: TaskRun) -> int:
    """Emit the events that nobody hears. Returns the number of the last one before them."""
    last = TaskEvent.objects.filter(task=run).order_by("-seq").values_list("seq", flat=True)[0]
    for n in range(MISSED):
        emit(run, "probe.noted", {"n": n}, attempt=None)
    connection.close()
    return last


def test_a_plain_group(servers: Servers, tmp_path: Path) -> None:
    port, redis_url = free_port(), servers.valkey.url.rsplit("/", 1)[0] + "/9"
    web = PeerProcess(
        "plain_channels",
        [sys.executable, "-m", "daphne", "-p", str(port), "plain_channels:application"],
        env={"PEERS_REDIS_URL": redis_url, "PYTHONPATH": str(APPS), "PATH": "/usr/bin:/bin"},
        log_path=tmp_path / "plain_channels.log",
    )

    async def open_one() -> ClientConnection:
        return await connect(
            f"ws://127.0.0.1:{port}/", proxy=None, open_timeout=120, ping_interval=None
        )

    async def until_the_last(socket: ClientConnection) -> int:
        """Count the events before the one that is sent when all have reconnected."""
        count = 0
        while json.loads(await socket.recv())["n"] != MISSED:
            count += 1
        return count

    async def conversation() -> tuple[list[int], float]:
        layer = RedisChannelLayer(hosts=[redis_url], capacity=1000)
        await closed(await opened(open_one))
        await asyncio.sleep(1)
        for n in range(MISSED):
            await layer.group_send("task", {"type": "task.event", "n": n})
        started = time.perf_counter()
        sockets = await opened(open_one)
        await layer.group_send("task", {"type": "task.event", "n": MISSED})
        counts = await asyncio.gather(*(until_the_last(socket) for socket in sockets))
        seconds = time.perf_counter() - started
        await closed(sockets)
        return counts, seconds

    web.start()
    try:
        wait_until(lambda: "Listening" in web.log(), timeout_s=60, what="daphne", details=web.log)
        counts, seconds = in_thread(conversation)
    finally:
        web.kill()
    report("a plain Channels group", counts, seconds)


async def opened(open_one: Open) -> list[ClientConnection]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> ClientConnection:
        async with gate:
            return await open_one()

    return list(await asyncio.gather(*(one() for _ in range(SOCKETS))))


async def closed(sockets: list[ClientConnection]) -> None:
    await asyncio.gather(*(socket.close() for socket in sockets))


def in_thread(conversation: Callable[[], Any]) -> tuple[list[int], float]:
    """In a separate thread, because pytest's may have a loop."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    with ThreadPoolExecutor(1) as thread:
        found: tuple[list[int], float] = thread.submit(
            lambda: asyncio.run(asyncio.wait_for(conversation(), 240))
        ).result()
    return found


def report(name: str, counts: list[int], seconds: float) -> None:
    print(
        f"\n{SOCKETS} sockets that connect again after {MISSED} missed events, {name}: each got"
        f" {min(counts)} to {max(counts)}; all up to date after {seconds:.1f} s"
    )
