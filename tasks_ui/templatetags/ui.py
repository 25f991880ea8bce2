"""Icons, state glyphs, bars, severities and times, each written in one place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from django import template
from django.conf import settings
from django.template.defaultfilters import floatformat
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from tasks_ui import kinds
from tasks_ui.models import SavedFilter, State
from tasks_ui.runs import waiting, wording
from tasks_ui.runs.wording import COUNTED

if TYPE_CHECKING:
    from tasks_ui.models import TaskRun

register = template.Library()

SEVERITIES = {4: "Critical", 3: "High", 2: "Medium", 1: "Low", 0: "Info"}
BARS = ((0, 8), (3.6, 5.4), (7.2, 2.8), (10.8, 0.2))
"""x and y of the four rising bars of a severity, each 2.6 wide and standing on 12."""


@register.simple_tag(takes_context=True)
def theme(context: template.Context) -> str:
    """``light`` or ``dark`` if the reader has chosen one; "" follows the system."""
    request = context.get("request")
    chosen = request.COOKIES.get("theme", "") if request else ""
    return chosen if chosen in {"light", "dark"} else ""


@register.inclusion_tag("tasks_ui/_saved_filters.html", takes_context=True)
def saved_filters(context: template.Context, are_set: bool) -> dict[str, Any]:
    """The reader's saved filters of this list, and, if filters ``are_set``, a way to save them."""
    request = context["request"]
    query = request.GET.copy()
    for place in ("before", "page"):
        query.pop(place, None)
    kept = SavedFilter.objects.visible_to(request.user).filter(path=request.path)
    saved = [(each, each.query == query.urlencode()) for each in kept]
    return {
        "saved": saved,
        "can_save": are_set and not any(is_shown for _, is_shown in saved),
        "query": query.urlencode(),
        "request": request,
        "csrf_token": context.get("csrf_token"),
    }


@register.simple_tag
def site_name() -> str:
    """What the pages call this site: the setting ``TASKS_SITE_NAME``."""
    return str(settings.TASKS_SITE_NAME)


@register.simple_tag
def site_version() -> str:
    """The running release, or nothing if the project has none."""
    return str(settings.TASKS_SITE_VERSION)


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """An icon of the sprite, hidden from screen readers: words stand beside it."""
    return format_html(
        '<svg class="i {}" aria-hidden="true"><use href="{}#{}"/></svg>',
        css,
        static("tasks_ui/sprite.svg"),
        name,
    )


@register.simple_tag
def sprite(name: str) -> str:
    """The URL of an icon or a state's glyph, for a template's own svg."""
    return f"{static('tasks_ui/sprite.svg')}#{name}"


@register.simple_tag
def glyph(state: str, label: str = "", shape: str = "") -> SafeString:
    """A state's glyph on its own, with its word as the accessible name."""
    href = static("tasks_ui/sprite.svg")
    word = label or wording.state_word(state)
    return format_html(
        '<svg class="i glyph" role="img" aria-label="{}"><use href="{}#{}"/></svg>',
        word,
        href,
        shape or state,
    )


@register.simple_tag
def badge(state: str) -> SafeString:
    href = static("tasks_ui/sprite.svg")
    return format_html(
        '<span class="badge" data-state="{}"><svg class="i" aria-hidden="true"><use'
        ' href="{}#{}"/></svg>{}</span>',
        state,
        href,
        state,
        wording.state_word(state),
    )


@register.simple_tag
def bar(
    state: str, current: int, total: int, label: str, text: str = "", task: Any = ""
) -> SafeString:
    """A native progress element. STARTED has no value, as nothing is known yet."""
    value = (
        mark_safe("") if state == State.STARTED else format_html(' value="{}"', min(current, total))
    )
    return format_html(
        '<progress max="{}"{} data-state="{}" aria-label="{}" aria-valuetext="{}"{}></progress>',
        max(1, total),
        value,
        state,
        label,
        text or wording.state_word(state),
        format_html(' data-bar="{}"', task) if task else "",
    )


@register.simple_tag
def severity(level: int, text: str = "") -> SafeString:
    """Rising bars, as many filled as the level, and the word."""
    return format_html(
        '<span class="sev" data-sev="{}">{}{}</span>',
        level,
        _bars(level),
        text or SEVERITIES[level],
    )


@register.simple_tag(takes_context=True)
def severities(
    context: template.Context,
    counts: Mapping[Any, int] | None,
    page: str = "",
    **filters: str,
) -> SafeString:
    """Counts by level (or by its name in lower case), from critical to info, zeros left out.

    With ``filters`` each count links to this page's findings of that level which fit them, with
    ``page`` to those of the page at that address.
    """
    found = counts or {}
    both = (
        (level, found.get(level) or found.get(word.lower()) or 0)
        for level, word in SEVERITIES.items()
    )
    present = [(level, count) for level, count in both if count]
    return format_html(
        '<span class="sevs">{}</span>',
        format_html_join(
            "",
            '<{} title="{}"><span class="sev" data-sev="{}">{}<b>{}</b><span class="vh">'
            " {}</span></span></{}>",
            (
                (
                    _tag(context, n, page, filters),
                    SEVERITIES[n],
                    n,
                    _bars(n),
                    f"{count:,}",
                    SEVERITIES[n].lower(),
                    "a" if page or filters else "span",
                )
                for n, count in present
            ),
        ),
    )


