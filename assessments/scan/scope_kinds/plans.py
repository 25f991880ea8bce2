"""Terraform plans: each is a scope of its own, unless its source is in the upload: then it states
exactly what that root will be."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from assessments.scan.plan_references import without_indexes
from assessments.scan.readers import plan_addresses
from assessments.scan.scope_kinds.unit import Unit
from assessments.scan.types import FileKind, Scope, ScopeKind

if TYPE_CHECKING:
    from assessments.scan.classify import Classified

SHARED = 0.5
"""Share of a plan's resources that a root declares if the plan is for that root."""


def with_plans(files: Iterable[Classified], roots: Sequence[Unit]) -> Iterator[Unit]:
    """The roots, each with its plan, and the plans that match no root or several."""
    found = {unit.scope.key: unit for unit in roots}
    for item in files:
        if item.kind is not FileKind.TERRAFORM_PLAN:
            continue
        root = _root_of(item, [unit for unit in found.values() if not unit.plan])
        if root is None:
            path = item.file.path
            scope = Scope(
                key=path, kind=ScopeKind.TERRAFORM_PLAN, label=f"Plan {path}", paths=[path]
            )
            yield Unit(scope=scope, scanned=(path,))
        else:
            joined = root.with_paths([item.file.path])
            found[root.scope.key] = replace(joined, plan=item.file.path)
    yield from found.values()


def _root_of(item: Classified, roots: Sequence[Unit]) -> Unit | None:
    planned = {
        without_indexes(address)
        for document in item.documents
        for address in plan_addresses(document)
    }
    fitting = [unit for unit in roots if planned and _share(planned, unit) >= SHARED]
    beside = [unit for unit in fitting if unit.root == posixpath.dirname(item.file.path)]
    stem = posixpath.basename(item.file.path).split(".")[0]
    named = [unit for unit in beside or fitting if unit.named_vars and _stem(unit) in stem]
    for candidates in (named, beside, fitting):
        if len(candidates) == 1:
            return candidates[0]
    return None


def _share(planned: set[str], unit: Unit) -> float:
    declared = unit.facts.resources if unit.facts else {}
    return len(planned & declared.keys()) / len(planned)


def _stem(unit: Unit) -> str:
    return posixpath.basename(unit.named_vars).split(".")[0]
