"""Whether this web process serves: ``/health/live`` and ``/health/ready``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection
from django.http import JsonResponse

from tasks_ui.runs import workers

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


def live(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return JsonResponse({"status": "live"})


def ready(request: HttpRequest) -> HttpResponse:
    """The database answers too. The broker is not asked: work is accepted without it, and rung for
    later. Signed-in staff also read which workers are up, and what these say of themselves."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    answer: dict[str, object] = {"status": "ready"}
    if request.user.is_staff:
        answer["workers"] = {w.hostname: w.facts for w in workers.seen() if w.is_up}
    return JsonResponse(answer)