@register.simple_tag
def moment(at: datetime | None) -> SafeString:
    """A time element: words from the server, in UTC; the page puts them into the reader's own
    zone."""
    if at is None:
        return mark_safe("")
    full = f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S %Z}"
    return format_html(
        '<time datetime="{}" title="{}" data-when>{}</time>', at.isoformat(), full, wording.when(at)
    )


@register.simple_tag
def elapsed(run: TaskRun) -> SafeString:
    """How long it has run; the page keeps counting by whole seconds while the run is active."""
    span = wording.run_time(run)
    if span is None:
        return mark_safe("")
    if run.is_final:
        return format_html("<span>{}</span>", wording.duration(span))
    started = run.started_at.isoformat() if run.started_at else ""
    return format_html(
        '<span data-since="{}">{}</span>',
        started,
        wording.clock(span),
    )


@register.simple_tag
def countdown(at: datetime | None) -> SafeString:
    """``in 12 s``, counted down by the page."""
    if at is None:
        return mark_safe("")
    left = wording.clock(at - timezone.now())
    return format_html('<span data-until="{}">in {}</span>', at.isoformat(), left)


@register.simple_tag
def since_words(at: datetime) -> SafeString:
    """How long something has been waiting; the page keeps counting."""
    waited = wording.clock(timezone.now() - at)
    return format_html('<span data-since="{}">{}</span>', at.isoformat(), waited)


@register.filter
def duration(span: timedelta | float | None) -> str:
    return wording.duration(span)


@register.filter
def size(count: int) -> str:
    return wording.size(count)


@register.filter
def percent(value: int) -> str:
    return f"{value}{wording.NBSP}%"


@register.filter
def state_word(state: str) -> str:
    return wording.state_word(state)


@register.filter
def status_line(run: TaskRun) -> str:
    return wording.status_line(run)


@register.simple_tag(takes_context=True)
def cancelled_words(context: template.Context, run: TaskRun) -> str:
    """``You cancelled this run at 50 %. Finished work is kept.``, for the person who cancelled
    it."""
    by_reader = run.cancel_requested_by_id == context["request"].user.pk
    return wording.revoked_line(run, who="You cancelled this run" if by_reader else "Cancelled")


@register.filter
def what_next(run: TaskRun) -> str:
    return wording.what_next(run)


@register.filter
def view_state(run: TaskRun) -> str:
    return wording.view_state(run)


@register.filter
def place_words(place: int) -> str:
    return waiting.place_words(place)


@register.simple_tag
def time_left(run: TaskRun, usual: waiting.Bounds | None = None) -> SafeString:
    """The range of the time left, which the page updates as the bar moves; empty while nothing is
    known."""
    if run.is_final or run.started_at is None or run.attempt > 1:
        return mark_safe("")
    return format_html(
        '<span data-left="{}" data-usual="{}">{}</span>',
        run.started_at.isoformat(),
        f"{usual[0]:.1f} {usual[1]:.1f}" if usual else "",
        waiting.left_words(run, usual=usual),
    )


@register.filter
def capped(count: int) -> str:
    """A count that stopped at the cap: ``1,000+``."""
    return f"{COUNTED:,}+" if count > COUNTED else f"{count:,}"


@register.filter
def grouped(count: float) -> str:
    """A number with thousands separators: ``12,345``."""
    return f"{count:,.0f}"


@register.filter
def signed(change: float, places: int = 0) -> str:
    """A change with its sign, or ``±0``. ``places`` as in floatformat."""
    amount = floatformat(abs(change), f"{places}g")
    sign = "±" if not change else "+" if change > 0 else "\N{MINUS SIGN}"
    return f"{sign}{amount}"


@register.simple_tag
def kind_label(name: str) -> str:
    return kinds.label(name)


@register.filter
def plural(count: int, noun: str) -> str:
    return wording.plural(count, noun)


@register.simple_tag(takes_context=True)
def with_query(context: template.Context, **changes: Any) -> str:
    """The current query string with ``changes``; an empty value removes its key."""
    query = context["request"].GET.copy()
    query.pop("before", None)
    query.pop("page", None)
    for key, value in changes.items():
        if value in ("", None):
            query.pop(key, None)
        else:
            query[key] = str(value)
    return f"?{query.urlencode()}" if query else "?"


def _tag(
    context: template.Context, level: int, page: str, filters: Mapping[str, str]
) -> SafeString:
    """The opening tag of one count: a link if it leads somewhere."""
    if page:
        return format_html('a href="{}?severity={}#findings"', page, level)
    if not filters:
        return mark_safe("span")
    query = with_query(context, **filters, severity=level)
    return format_html('a href="{}#findings"', query)


@cache
def _bars(level: int) -> SafeString:
    return format_html(
        '<svg aria-hidden="true">{}</svg>',
        format_html_join(
            "",
            '<rect{} x="{}" y="{}" width="2.6" height="{}"/>',
            (
                (mark_safe(' class="on"') if number < level else "", x, y, round(12 - y, 1))
                for number, (x, y) in enumerate(BARS)
            ),
        ),
    )
