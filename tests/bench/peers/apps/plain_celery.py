"""Celery with the settings considered safest."""

import os
import time

import effects
from celery import Celery

url = os.environ["PEERS_REDIS_URL"]
app = Celery("plain_celery", broker=url, backend=url)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_track_started=True,
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


@app.task(ignore_result=False)
def long():
    time.sleep(60)


def enqueue_long():
    return long.delay()


def is_running(result):
    return result.state == "STARTED"


def cancel(result):
    result.revoke(terminate=True)


def is_cancelled(result):
    return result.state == "REVOKED"
