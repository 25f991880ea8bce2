"""Wakes a worker whose run is being cancelled: "look at your row now", through Valkey's pub/sub.

It only saves time: the watcher reads the row every second anyway, whether Valkey is up or not.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import redis
from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger(__name__)

CHANNEL = "infra_mind.wakeup"

_events: dict[str, threading.Event] = {}
_listener_pid = 0
_starting = threading.Lock()


def ring(run_ids: Iterable[Any]) -> None:
    """Wake the workers of these runs. Takes 0.15 s at most, and does nothing if Valkey is down."""
    try:
        with redis.Redis.from_url(
            settings.CHANNEL_REDIS_URL, socket_timeout=0.15, socket_connect_timeout=0.15, retry=None
        ) as client:
            client.publish(CHANNEL, " ".join(str(run_id) for run_id in run_ids))
    except redis.RedisError as error:
        logger.debug("No wake-up was sent: %s", error)


def listen(run_id: Any, event: threading.Event) -> None:
    """Set ``event`` whenever a wake-up for ``run_id`` arrives, until it is forgotten."""
    global _listener_pid
    with _starting:
        if _listener_pid != os.getpid():
            _listener_pid = os.getpid()
            _events.clear()
            threading.Thread(target=_listen_for_ever, name="wakeup", daemon=True).start()
    _events[str(run_id)] = event


def forget(run_id: Any) -> None:
    _events.pop(str(run_id), None)


def _listen_for_ever() -> None:
    while True:
        try:
            with redis.Redis.from_url(
                settings.CHANNEL_REDIS_URL, socket_timeout=30, health_check_interval=10
            ) as client:
                pubsub = client.pubsub(ignore_subscribe_messages=True)
                pubsub.subscribe(CHANNEL)
                while True:
                    message = pubsub.get_message(timeout=10)
                    for run_id in message["data"].decode().split() if message else ():
                        if event := _events.get(run_id):
                            event.set()
        except redis.RedisError:
            time.sleep(1)
