"""A worker that is to drain takes nothing new and finishes what it has.

The wish is in the worker's row (``tasks_ui.runs.workers``), so it needs no broker, and holds over
lost connections and restarts. What Celery's remote control calls ``cancel_consumer`` is done here
by the worker itself, for each of its queues: a queue that is not selected is not consumed after a
reconnection either.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

logger = logging.getLogger(__name__)

PATIENCE_S = 2.0
"""How long the loop that takes messages is waited for; one that hangs is seen to take on."""


class Taking:
    """From which queues a worker takes. ``consumer`` is Celery's, which outlives its connections.

    ``obey`` is called from another thread than the consumer's loop.
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._left: list[str] = []

    @property
    def queues(self) -> list[str]:
        """Those that it takes from now."""
        return sorted(self._selected)

    def obey(self, *, is_to_drain: bool) -> None:
        """Stop taking, or take again, where that is not so already."""
        if is_to_drain and self._selected:
            self._in_the_loop(self.leave)
        elif not is_to_drain and self._left:
            self._in_the_loop(self.take)

    def leave(self) -> None:
        """In the loop, or before it turns."""
        self._left = sorted({*self._left, *self._selected})
        for name in self.queues:
            self._queues.deselect(name)
        logger.info("Draining: no longer taking tasks from %s.", ", ".join(self._left))
        if self._consumer.task_consumer:  # there is none while it connects
            for name in self._left:
                self._consumer.task_consumer.cancel_by_queue(name)

    def take(self) -> None:
        names, self._left = self._left, []
        for name in names:
            self._queues.select_add(self._queues[name])
        logger.info("Taking from %s again.", ", ".join(names))
        if self._consumer.task_consumer:
            for name in names:
                self._consumer.add_task_queue(name)

    @property
    def _queues(self) -> Any:
        return self._consumer.app.amqp.queues

    @property
    def _selected(self) -> dict[str, Any]:
        selected: dict[str, Any] = self._queues.consume_from
        return selected

    def _in_the_loop(self, change: Any) -> None:
        is_done = threading.Event()

        def do() -> None:
            try:
                change()
            finally:
                is_done.set()

        self._consumer.call_soon(do)
        is_done.wait(PATIENCE_S)
