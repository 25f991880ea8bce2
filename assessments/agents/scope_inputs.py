"""The parts of an agent's input that belong to each scope."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from assessments.agents.types import AgentInput
from assessments.scan.types import (
    CheckResult,
    CoverageStatus,
    FileCoverage,
    Resource,
    Scope,
    ScopeKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from assessments.requirements import Requirements

REST = Scope(key="", kind=ScopeKind.REPOSITORY, label="the rest of the files")
"""Stands in where a check or a resource names a scope that the scan does not list, so that nothing
is lost."""


def scopes_of(data: AgentInput) -> list[Scope]:
    """The scopes of the input, and ``REST`` where something belongs to none of them. Empty where
    the input names no scope at all: it is then one."""
    if not data.scopes:
        return []
    known = {scope.key for scope in data.scopes}
    named = {each.scope for each in data.checks} | {each.scope for each in data.resources}
    return [*data.scopes, *([REST] if named - known and REST.key not in known else [])]


def inputs_of(
    scopes: Sequence[Scope], data: AgentInput, requirements: Mapping[str, Requirements]
) -> list[AgentInput]:
    """What of ``data`` belongs to each of ``scopes``, in their order, with the requirements that
    describe it (by the scope's key). A file that no scope could be read from counts for the only
    one, where there is one."""
    known = {each.key for each in data.scopes}
    checks, resources = _by_scope(data.checks, known), _by_scope(data.resources, known)
    coverage = _Coverage(data)
    return [
        AgentInput(
            scopes=[scope],
            checks=checks.get(scope.key, []),
            resources=resources.get(scope.key, []),
            coverage=list(coverage.of(scope)),
            requirements=requirements[scope.key],
            prices=data.prices,
            own_rules=data.own_rules,
        )
        for scope in scopes
    ]


def _by_scope[T: (CheckResult, Resource)](
    found: Iterable[T], known: set[str]
) -> dict[str, list[T]]:
    """Grouped in one go: an upload may have hundreds of scopes and very many checks. What names an
    unknown scope goes to ``REST``."""
    groups: dict[str, list[T]] = {}
    for each in found:
        groups.setdefault(each.scope if each.scope in known else REST.key, []).append(each)
    return groups


class _Coverage:
    """How far files were read for each scope: what another scope lacks is not its gap."""

    def __init__(self, data: AgentInput) -> None:
        self._files: dict[str, list[FileCoverage]] = {}
        for file in data.coverage:
            self._files.setdefault(file.path, []).append(file)
        self._gaps: dict[str, dict[str, list[FileCoverage]]] = {}
        for gap in data.gaps:
            self._gaps.setdefault(gap.path, {}).setdefault(gap.scope, []).append(gap)
        self._has_gaps, self._is_one = bool(data.gaps), len(data.scopes) == 1

    def of(self, scope: Scope) -> Iterator[FileCoverage]:
        """A file has several entries where several things are missing from it."""
        paths = self._files if self._is_one else sorted(set(scope.paths) & self._files.keys())
        for file in (file for path in paths for file in self._files[path]):
            if not self._has_gaps:
                yield file
                continue
            gaps = self._gaps.get(file.path, {})
            own = [*gaps.get("", []), *(gaps.get(scope.key, []) if scope.key else [])]
            yield from own or [
                FileCoverage(path=file.path, kind=file.kind, status=CoverageStatus.READ)
            ]


def identities(scopes: Sequence[Scope], data: AgentInput) -> dict[str, str]:
    """By key, the name of each scope in fingerprints: its key below the folder that all uploaded
    files share. That folder is often the archive's own (``shop-1a2b3c4/``) and changes from one
    upload to the next."""
    paths = [each.path for each in data.coverage] or [path for s in scopes for path in s.paths]
    shared = posixpath.commonpath([posixpath.dirname(path) for path in paths]) if paths else ""
    return {scope.key: _below(shared, scope.key) for scope in scopes}


def _below(folder: str, key: str) -> str:
    rest = key.removeprefix(folder)
    if not folder or (rest == key or rest[:1] not in ("", "/", ":")):
        rest = key
    return rest.removeprefix("/").removeprefix(".")
