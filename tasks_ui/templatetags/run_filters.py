"""The filters of the operators' list as one row of choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import template
from django.contrib.admin.views.main import PAGE_VAR

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList

register = template.Library()


@dataclass(frozen=True, kw_only=True)
class Filter:
    """``choices`` are value, words, and whether it is the chosen one; "" stands for no filter."""

    name: str
    title: str
    choices: list[tuple[str, str, bool]]

    @property
    def is_set(self) -> bool:
        return not self.choices[0][2]


@register.inclusion_tag("admin/tasks_ui/taskrun/_filters.html")
def compact_filters(cl: ChangeList) -> dict[str, Any]:
    filters = [_filter(cl, spec) for spec in cl.filter_specs]
    ours = {each.name for each in filters} | {PAGE_VAR}
    kept = [
        (name, value)
        for name, values in cl.filter_params.items()
        for value in values
        if name not in ours
    ]
    return {
        "filters": filters,
        "kept": kept,
        "is_any_set": any(each.is_set for each in filters),
        "clear": cl.clear_all_filters_qs,
    }


def _filter(cl: ChangeList, spec: Any) -> Filter:
    """What the address asks for stays chosen, though it be nothing that is offered."""
    first = next(iter(spec.choices(cl)))["display"]
    chosen = spec.value() or ""
    offered = [
        ("", str(first)),
        *((str(value), str(words)) for value, words in spec.lookup_choices),
    ]
    if chosen not in dict(offered):
        offered.append((chosen, chosen))
    return Filter(
        name=spec.parameter_name,
        title=spec.title,
        choices=[(value, words, value == chosen) for value, words in offered],
    )
