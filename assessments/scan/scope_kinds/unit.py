"""A scope, with everything needed to scan it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from assessments.scan.plan_references import without_indexes
from assessments.scan.terraform import Root
from assessments.scan.types import CoverageStatus, FileCoverage, FileKind, Scope


@dataclass(frozen=True, kw_only=True)
class Unit:
    """``scanned`` are those of the scope's paths that its engines see, ``chart`` those that Helm
    sees, and ``overlay`` those that Kustomize sees; ``values`` is the values file passed to Helm.
    ``root`` is the folder of a Terraform root, a chart or an overlay (empty for the top),
    ``var_files`` are a root's variable files in the order in which they apply, ``named_vars`` the
    one passed to Terraform by name. ``parameters`` is a stack's parameter file, and ``absent`` are
    the logical ids whose Condition is false. ``plan`` is a Terraform root's own plan. ``gaps`` are
    what the scope lacks. ``facts`` are what was learned by following a Terraform root."""

    scope: Scope
    scanned: tuple[str, ...] = ()
    chart: tuple[str, ...] = ()
    overlay: tuple[str, ...] = ()
    values: str = ""
    root: str = ""
    var_files: tuple[str, ...] = ()
    named_vars: str = ""
    parameters: str = ""
    plan: str = ""
    absent: frozenset[str] = frozenset()
    gaps: tuple[FileCoverage, ...] = ()
    facts: Root | None = None

    def lacks(self, address: str) -> bool:
        """Whether a resource that the files declare is known not to exist in the scope."""
        facts = self.facts.resources.get(without_indexes(address)) if self.facts else None
        is_none = facts is not None and facts.count_known and not facts.total
        return is_none or address in self.absent

    def with_paths(self, paths: Iterable[str]) -> Unit:
        """With files that its engines don't need to see."""
        every = sorted({*self.scope.paths, *paths})
        return replace(self, scope=self.scope.replace(paths=every))

    def with_key(self, key: str) -> Unit:
        return replace(
            self,
            scope=self.scope.replace(key=key),
            gaps=tuple(gap.replace(scope=key) for gap in self.gaps),
        )


def partly(scope: str, path: str, kind: FileKind, reason: str, line: int | None) -> FileCoverage:
    return FileCoverage(
        scope=scope,
        path=path,
        kind=kind,
        status=CoverageStatus.PARTLY_READ,
        reason=reason,
        line=line,
    )


def not_assessed(scope: str, path: str, kind: FileKind, reason: str) -> FileCoverage:
    return FileCoverage(
        scope=scope, path=path, kind=kind, status=CoverageStatus.NOT_ASSESSED, reason=reason
    )
