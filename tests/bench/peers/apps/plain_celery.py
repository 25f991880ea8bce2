"""Celery with the settings that are held to be safest."""

import os

import effects
from celery import Celery

app = Celery("plain_celery", broker=os.environ["PEERS_REDIS_URL"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "visibility_timeout": 10,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    },
)


@app.task
def work(number, duration_s):
    effects.work("plain_celery", number, duration_s)


def enqueue(number, duration_s):
    work.delay(number, duration_s)
