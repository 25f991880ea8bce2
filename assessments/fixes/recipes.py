"""Which rules have a fix, and what it changes: ``assessments/data/fixes.toml`` as values."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data" / "fixes.toml"
_DOT = re.compile(r"\.(?![^\[]*\])")
"""A dot that separates two names: not one inside brackets."""


@dataclass(frozen=True, kw_only=True)
class Companion:
    """A separate resource that does it: of ``type``, with its attribute ``by`` set to the ``of`` of
    the resource that the finding is about."""

    type: str
    by: str
    of: str


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What one rule asks for in a resource of one of ``types``.

    ``changes`` is a tree (``hcl``, ``yaml_text``). ``inline`` is the same for a folder whose
    buckets are still configured in place. ``when`` and ``unless`` are searched for in the
    resource's text. ``recreates``: applying it replaces the resource. ``note`` says what to check
    before applying it.
    """

    types: frozenset[str]
    changes: Mapping[str, Any] = field(default_factory=dict)
    companion: Companion | None = None
    inline: Mapping[str, Any] = field(default_factory=dict)
    pattern: str = ""
    replacement: str = ""
    when: str = ""
    unless: str = ""
    recreates: bool = False
    note: str = ""

    def fits(self, text: str) -> bool:
        """Whether a resource with this text is one that the recipe applies to."""
        if self.when and not re.search(self.when, text, re.MULTILINE):
            return False
        return not (self.unless and re.search(self.unless, text, re.MULTILINE))


@cache
def recipes() -> Mapping[str, tuple[Recipe, ...]]:
    """By rule; if there are several, the first that fits is used."""
    data = tomllib.loads(DATA.read_text(encoding="utf-8"))
    return {rule: tuple(_recipe(fields) for fields in entries) for rule, entries in data.items()}


def recipes_for(rule: str, type: str) -> list[Recipe]:
    return [recipe for recipe in recipes().get(rule, ()) if type in recipe.types]


def _recipe(fields: dict[str, Any]) -> Recipe:
    """Raises TypeError for an unknown field."""
    changes, inline = (as_tree(fields.pop(name, {})) for name in ("set", "inline"))
    companion = fields.pop("companion", None)
    return Recipe(
        types=frozenset(fields.pop("types")),
        changes=changes,
        inline=inline,
        companion=Companion(**companion) if companion else None,
        **fields,
    )


def as_tree(flat: Mapping[str, Any]) -> dict[str, Any]:
    """``{"a.b": 1}`` as ``{"a": {"b": 1}}``."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, name = _DOT.split(path)
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return tree
