"""Dramatiq on Redis. Lost workers' messages are checked for at every fetch, not at one in 1,000."""

import os

import dramatiq
import effects
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(
    RedisBroker(
        url=os.environ["PEERS_REDIS_URL"], heartbeat_timeout=10_000, maintenance_chance=1_000_000
    )
)


@dramatiq.actor(min_backoff=2000)
def work(number, duration_s):
    effects.work("dramatiq_app", number, duration_s)


def enqueue(number, duration_s):
    work.send(number, duration_s)
