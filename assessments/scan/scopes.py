"""The scopes of an upload: what is deployed as one, and which files that is built from.

The table of kinds is in ARCHITECTURE.md. The same upload gives the same scopes, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from assessments.scan.scope_kinds.cloudformation import stacks
from assessments.scan.scope_kinds.compose import projects
from assessments.scan.scope_kinds.kubernetes import kubernetes_units
from assessments.scan.scope_kinds.plans import plans
from assessments.scan.scope_kinds.terraform import roots
from assessments.scan.scope_kinds.unit import Unit
from assessments.scan.types import Scope, ScopeKind

if TYPE_CHECKING:
    from assessments.scan.classify import Classified


def scopes_of(classified: Sequence[Classified]) -> list[Scope]:
    """The scopes of files that are classified, sorted by key."""
    return [unit.scope for unit in units_of(classified)]


def units_of(classified: Sequence[Classified]) -> list[Unit]:
    """The scopes with what scanning each takes, sorted by key."""
    files = sorted(classified, key=lambda item: item.file.path)
    found = [
        *roots(files),
        *plans(files),
        *stacks(files),
        *kubernetes_units(files),
        *projects(files),
    ]
    found += _rest(files, found)
    return sorted(_with_unique_keys(found), key=lambda unit: unit.scope.key)


def _rest(files: Iterable[Classified], found: Iterable[Unit]) -> Iterator[Unit]:
    """Everything that belongs to no deployable unit: Dockerfiles, workflows, scripts."""
    taken = {path for unit in found for path in unit.scope.paths}
    paths = [item.file.path for item in files if item.file.path not in taken]
    if paths:
        scope = Scope(
            key="repository", kind=ScopeKind.REPOSITORY, label="Repository files", paths=paths
        )
        yield Unit(scope=scope, scanned=tuple(paths))


def _with_unique_keys(units: Iterable[Unit]) -> Iterator[Unit]:
    """Two kinds of unit may have the same path: the later kind says what it is."""
    seen: set[str] = set()
    for unit in units:
        key = unit.scope.key
        while key in seen:
            key = f"{key} ({unit.scope.kind.value})"
        seen.add(key)
        yield unit if key == unit.scope.key else unit.with_key(key)
