"""Terraform plans: each is a scope of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from assessments.scan.scope_kinds.unit import Unit
from assessments.scan.types import FileKind, Scope, ScopeKind

if TYPE_CHECKING:
    from assessments.scan.classify import Classified


def plans(files: Iterable[Classified]) -> Iterator[Unit]:
    for item in files:
        if item.kind is FileKind.TERRAFORM_PLAN:
            path = item.file.path
            scope = Scope(
                key=path, kind=ScopeKind.TERRAFORM_PLAN, label=f"Plan {path}", paths=[path]
            )
            yield Unit(scope=scope, scanned=(path,))
