"""Procrastinate, with the periodic retry of stalled jobs that its guide recommends, every 5 s."""

import asyncio
import os

import effects
import procrastinate

app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=os.environ["PEERS_DATABASE_URL"])
)
is_open = False


@app.task(retry=procrastinate.RetryStrategy(max_attempts=4, wait=2))
def work(number, duration_s):
    effects.work("procrastinate_app", number, duration_s)


@app.periodic(cron="* * * * * */5")
@app.task(queueing_lock="retry_stalled", pass_context=True)
async def retry_stalled(context, timestamp):
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=10):
        await app.job_manager.retry_job(job)


@app.task
async def long():
    """Asynchronous, which according to its guide can be aborted without the task's cooperation."""
    await asyncio.sleep(60)


def enqueue(number, duration_s):
    opened()
    work.defer(number=number, duration_s=duration_s)


def enqueue_long():
    opened()
    return long.defer()


def is_running(job_id):
    return status_of(job_id) == "doing"


def cancel(job_id):
    app.job_manager.cancel_job_by_id(job_id, abort=True)


def is_cancelled(job_id):
    return status_of(job_id) == "aborted"


def status_of(job_id):
    return app.job_manager.get_job_status(job_id).value


def opened():
    global is_open
    if not is_open:
        app.open()
        is_open = True
