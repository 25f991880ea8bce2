"""Celery's scheduler for housekeeping, whose loop shows that it is alive."""

from __future__ import annotations

from typing import Any

from celery.beat import PersistentScheduler

from infra_mind import health


class Scheduler(PersistentScheduler):
    def tick(self, *args: Any, **kwargs: Any) -> Any:
        health.turned("beat")
        return super().tick(*args, **kwargs)
