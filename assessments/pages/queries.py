"""Query strings of links: the current one with one thing changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.http import QueryDict


def toggled(query: QueryDict, name: str, value: str) -> str:
    """With ``value`` added to the values of ``name``, or removed if it is one of them."""
    values = query.getlist(name)
    rest = [each for each in values if each != value]
    return changed(query, **{name: rest if len(rest) < len(values) else [*values, value]})


def changed(query: QueryDict, **values: str | list[str] | None) -> str:
    """With each name set to its value or values; None and "" remove it. A changed list starts at
    its first page."""
    new = query.copy()
    for name, value in {"page": None, **values}.items():
        new.setlist(name, value if isinstance(value, list) else [value] if value else [])
        if not new.getlist(name):
            new.pop(name, None)
    return f"?{new.urlencode()}" if new else "?"
