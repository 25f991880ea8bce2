from celery import shared_task


@shared_task(name="tests.awaits_nothing")
async def awaits_nothing() -> None:
    return None
