"""What is to be proven: the edits for some failed checks that ask for the same change."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence
from dataclasses import dataclass

from assessments.fixes.edit import Files, edit_for, has_recipe
from assessments.fixes.errors import CannotFix, FixedAlready
from assessments.scan.installed import is_installed
from assessments.scan.types import CheckResult

MAX_PLACES = 100
"""Places in one fix. More would give a diff that nobody reads, and a proof that takes too long."""


@dataclass(frozen=True)
class Draft:
    """The edits for ``checks``, one after another; ``changed`` has the text of the files that
    changed. ``key`` is the caller's name for it."""

    key: str
    checks: tuple[CheckResult, ...]
    changed: Files
    recreates: bool = False
    notes: tuple[str, ...] = ()

    @property
    def touched(self) -> frozenset[tuple[str, str]]:
        """The resources it is about. Two drafts that share one are not proven in one scan."""
        return frozenset((check.file, check.resource) for check in self.checks)


def draft(key: str, checks: Sequence[CheckResult], files: Files) -> Draft | None:
    """The edits for those of ``checks`` that have one; None if none has. Installed modules are
    left alone: the next ``terraform init`` would overwrite an edit."""
    changed: dict[str, str] = {}
    current = ChainMap(changed, dict(files))
    fixed: list[CheckResult] = []
    notes: dict[str, None] = {}
    recreates = False
    # From the bottom up: anything identified only by its line must not move.
    ordered = sorted(checks, key=lambda check: (check.file, -check.line_start, check.rule))
    own = [check for check in ordered if has_recipe(check) and not is_installed(check.file)]
    for check in own[:MAX_PLACES]:
        try:
            edit = edit_for(check, current)
        except FixedAlready:
            fixed.append(check)
            continue
        except CannotFix:
            continue
        changed.update(edit.files)
        fixed.append(check)
        recreates |= edit.recipe.recreates
        notes |= dict.fromkeys([edit.recipe.note] if edit.recipe.note else [])
    return Draft(key, tuple(fixed), changed, recreates, tuple(notes)) if changed else None
