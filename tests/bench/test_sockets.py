"""Many sockets on one web process that watch one task: all learn of its end. Prints memory and
lag."""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from django.db import connection
from websockets.asyncio.client import ClientConnection, connect

from tasks_ui.models import ApiToken, TaskEvent, TaskRun
from tasks_ui.runs.transitions import emit
from tests.bench.measure import ms, percentile
from tests.stack import Stack
from tests.tasks_ui.webs import another_web

if TYPE_CHECKING:
    from django.contrib.auth.models import User

EVENTS = 20
AT_ONCE = 50  # handshakes


def test_all_sockets_of_one_task_hear_of_everything(
    shared_stack: Stack,
    queue_probe: Callable[..., TaskRun],
    alice: User,
    tmp_path: Path,
    size: Callable[[int, int], int],
) -> None:
    count = size(100, 1000)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    token = ApiToken.issue(owner=alice, name="bench")[1]
    run = queue_probe(duration_s=120)  # it accepts events as long as it is active
    with another_web(shared_stack, tmp_path, SOCKETS_PER_USER=str(count + 1)) as web:
        process = psutil.Process(web["web"].pid)
        process = process.children()[0] if process.children() else process
        before = process.memory_info().rss
        watching = _watch(
            web.ws_url, token, run, count=count, memory=lambda: process.memory_info().rss
        )
        with ThreadPoolExecutor(
            1
        ) as thread:  # Playwright's loop runs in this one, once a browser has been started
            lags, grown = thread.submit(asyncio.run, watching).result()
    lags.sort()
    print(
        f"{count} sockets of one task, {EVENTS} events: commit to client p50"
        f" {ms(percentile(lags, 50))}, p95 {ms(percentile(lags, 95))}, worst {ms(lags[-1])};"
        f" {(grown - before) / count / 1000:.0f} kB a socket"
    )
    assert len(lags) == count * EVENTS


async def _watch(
    url: str, token: str, run: TaskRun, *, count: int, memory: Callable[[], int]
) -> tuple[list[float], int]:
    """The seconds from each event's commit to each client, and the process's memory with all
    sockets open."""
    gate = asyncio.Semaphore(AT_ONCE)
    headers = {"Authorization": f"Bearer {token}"}

    async def open_one() -> ClientConnection:
        async with gate:
            socket = await connect(
                url, additional_headers=headers, proxy=None, open_timeout=60, ping_interval=None
            )
            await socket.send(json.dumps({"type": "subscribe", "task_id": str(run.pk)}))
            while json.loads(await socket.recv())["type"] != "caught_up":
                pass
            return socket

    sockets = await asyncio.gather(*(open_one() for _ in range(count)))
    held = memory()
    heard = [asyncio.create_task(_hear(socket)) for socket in sockets]
    committed: dict[int, float] = {}
    for n in range(EVENTS):
        event: TaskEvent = await asyncio.to_thread(_emit, run, n)
        committed[event.data["n"]] = time.perf_counter()
        await asyncio.sleep(0.5)
    arrivals: list[dict[int, float]] = await asyncio.wait_for(asyncio.gather(*heard), 60)
    await asyncio.gather(*(socket.close() for socket in sockets))
    return [max(0.0, at - committed[n]) for each in arrivals for n, at in each.items()], held


def _emit(run: TaskRun, n: int) -> Any:
    try:
        return emit(run, "probe.noted", {"n": n}, attempt=None)
    finally:
        connection.close()


async def _hear(socket: ClientConnection) -> dict[int, float]:
    """When each of the events arrived."""
    at: dict[int, float] = {}
    while len(at) < EVENTS:
        frame = json.loads(await socket.recv())
        if frame["type"] == "event" and frame["event"] == "probe.noted":
            assert frame["data"]["n"] not in at, "an event came twice"
            at[frame["data"]["n"]] = time.perf_counter()
    return at
