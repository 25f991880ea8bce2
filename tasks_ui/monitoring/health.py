"""Health checks for operators: three questions, none of which requires an account.

================  ==============================================  ================================
path              asks                                            who asks
================  ==============================================  ================================
/health/live      does this process answer                        a liveness probe, our own pages
/health/serving   can this process serve pages and take work      a proxy, a readiness probe
/health/ready     does the whole service work, and if not, why    monitoring, ``manage.py up``
================  ==============================================  ================================

Missing workers are no reason to take web processes out of a proxy: people could no longer see what
is wrong, and the work they submit waits in the database anyway.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import connection
from django.http import JsonResponse

from tasks_ui import kinds
from tasks_ui.runs import dispatch, queues, workers
from tasks_ui.runs.patience import DATABASE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

MB = 1_000_000


@dataclass(frozen=True)
class Cause:
    """One reason why the service isn't ready. ``code`` is for programs, ``detail`` for people."""

    code: str
    detail: str


def live(request: HttpRequest) -> HttpResponse:
    """The process responds."""
    return _answer({"status": "live"})


def serving(request: HttpRequest) -> HttpResponse:
    """The database responds too."""
    cause = _database_cause(for_writing=False)
    return _not_ready([cause]) if cause else _answer({"status": "serving"})


def ready(request: HttpRequest) -> HttpResponse:
    """Everything that a run needs is available. Signed-in staff also see which workers are up, and
    their facts.

    The broker is not checked: work is accepted without it. Workers that have lost it go silent,
    which shows here after ``Worker.LOST_AFTER_S``.
    """
    if causes := find_causes():
        return _not_ready(causes)
    answer: dict[str, object] = {"status": "ready"}
    if _is_staff(request):
        answer["workers"] = {w.hostname: w.facts for w in workers.seen() if w.is_up}
    return _answer(answer)


def find_causes() -> list[Cause]:
    """Why the service isn't ready; empty when it is."""
    database = _database_cause(for_writing=True)
    causes = [database, _disk_cause()]
    if database is None or database.code != "database_away":
        causes.append(_worker_cause())
    return [cause for cause in causes if cause]


def _database_cause(*, for_writing: bool) -> Cause | None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('transaction_read_only')")
            is_read_only = cursor.fetchone() == ("on",)
    except DATABASE_ERRORS:
        return Cause("database_away", "The database can't be reached.")
    if is_read_only and for_writing:
        return Cause(
            "database_read_only",
            "The database accepts no writes: it is a standby, or is set to read-only.",
        )
    return None


def _disk_cause() -> Cause | None:
    full = [
        f"The disk of {folder} has {free} MB left."
        for folder in settings.TASKS_DISK_FOLDERS
        if (free := shutil.disk_usage(folder).free // MB) < settings.TASKS_DISK_FREE_MB
    ]
    return Cause("disk_full", " ".join(full)) if full else None


def _worker_cause() -> Cause | None:
    try:
        up = [worker for worker in workers.seen() if worker.is_up]
    except DATABASE_ERRORS:
        return Cause("database_away", "The database can't be reached.")
    if not up:
        return Cause(
            "no_workers",
            "No worker is up. One that has lost its broker counts as missing after half a minute.",
        )
    served = {queue for worker in up for queue in worker.queues}
    if left := [name for name in _needed_queues() if name not in served]:
        return Cause("queue_without_worker", f"No worker takes from: {', '.join(left)}.")
    return None


def _needed_queues() -> list[str]:
    """The queues of tracked tasks. A project's other queues may have workers that are unknown
    here."""
    used = {kind.queue for kind in kinds.every()} | {dispatch.PRIORITY}
    return [name for name in queues.names() if name in used]


def _not_ready(causes: list[Cause]) -> HttpResponse:
    named = [asdict(cause) for cause in causes]
    answer = _answer({"status": "not ready", "causes": named}, status=503)
    answer._has_been_logged = True  # type: ignore[attr-defined]  # whoever asks, asks again and again
    return answer


def _answer(answer: dict[str, object], *, status: int = 200) -> HttpResponse:
    return JsonResponse(answer, status=status, headers={"Cache-Control": "no-store, private"})


def _is_staff(request: HttpRequest) -> bool:
    """Whether the request, which no middleware has seen yet, comes with a staff session."""
    if not hasattr(request, "session"):
        SessionMiddleware(lambda _: JsonResponse({})).process_request(request)
    return bool(getattr(get_user(request), "is_staff", False))


PROBES = {"/health/live": live, "/health/serving": serving, "/health/ready": ready}


class ProbesMiddleware:
    """Answers the probes before anything can refuse them: they come from inside a container or from
    a load balancer, under any host name and without TLS. Put it first."""

    probes = PROBES

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = self.probes.get(request.path_info)
        return probe(request) if probe else self.get_response(request)
