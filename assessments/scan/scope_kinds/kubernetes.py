"""Kubernetes: Kustomize overlays, Helm charts, and folders of plain manifests.

Overlays are in ``kustomize``, charts in ``helm``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from assessments.scan.classify import Role
from assessments.scan.scope_kinds.helm import charts
from assessments.scan.scope_kinds.kustomize import overlays
from assessments.scan.scope_kinds.unit import Unit, not_assessed
from assessments.scan.types import FileKind, Scope, ScopeKind

if TYPE_CHECKING:
    from assessments.scan.classify import Classified


def kubernetes_units(files: Iterable[Classified]) -> Iterator[Unit]:
    known = {item.file.path: item for item in files}
    taken: set[str] = set()
    for unit in [*overlays(known), *charts(known)]:
        taken |= set(unit.scope.paths)
        yield unit
    yield from _folders(known, taken)


def _folders(known: Mapping[str, Classified], taken: set[str]) -> Iterator[Unit]:
    folders: dict[str, list[str]] = defaultdict(list)
    for path, item in known.items():
        is_manifest = item.kind is FileKind.KUBERNETES and item.role is not Role.KUSTOMIZATION
        if is_manifest and path not in taken:
            folders[item.folder].append(path)
    for folder, paths in sorted(folders.items()):
        scope = Scope(
            key=f"{folder}/" if folder else "./",
            kind=ScopeKind.KUBERNETES,
            label=f"Kubernetes {folder or 'at the top'}",
            paths=sorted(paths),
        )
        templates = [path for path in paths if known[path].role is Role.CHART]
        yield Unit(
            scope=scope,
            scanned=tuple(sorted(set(paths) - set(templates))),
            gaps=tuple(
                not_assessed(scope.key, path, FileKind.KUBERNETES, _NO_CHART) for path in templates
            ),
        )


_NO_CHART = (
    "This is a Helm template, and its chart (Chart.yaml) is not in the upload. Upload the whole"
    " chart, or the output of 'helm template'."
)
