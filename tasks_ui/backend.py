"""``django.tasks`` on tracked runs: any ``@task`` gets a durable row, retries, cancellation, live
progress and the dashboard.

    TASKS = {"default": {"BACKEND": "tasks_ui.backend.TrackedBackend"}}

    @task(takes_context=True, max_attempts=2)
    def count_words(context, document_id):
        ...
        context.report(done, total, "Chapter 3")

docs/tasks_ui.md shows how the states map, and what Django's interface has no word for.
"""

from __future__ import annotations

from asyncio import iscoroutinefunction
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.base import Task
from django.tasks.exceptions import InvalidTask
from django.utils.decorators import sync_and_async_middleware

if TYPE_CHECKING:
    from tasks_ui.runs.calls import TrackedResult

ATTEMPTS_MAX = 100

_owner: ContextVar[Callable[[], Any] | None] = ContextVar("owner", default=None)
"""Gives the owner. Not the owner itself: asgiref compares what context variables hold each time it
changes threads, and comparing a request's lazy user would query the database in the event loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedTask(Task):  # type: ignore[type-arg]
    """``max_attempts`` includes the first; None means ``TASKS_MAX_ATTEMPTS``. ``title`` is what the
    dashboard shows instead of the function's name."""

    max_attempts: int | None = None
    title: str = ""


class TrackedBackend(BaseTaskBackend):
    """Options: ``QUEUES`` as for any backend, and ``OPTIONS["OWNER"]``, the username of the user
    who owns the runs that nobody else does."""

    task_class = TrackedTask
    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = False  # queues are first in, first out; "priority" has a worker of its own

    def validate_task(self, task: Task[..., Any]) -> None:
        super().validate_task(task)
        attempts = getattr(task, "max_attempts", None)
        if attempts is not None and not 1 <= attempts <= ATTEMPTS_MAX:
            raise InvalidTask(f"max_attempts must be between 1 and {ATTEMPTS_MAX}.")

    def enqueue(self, task: Task[..., Any], args: Any, kwargs: Any) -> TrackedResult:
        """Write the run in the current transaction; the message to the broker is sent when it
        commits.

        Raises ImproperlyConfigured if it has no owner, TypeError if an argument is not JSON.
        """
        from tasks_ui.runs import calls  # noqa: PLC0415  (models: apps use @task before all are loaded)

        self.validate_task(task)
        return calls.enqueue(
            task, args=args, kwargs=kwargs, backend=self.alias, owner=self._find_owner()
        )

    def get_result(self, result_id: str) -> TrackedResult:
        """Raises TaskResultDoesNotExist for an id that is unknown or past its retention."""
        from tasks_ui.runs import calls  # noqa: PLC0415  (as above)

        return calls.find(result_id, backend=self.alias)

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        known = {queue.name for queue in settings.CELERY_TASK_QUEUES}
        return [
            checks.Error(
                f"TASKS[{self.alias!r}] has the queue {name!r}, which Celery does not know.",
                hint="Add it to CELERY_TASK_QUEUES, or leave that setting out.",
                id="tasks_ui.E001",
            )
            for name in sorted(self.queues - known)
        ]

    def _find_owner(self) -> Any:
        owner = _owner.get()
        user = owner() if owner else None
        if user is not None and user.is_authenticated:
            return user
        return self._system_user()

    def _system_user(self) -> Any:
        users = get_user_model()
        name = self.options.get("OWNER")
        if name is None:
            raise ImproperlyConfigured(
                "Every run has an owner. Enqueue it within tasks_ui.backend.owned_by(user), or name"
                f' a user in TASKS[{self.alias!r}]["OPTIONS"]["OWNER"].'
            )
        try:
            return users._default_manager.get_by_natural_key(name)
        except users.DoesNotExist:
            raise ImproperlyConfigured(f"There is no user {name!r} to own this run.") from None


def owned_by(user: Any) -> AbstractContextManager[None]:
    """Tasks enqueued within the block belong to ``user``, who can see and cancel them. Within a
    task, the default is the owner of its own run."""
    return _owned(lambda: user)


@sync_and_async_middleware
def owner_middleware(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Tasks enqueued during a request belong to the signed-in person. Put it after
    AuthenticationMiddleware."""
    if iscoroutinefunction(get_response):

        async def amiddleware(request: Any) -> Any:
            with _owned(lambda: request.user):
                return await get_response(request)

        return amiddleware

    def middleware(request: Any) -> Any:
        with _owned(lambda: request.user):
            return get_response(request)

    return middleware


@contextmanager
def _owned(owner: Callable[[], Any]) -> Iterator[None]:
    token = _owner.set(owner)
    try:
        yield
    finally:
        _owner.reset(token)
