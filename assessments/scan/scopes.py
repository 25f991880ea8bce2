"""The scopes of an upload: what is deployed as a unit, and the files that it is built from.

The table of kinds is in ARCHITECTURE.md. The same upload gives the same scopes, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from assessments.scan.installed import is_installed
from assessments.scan.scope_kinds.azure import azure_units
from assessments.scan.scope_kinds.cloudformation import stacks
from assessments.scan.scope_kinds.compose import projects
from assessments.scan.scope_kinds.kubernetes import kubernetes_units
from assessments.scan.scope_kinds.plans import with_plans
from assessments.scan.scope_kinds.terraform import roots
from assessments.scan.scope_kinds.unit import Unit, not_assessed
from assessments.scan.types import SEARCHED, FileKind, Scope, ScopeKind

if TYPE_CHECKING:
    from assessments.scan.classify import Classified

REPOSITORY = "repository"


def scopes_of(classified: Sequence[Classified]) -> list[Scope]:
    """The scopes of classified files, sorted by key."""
    return [unit.scope for unit in units_of(classified)]


def units_of(classified: Sequence[Classified]) -> list[Unit]:
    """The scopes with everything needed to scan them, sorted by key."""
    files = sorted(classified, key=lambda item: item.file.path)
    found = [
        *with_plans(files, list(roots(files))),
        *stacks(files),
        *azure_units(files),
        *kubernetes_units(files),
        *projects(files),
    ]
    return sorted(_with_unique_keys(_with_rest(files, found)), key=lambda unit: unit.scope.key)


def _with_rest(files: Iterable[Classified], found: list[Unit]) -> list[Unit]:
    """Files that belong to no deployable unit (Dockerfiles, workflows, scripts) are a scope of
    their own. Files that are only searched for secrets join the only unit, if there is just one."""
    taken = {path for unit in found for path in unit.scope.paths}
    rest = [item for item in files if item.file.path not in taken]
    paths = [item.file.path for item in rest]
    if len(found) == 1 and all(item.kind is FileKind.UNKNOWN for item in rest):
        return [found[0].with_paths(paths)]
    scope = Scope(key=REPOSITORY, kind=ScopeKind.REPOSITORY, label="Repository files", paths=paths)
    gaps = tuple(
        not_assessed("", path, FileKind.UNKNOWN, _NOT_CALLED)
        for path in paths
        if is_installed(path)
    )
    return [*found, *([Unit(scope=scope, scanned=tuple(paths), gaps=gaps)] if paths else [])]


_NOT_CALLED = f"Nothing calls this installed module, so it creates nothing here. It was {SEARCHED}."


def _with_unique_keys(units: Iterable[Unit]) -> Iterator[Unit]:
    """Two kinds of unit may have the same path: the later kind adds its name."""
    seen: set[str] = set()
    for unit in units:
        key = unit.scope.key
        while key in seen:
            key = f"{key} ({unit.scope.kind.value})"
        seen.add(key)
        yield unit if key == unit.scope.key else unit.with_key(key)
