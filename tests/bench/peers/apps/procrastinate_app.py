"""Procrastinate, with the periodic retry of stalled jobs that its guide recommends, every 5 s."""

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


def enqueue(number, duration_s):
    global is_open
    if not is_open:
        app.open()
        is_open = True
    work.defer(number=number, duration_s=duration_s)
