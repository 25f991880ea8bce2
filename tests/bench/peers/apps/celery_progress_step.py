"""Prints the median seconds of one set_progress with results in Redis, its fastest backend."""

import os
import time

from celery import Celery
from celery_progress.backend import ProgressRecorder

app = Celery("steps", backend=os.environ["PEERS_REDIS_URL"])


@app.task(bind=True)
def step(self):
    recorder = ProgressRecorder(self)
    seconds = []
    for number in range(500):
        started = time.perf_counter()
        recorder.set_progress(number, 500, "main.tf")
        seconds.append(time.perf_counter() - started)
    return sorted(seconds)[250]


step.push_request(id="a-step", called_directly=False)
print(step.run())
