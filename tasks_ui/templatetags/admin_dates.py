"""Drill-down to a day in the operators' list, without querying the rows for the days that exist."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from django import template
from django.conf import settings
from django.utils import timezone

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList

register = template.Library()

FIELD = "created_at"


@dataclass(frozen=True)
class Choice:
    """``query`` is the query string; ``is_chosen`` marks the current choice."""

    label: str
    query: str
    is_chosen: bool = False


@register.simple_tag
def date_choices(cl: ChangeList) -> list[Choice]:
    """The months that runs are kept for, then the days of the chosen month. Django's own looks
    through all rows."""
    year, month, day = (_number(cl, part) for part in ("year", "month", "day"))
    today = timezone.localdate()
    if not year or not month:
        return [_month(cl, first) for first in _months(today)]
    back = [_choice(cl, "All dates", None, None, None)]
    try:
        first = date(year, month, 1)
    except ValueError:
        return back
    last = min(today, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))
    days = [date(year, month, number) for number in range(1, last.day + 1)] if last >= first else []
    return [
        *back,
        _month(cl, first, is_chosen=day is None),
        *(
            _choice(cl, str(one.day), year, month, one.day, is_chosen=one.day == day)
            for one in days
        ),
    ]


def _months(today: date) -> list[date]:
    """The first days of the months in which existing runs may have been created, at most twelve,
    oldest first."""
    first = (today - timedelta(days=min(settings.TASKS_RETENTION_DAYS, 334))).replace(day=1)
    months = []
    while first <= today:
        months.append(first)
        first = (first + timedelta(days=31)).replace(day=1)
    return months


def _month(cl: ChangeList, first: date, *, is_chosen: bool = False) -> Choice:
    return _choice(cl, f"{first:%B %Y}", first.year, first.month, None, is_chosen=is_chosen)


def _choice(
    cl: ChangeList,
    label: str,
    year: int | None,
    month: int | None,
    day: int | None,
    *,
    is_chosen: bool = False,
) -> Choice:
    wanted = {
        f"{FIELD}__{part}": value
        for part, value in (("year", year), ("month", month), ("day", day))
        if value
    }
    return Choice(label, cl.get_query_string(wanted, [f"{FIELD}__"]), is_chosen)


def _number(cl: ChangeList, part: str) -> int | None:
    value = str(cl.params.get(f"{FIELD}__{part}", ""))
    return int(value) if value.isdecimal() and len(value) <= 4 else None
