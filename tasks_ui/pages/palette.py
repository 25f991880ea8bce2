"""What the command palette finds on the server, and the reader's theme."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.views.decorators.http import require_GET, require_POST

from tasks_ui.access.sign_in import SignedInRequest
from tasks_ui.models import TaskRun
from tasks_ui.pages.rows import as_rows
from tasks_ui.pages.views import back
from tasks_ui.runs.wording import state_word, view_state

FOUND_MAX = 8
THEME_COOKIE = "theme"
THEMES = ("light", "dark")
YEAR_S = 31_536_000


@login_required
@require_GET
def find_runs(request: SignedInRequest) -> JsonResponse:
    """The newest runs, or those whose title or id matches ``q``: ``{"items": [{label, note,
    href}]}``."""
    runs = TaskRun.objects.visible_to(request.user).roots()
    if words := request.GET.get("q", "").replace("\0", "").strip()[:100]:
        runs = runs.search(words)
    rows = as_rows(runs.page(FOUND_MAX).runs)
    items = [
        {
            "label": " ".join(filter(None, [row.facts.title, row.facts.suffix])),
            "note": state_word(view_state(row.run)),
            "href": row.facts.link,
        }
        for row in rows
        if row.facts.link
    ]
    return JsonResponse({"items": items})


@login_required
@require_POST
def set_theme(request: SignedInRequest) -> HttpResponse:
    """Store the theme in a cookie, which determines how the next page is rendered; any other value
    follows the system."""
    answer = back(request)
    theme = request.POST.get("theme", "")
    if theme not in THEMES:
        answer.delete_cookie(THEME_COOKIE, samesite="Lax")
        return answer
    answer.set_cookie(
        THEME_COOKIE,
        theme,
        max_age=YEAR_S,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return answer
