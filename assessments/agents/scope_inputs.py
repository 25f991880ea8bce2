"""The part of an agent's input that belongs to one scope."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from assessments.agents.types import AgentInput
from assessments.scan.types import CoverageStatus, FileCoverage, Scope, ScopeKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


def input_of(scope: Scope, data: AgentInput, requirements: Requirements) -> AgentInput:
    """What of ``data`` belongs to ``scope``, with the requirements that describe it. A file that no
    scope could be read from counts for the only one, where there is one."""
    known = {each.key for each in data.scopes}

    def belongs(key: str) -> bool:
        return key == scope.key or (scope.key == REST.key and key not in known)

    return AgentInput(
        scopes=[scope],
        checks=[each for each in data.checks if belongs(each.scope)],
        resources=[each for each in data.resources if belongs(each.scope)],
        coverage=list(_coverage_of(scope, data)),
        requirements=requirements,
    )


def _coverage_of(scope: Scope, data: AgentInput) -> Iterator[FileCoverage]:
    """How far the scope's files were read for it: what another scope lacks is not its gap. A file
    has several entries where several things are missing from it."""
    paths = set(scope.paths)
    files = [each for each in data.coverage if each.path in paths or len(data.scopes) == 1]
    if not data.gaps:
        yield from files
        return
    gaps: dict[str, list[FileCoverage]] = {}
    for gap in data.gaps:
        if gap.scope in {"", scope.key}:
            gaps.setdefault(gap.path, []).append(gap)
    for file in files:
        read = FileCoverage(path=file.path, kind=file.kind, status=CoverageStatus.READ)
        yield from gaps.get(file.path, [read])


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
